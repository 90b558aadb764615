"""Learn a table from the rows of `fit`: which columns are categories, and what is in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from jaxtyping import Bool, Float

from skdeep.inputs import Inputs
from skdeep.tables.columns import Column, as_levels, learn_column
from skdeep.tables.frames import Read, read_column
from skdeep.tables.scaling import Scaling
from skdeep.tables.table import Table

# A category with too many levels, in which more than this share of the rows has a level of its own.
_SHARE_OF_IDENTIFIERS = 0.5


class Learned(NamedTuple):
    """A table, its rows as `Table.read` returns them, and sentences for warnings."""

    table: Table
    rows: Inputs
    warnings: list[str]


def learn_table(
    frame: nw.DataFrame[Any],
    weight: Float[np.ndarray, " n"],
    categorical_features: Any,
    scaling: Scaling | None,
    dtype: str,
) -> Learned:
    """Learn the columns of a table from the rows of positive weight.

    Raises
    ------
    ValueError
        If `categorical_features` names columns that the table has not, or no column has values.
    TypeError
        If a column holds something else than numbers, text, booleans, dates and durations.
    """
    reads = [read_column(frame[name], name) for name in frame.columns]
    is_category = categories_given(frame, reads, categorical_features)
    for i in np.flatnonzero(is_category):
        reads[i] = read_column(frame[frame.columns[i]], frame.columns[i], is_category=True)
    columns = tuple(
        learn_column(name, read, weight, is_category=bool(is_one))
        for name, read, is_one in zip(frame.columns, reads, is_category, strict=True)
    )
    check_has_values(columns)
    check_no_text(columns, categorical_features)
    table = Table(columns, scaling, dtype)
    return Learned(table, table.read_columns(reads), _warnings(columns, reads))


def check_has_values(columns: tuple[Column, ...]) -> None:
    """Raise ValueError if all values of all columns are missing."""
    if all(column.kind == "empty" for column in columns):
        raise ValueError("X has no column with values: all values are missing.")


def check_no_text(columns: tuple[Column, ...], categorical_features: Any) -> None:
    """Raise TypeError if a column of text is no category."""
    for column in columns:
        if column.kind == "text" and not column.is_category:
            raise TypeError(
                f"The column {column.name!r} of X holds text, but categorical_features={categorical_features!r} does not name it. "
                "Add it, leave the column out, or set categorical_features='from_dtype'."
            )


def categories_given(frame: nw.DataFrame[Any], reads: list[Read], given: Any) -> Bool[np.ndarray, " columns"]:
    """Return which columns are categories, as the parameter `categorical_features` says.

    Raises
    ------
    ValueError
        If it names a column that the table has not, or a mask has another length.
    """
    names = list(frame.columns)
    if isinstance(given, str) and given == "from_dtype":
        is_type = [frame.schema[name] in (nw.Categorical, nw.Enum) for name in names]
        return np.array(is_type) | np.array([read.kind in ("text", "boolean") for read in reads])
    listed = [] if given is None else list(given)
    if listed and all(isinstance(item, bool | np.bool_) for item in listed):
        if len(listed) != len(names):
            raise ValueError(
                f"categorical_features is a mask of {len(listed)} values, but X has {len(names)} columns. Give one value per column."
            )
        return np.array(listed, dtype=bool)
    is_category = np.zeros(len(names), dtype=bool)
    for item in listed:
        is_category[_position(item, names)] = True
    return is_category


def _position(item: Any, names: list[Any]) -> int:
    if isinstance(item, str):
        if item not in names:
            raise ValueError(
                f"categorical_features names the column {item!r}, but X has the columns {', '.join(map(repr, names))}."
            )
        return names.index(item)
    if not 0 <= int(item) < len(names):
        raise ValueError(
            f"categorical_features names the column {item}, but X has {len(names)} columns, with positions from 0 to {len(names) - 1}."
        )
    return int(item)


def _warnings(columns: tuple[Column, ...], reads: list[Read]) -> list[str]:
    found = empty_columns_warning(columns)
    identifiers = [
        repr(column.name)
        for column, read in zip(columns, reads, strict=True)
        if column.n_buckets and _share_of_distinct(read) > _SHARE_OF_IDENTIFIERS
    ]
    if identifiers:
        found.append(
            f"Most rows have a value of their own in {_columns(identifiers)} of X, which {'looks' if len(identifiers) == 1 else 'look'} "
            "like an identifier. Such a category says nothing of new rows: leave it out."
        )
    return found


def empty_columns_warning(columns: tuple[Column, ...]) -> list[str]:
    """Return the sentence of a warning that names the columns without values; nothing if there are none."""
    empty = [repr(column.name) for column in columns if column.kind == "empty"]
    if not empty:
        return []
    return [f"All values are missing in {_columns(empty)} of X, which {'is' if len(empty) == 1 else 'are'} not used."]


def _share_of_distinct(read: Read) -> float:
    values = as_levels(read.values)
    return len(set(values.tolist())) / len(values)


def _columns(names: list[str]) -> str:
    return f"the column{'s' if len(names) > 1 else ''} {', '.join(names)}"
