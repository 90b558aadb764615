"""Read columns of pandas, polars and pyarrow tables, through narwhals: their kind, and their values as NumPy arrays."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped

Kind: TypeAlias = Literal["number", "text", "boolean", "date", "duration", "empty"]

DATE_PARTS = ("year", "month", "day", "hour", "weekday", "seconds")
"""The numbers that a date is read as; "seconds" are the seconds since 1970-01-01."""

_MILLISECONDS = 1000.0
# Kinds of the values of an object column, by the names of `pandas.api.types.infer_dtype`.
_INFERRED: dict[str, Kind] = {
    "string": "text",
    "boolean": "boolean",
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "datetime64": "date",
    "datetime": "date",
    "date": "date",
    "timedelta64": "duration",
    "timedelta": "duration",
    "empty": "empty",
}


class Read(NamedTuple):
    """A column as it was read: its values, `(n,)` objects, or `(n, parts)` floats where missing values are NaN."""

    kind: Kind
    values: Shaped[np.ndarray, "n ..."]


def as_frame(x: Any) -> nw.DataFrame[Any] | None:
    """Return a table of a library that narwhals knows, and None for anything else.

    Raises
    ------
    ValueError
        If two columns have the same name.
    """
    if isinstance(x, nw.DataFrame):
        return x
    if isinstance(x, np.ndarray | list) or not nw.dependencies.is_into_dataframe(x):
        return None
    given = list(x.column_names if hasattr(x, "column_names") else x.columns)
    names = [str(name) for name in given]
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(
            f"X has several columns with the same name: {', '.join(map(repr, repeated))}. Rename or drop all but one of each."
        )
    if not all(isinstance(name, str) for name in given):  # of pandas: narwhals takes other names for positions
        x = x.set_axis(names, axis=1)
    return nw.from_native(x, eager_only=True)


def as_table(x: Any) -> nw.DataFrame[Any]:
    """Return a table of a library that narwhals knows; raise TypeError for anything else."""
    frame = as_frame(x)
    if frame is None:
        raise TypeError(f"X must be a table, as its first rows are. Got {type(x).__name__}.")
    return frame


def frame_of_array(x: Shaped[np.ndarray, "n columns"]) -> nw.DataFrame[Any]:
    """Return an array as a table, with scikit-learn's names for columns without names: "x0", "x1" and so on."""
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])])
    return nw.from_native(frame.infer_objects() if x.dtype == object else frame, eager_only=True)


def is_all_numbers(frame: nw.DataFrame[Any]) -> bool:
    """Return True if each column has a numeric or boolean type."""
    return all(dtype.is_numeric() or dtype == nw.Boolean for dtype in frame.schema.values())


def check_all_numbers(frame: nw.DataFrame[Any]) -> None:
    """Raise TypeError if a column has another type than numbers, which all columns had in `fit`."""
    for name, dtype in frame.schema.items():
        if not (
            dtype.is_numeric()
            or dtype == nw.Boolean
            or read_column(frame[name], name).kind in ("number", "boolean", "empty")
        ):
            raise TypeError(
                f"The column {name!r} of X held numbers in fit, but has the type {dtype} now. Give it in the form that it had in fit."
            )


def in_order_of(frame: nw.DataFrame[Any], names: tuple[str, ...] | None) -> nw.DataFrame[Any]:
    """Return the table with its columns in the order of these names, if it has these columns; else as it is."""
    if names is None or set(frame.columns) != set(names):
        return frame
    return frame.select(*names)


def read_column(series: nw.Series[Any], name: Any, *, is_category: bool = False) -> Read:
    """Return the kind and the values of a column; `name` is its name for messages.

    Values of text, booleans and categories are objects, where missing ones are None or NaN: floats would merge large whole numbers.
    Dates are read as their `DATE_PARTS`, durations as seconds, other numbers as they are.

    Raises
    ------
    TypeError
        If the column holds something else than numbers, text, booleans, dates and durations, or several of them.
    """
    dtype = series.dtype
    if dtype.is_numeric():
        return Read("number", _objects(series) if is_category else _floats(series)[:, None])
    if dtype in (nw.String, nw.Boolean) and len(series) and series.is_null().all():
        return Read("empty", _nothing(len(series)))
    if dtype == nw.Boolean:
        return Read("boolean", _objects(series))
    if dtype in (nw.Date, nw.Datetime):
        return Read("date", _date_parts(series.cast(nw.Datetime("us")) if dtype == nw.Date else series))
    if dtype == nw.Duration:
        return Read("duration", _floats(series.dt.total_milliseconds())[:, None] / _MILLISECONDS)
    return _read_objects(_objects(series), name, is_category)


def _read_objects(values: Shaped[np.ndarray, " n"], name: Any, is_category: bool) -> Read:
    """Return a column whose type says nothing of its values: they are inspected."""
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    kind = _INFERRED.get(inferred)
    if kind is None:
        raise TypeError(_not_of_one_kind(values, name))
    if kind == "empty":
        return Read(kind, _nothing(len(values)))
    if kind == "number" and not is_category:
        return Read(
            kind, pd.to_numeric(pd.Series(values), errors="raise").to_numpy(np.float64, na_value=np.nan)[:, None]
        )
    if kind in ("date", "duration"):
        convert: Any = pd.to_datetime if kind == "date" else pd.to_timedelta
        return read_column(nw.from_native(pd.Series(convert(values)), series_only=True), name)
    return Read(kind, values)


def _not_of_one_kind(values: Shaped[np.ndarray, " n"], name: Any) -> str:
    types = sorted({type(value).__name__ for value in values if not _is_missing(value)})
    cure = "Convert its values to one type, such as X[name].astype(str)"
    if set(types) <= {"bytes", "time", "Period", "Interval"}:
        cure = "Convert it to text or numbers"
    elif not set(types) <= {"str", "int", "float", "bool", "Decimal"}:
        cure = "Leave it out, or convert it to numbers, text or dates"
    return (
        f"The column {name!r} of X must hold numbers, text, booleans, dates or durations, and only one of these kinds. "
        f"Got values of type {', '.join(types)}. {cure}."
    )


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _objects(series: nw.Series[Any]) -> Shaped[np.ndarray, " n"]:
    values = np.empty(len(series), dtype=object)
    values[:] = series.to_list()
    return values


def _floats(series: nw.Series[Any]) -> Float[np.ndarray, " n"]:
    return np.asarray(series.cast(nw.Float64).to_numpy(), np.float64)


def _nothing(n: int) -> Float[np.ndarray, "n 0"]:
    return np.empty((n, 0))


def _date_parts(series: nw.Series[Any]) -> Float[np.ndarray, "n parts"]:
    """Return the `DATE_PARTS` of dates, in their own time zone; "seconds" count in UTC."""
    dates = series.dt
    parts = [dates.year(), dates.month(), dates.day(), dates.hour(), dates.weekday()]
    columns = [*map(_floats, parts), _floats(dates.timestamp("ms")) / _MILLISECONDS]
    missing: Bool[np.ndarray, " n"] = np.asarray(series.is_null().to_numpy(), bool)
    values = np.stack(columns, axis=1)
    values[missing] = np.nan
    return values
