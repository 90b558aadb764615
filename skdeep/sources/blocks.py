"""Blocks that sources return: arrays and tables, as arrays of numbers, and some of their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skdeep.sources.source import Source
from skdeep.tables.frames import as_frame, check_all_numbers

# Columns are copied to rows in turns whose rows fit in the processor's cache: in one go they take three times as long.
_ROWS_PER_TURN = 4096
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def read_block(source: Source, start: int, stop: int, name: str) -> Any:
    """Return the rows from `start` to `stop - 1` of a source, which messages call `name`.

    Raises
    ------
    ValueError
        If the source returns another number of rows.
    """
    block = source.read(start, stop)
    if len(block) != stop - start:
        raise ValueError(
            f"{name} returned {len(block)} rows for the rows {start} to {stop - 1} of {source.n}. It must return exactly the rows that are "
            "asked for, and must not change during a fit."
        )
    return block


def taken(block: Any, index: np.ndarray) -> Any:
    """Return the rows of a block at these positions."""
    frame = as_frame(block)
    return np.asarray(block)[index] if frame is None else frame[index].to_native()


def joined(blocks: list[Any]) -> Any:
    """Return blocks of one kind, one after the other."""
    import narwhals.stable.v2 as nw

    if as_frame(blocks[0]) is None:
        return np.concatenate(blocks)
    return nw.concat([nw.from_native(block, eager_only=True) for block in blocks]).to_native()


def numbers_of(block: Any, start: int, name: str = "X") -> np.ndarray:
    """Return a block as an array of floats, float32 if it holds float32 only, else float64. `start` is its first row.

    Raises
    ------
    ValueError
        If a value is NaN or infinite; the message has its row in the whole data.
    TypeError
        If a value is not a number.
    """
    frame = as_frame(block)
    values = _array_of(block, start, name) if frame is None else _array_of_frame(frame)
    check_finite(values, start, name, None if frame is None else list(frame.columns))
    return values


def check_finite(values: np.ndarray, start: int, name: str, columns: list[str] | None = None) -> None:
    """Raise ValueError if a value is NaN or infinite; the message has its row in the whole data."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.sum(values, dtype=np.float64)):
            return
    is_wrong = ~np.isfinite(values.reshape(len(values), -1))
    if not is_wrong.any():  # the sum overflows
        return
    row, column = map(int, np.argwhere(is_wrong)[0])
    found = "NaN" if np.isnan(values.reshape(len(values), -1)[row, column]) else "infinity"
    where = "" if values.ndim == 1 else f", column {column if columns is None else repr(columns[column])}"
    raise ValueError(
        f"Input {name} contains {found} in row {start + row}{where}. {name} that is read in blocks must be finite: replace such values first"
        f"{', or give a table, where they are missing values' if name == 'X' and columns is None else ''}."
    )


def labels_of(block: Any, start: int, name: str = "y") -> np.ndarray:
    """Return a block of one column, or several, as an array of any type. `start` is its first row.

    Raises
    ------
    ValueError
        If a value is missing; the message has its row in the whole data.
    """
    frame = as_frame(block)
    values = np.asarray(block) if frame is None else frame.to_numpy()
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.dtype.kind in "OfMm":
        missing = np.asarray(pd.isna(values)).reshape(len(values), -1).any(axis=1)
        if missing.any():
            raise ValueError(
                f"Input {name} contains missing values, the first in row {start + int(np.argmax(missing))}. Drop these rows."
            )
    return values


def _array_of(block: Any, start: int, name: str) -> np.ndarray:
    values = np.asarray(block)
    if values.dtype.kind not in "fiub":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as err:
            raise TypeError(
                f"{name} must hold numbers. Got values of type {values.dtype} from row {start} on."
            ) from err
    return values if values.dtype in _FLOATS else values.astype(np.float64)


def _array_of_frame(frame: Any) -> np.ndarray:
    check_all_numbers(frame)
    columns = [_column_of(frame[name]) for name in frame.columns]
    dtype = np.result_type(*columns) if columns else np.dtype(np.float64)
    values = np.empty((len(frame), len(columns)), dtype if dtype in _FLOATS else np.float64)
    for start in range(0, len(values), _ROWS_PER_TURN):
        turn = slice(start, start + _ROWS_PER_TURN)
        for i, column in enumerate(columns):
            values[turn, i] = column[turn]
    return values


def _column_of(series: Any) -> np.ndarray:
    values = np.asarray(series.to_numpy())
    if values.dtype.kind in "fiub":
        return values
    return np.asarray(pd.to_numeric(pd.Series(values)).to_numpy(np.float64, na_value=np.nan))
