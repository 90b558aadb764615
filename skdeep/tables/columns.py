"""What `fit` learns of each column: its kind, the levels of a category, and whether values were missing."""

from __future__ import annotations

import dataclasses
import zlib
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from skdeep.tables.frames import DATE_PARTS, Kind, Read

MOST_LEVELS = 1000
"""A category keeps at most this many levels. If it has more, the others share `N_BUCKETS` ids."""

N_BUCKETS = 64
SMALLEST_SHARE = 1e-4
"""The smallest share of the rows of a level that is kept, in a category with more than `MOST_LEVELS`."""

_WORDS = {"number": "numbers", "text": "text", "boolean": "booleans", "date": "dates", "duration": "durations"}


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name : str or int
        Its name, or its position if the table has no names.
    kind : {"number", "text", "boolean", "date", "duration", "empty"}
        The kind of its values; "empty" if all were missing.
    levels : tuple or None, default=None
        The sorted levels, text, numbers or booleans, if the column is a category; id 1 is the first of them.
    n_buckets : int, default=0
        Number of ids, after those of the levels, that all other levels share by their hash. If it is 0, other levels have id 0.
    has_missing : bool, default=False
        Whether values were missing in `fit`. A category gives missing values the id 0 in any case.
    """

    name: Any
    kind: Kind
    levels: tuple[Any, ...] | None = None
    n_buckets: int = 0
    has_missing: bool = False

    @property
    def is_category(self) -> bool:
        """Whether the column is encoded as ids."""
        return self.levels is not None

    @property
    def n_ids(self) -> int:
        """Number of ids of a category: one per level or bucket, and id 0 for missing and unknown values."""
        return 1 + len(self.levels or ()) + self.n_buckets

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """The names of the numbers that the column is encoded as."""
        if self.is_category or self.kind == "empty":
            return ()
        return tuple(f"{self.name} ({part})" for part in DATE_PARTS) if self.kind == "date" else (str(self.name),)

    @property
    def n_numbers(self) -> int:
        """Number of numbers that the column is encoded as."""
        return len(self.numeric_names)

    def ids(self, values: Shaped[np.ndarray, "n ..."]) -> Int[np.ndarray, " n"]:
        """Return the id of each value of a category."""
        if values.shape[1:] == (0,):  # all are missing
            return np.zeros(len(values), np.int32)
        values = as_levels(values)
        found = pd.Index(list(self.levels or ()), dtype=object).get_indexer(pd.Index(values, dtype=object))
        ids: Int[np.ndarray, " n"] = found.astype(np.int32) + np.int32(1)
        if self.n_buckets:
            others = np.flatnonzero((ids == 0) & ~pd.isna(values))
            first = len(self.levels or ()) + 1
            ids[others] = [first + _bucket(value, self.n_buckets) for value in values[others]]
        return ids


def learn_column(name: Any, read: Read, weight: Float[np.ndarray, " n"], *, is_category: bool) -> Column:
    """Return what is learned of a column from the rows of positive weight.

    Levels are sorted, so that their ids do not depend on the order of rows. If there are more than `MOST_LEVELS`, the heaviest
    are kept, if they have at least `SMALLEST_SHARE` of the weight.
    """
    values, used = read.values[weight > 0], weight[weight > 0]
    if read.kind == "empty" or pd.isna(values).all():
        return Column(name, "empty", has_missing=True)
    has_missing = bool(pd.isna(values).any())
    if not is_category:
        return Column(name, read.kind, has_missing=has_missing)
    codes, levels = pd.factorize(as_levels(values))
    size = np.bincount(codes[codes >= 0], weights=used[codes >= 0], minlength=len(levels))
    return category(name, read.kind, levels, size, has_missing)


def category(
    name: Any,
    kind: Kind,
    levels: Shaped[np.ndarray, " levels"],
    size: Float[np.ndarray, " levels"],
    has_missing: bool,
) -> Column:
    """Return a category of these levels, or of the heaviest of them; `size` is the weight of each."""
    if len(levels) <= MOST_LEVELS:
        return Column(name, kind, _sorted_levels(levels), 0, has_missing)
    heaviest = np.lexsort((np.argsort(np.argsort(levels)), -size))[:MOST_LEVELS]
    kept = heaviest[size[heaviest] >= SMALLEST_SHARE * size.sum()]
    return Column(name, kind, _sorted_levels(levels[kept]), N_BUCKETS, has_missing)


def as_levels(values: Shaped[np.ndarray, "n ..."]) -> Shaped[np.ndarray, " n"]:
    """Return the values of a column as levels of a category: of dates, the seconds."""
    return values[:, -1] if values.ndim > 1 else values


def as_numbers(values: Shaped[np.ndarray, "n ..."], n_numbers: int) -> Float[np.ndarray, "n parts"]:
    """Return the values of a column of numbers, dates or booleans as numbers, NaN where they are missing."""
    if values.shape[1:] == (n_numbers,):
        return values
    numbers = np.full((len(values), n_numbers), np.nan)
    if values.ndim > 1:  # a column without values
        return numbers
    known = ~pd.isna(values)
    numbers[known, 0] = values[known].astype(np.float64)
    return numbers


def check_kind(column: Column, kind: Kind) -> None:
    """Raise TypeError if a column holds values of another kind than in `fit`."""
    kinds = {kind, column.kind}
    if len(kinds) == 1 or "empty" in kinds or (kinds == {"number", "boolean"}):
        return
    raise TypeError(
        f"The column {column.name!r} of X held {_WORDS[column.kind]} in fit, but holds {_WORDS[kind]} now. "
        "Give it in the form that it had in fit."
    )


def _sorted_levels(levels: Shaped[np.ndarray, " levels"]) -> tuple[Any, ...]:
    return tuple(sorted(level.item() if isinstance(level, np.generic) else level for level in levels))


def _bucket(level: Any, n_buckets: int) -> int:
    """Return the bucket of a level, equal in all processes."""
    return zlib.crc32(repr(level.item() if isinstance(level, np.generic) else level).encode()) % n_buckets
