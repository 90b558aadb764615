"""Learn a table from blocks of rows: kinds and levels of columns, and the mean and deviation of numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from jaxtyping import Float

from skdeep.tables.columns import Column, as_levels, as_numbers, category, check_kind
from skdeep.tables.frames import DATE_PARTS, Kind, Read, read_column
from skdeep.tables.learning import categories_given, check_has_values, check_no_text, empty_columns_warning
from skdeep.tables.scaling import NumericScale, Scaling
from skdeep.tables.table import Table

MOST_COUNTED = 2**18
"""If a category has more levels, the lighter half of those that were counted so far is forgotten."""


class Moments(NamedTuple):
    """Weight, mean and sum of squared deviations of values, by column. Missing values have no weight."""

    weight: Float[np.ndarray, " columns"]
    mean: Float[np.ndarray, " columns"]
    squares: Float[np.ndarray, " columns"]

    @classmethod
    def of(cls, values: Float[np.ndarray, "n columns"], weight: Float[np.ndarray, " n"]) -> Moments:
        """Return the moments of rows."""
        if _is_finite(values):
            total = weight.sum()
            mean = (weight @ values) / (total or 1.0)
            return cls(np.full(values.shape[1], total), mean, weight @ (values - mean) ** 2)
        known = ~np.isnan(values)
        w = weight[:, None] * known
        total = w.sum(axis=0)
        divisor = np.where(total > 0, total, 1.0)
        filled = np.where(known, values, 0.0)
        mean = (w * filled).sum(axis=0) / divisor
        squares = (w * np.where(known, filled - mean, 0.0) ** 2).sum(axis=0)
        return cls(total, mean, squares)

    def joined(self, other: Moments) -> Moments:
        """Return the moments of the rows of both (Chan, Golub and LeVeque, 1979)."""
        total = self.weight + other.weight
        share = other.weight / np.where(total > 0, total, 1.0)
        step = other.mean - self.mean
        return Moments(total, self.mean + share * step, self.squares + other.squares + step**2 * self.weight * share)

    @property
    def deviation(self) -> Float[np.ndarray, " columns"]:
        """The standard deviation; 0 without values, or if it is no larger than rounding errors."""
        deviation = np.sqrt(self.squares / np.where(self.weight > 0, self.weight, 1.0))
        return np.where(deviation > 10 * np.finfo(np.float64).eps * np.abs(self.mean), deviation, 0.0)


class _ColumnSummary:
    """What the blocks so far tell of a column."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind: Kind = "empty"
        self.is_category = self.has_missing = self.has_forgotten = False
        self.levels: dict[Any, float] = {}
        self.moments: Moments | None = None

    def update(self, read: Read, weight: Float[np.ndarray, " n"], start: int, is_listed: bool) -> None:
        """Add a block of the column."""
        if read.kind == "empty":
            self.has_missing |= bool((weight > 0).any())
            return
        if self.kind != "empty":
            check_kind(Column(self.name, self.kind), read.kind)
        self.kind = self.kind if self.kind == "number" else read.kind
        self.is_category |= is_listed
        used = weight > 0
        if not _is_finite(read.values):
            self.has_missing |= bool(pd.isna(read.values[used]).any())
        if is_listed or read.kind == "text":
            self._count(as_levels(read.values)[used], weight[used])
        else:
            self._add_moments(read, weight, start)

    def add(self, other: _ColumnSummary) -> None:
        """Add what was learned of other rows of the column."""
        self.has_missing |= other.has_missing
        if other.kind == "empty":
            return
        check_kind(Column(self.name, self.kind), other.kind)
        if self.kind != "empty" and self.is_category != other.is_category:
            raise ValueError(
                f"The column {self.name!r} of X is a category in some processes, but not in others. Give it one type in all of them."
            )
        self.kind = self.kind if self.kind == "number" else other.kind
        self.is_category |= other.is_category
        self.has_forgotten |= other.has_forgotten
        self._add_levels(other.levels)
        if other.moments is not None:
            self.moments = other.moments if self.moments is None else self.moments.joined(other.moments)

    def _count(self, values: Any, weight: Float[np.ndarray, " n"]) -> None:
        codes, levels = pd.factorize(values)
        known = codes >= 0
        sizes = np.bincount(codes[known], weights=weight[known], minlength=len(levels))
        self._add_levels(dict(zip(levels, sizes.tolist(), strict=True)))

    def _add_levels(self, weights: dict[Any, float]) -> None:
        for level, weight in weights.items():
            self.levels[level] = self.levels.get(level, 0.0) + weight
        if len(self.levels) > MOST_COUNTED:
            heaviest = sorted(self.levels.items(), key=lambda item: -item[1])[: MOST_COUNTED // 2]
            self.levels, self.has_forgotten = dict(heaviest), True

    def _add_moments(self, read: Any, weight: Float[np.ndarray, " n"], start: int) -> None:
        values = as_numbers(read.values, len(DATE_PARTS) if read.kind == "date" else 1)
        if not _is_finite(values) and np.isinf(values).any():
            row = int(np.argwhere(np.isinf(values))[0][0])
            raise ValueError(
                f"Input X contains infinity or a value too large in row {start + row} of the column {self.name!r}. Replace it, for example "
                "by a missing value."
            )
        found = Moments.of(values, weight)
        self.moments = found if self.moments is None else self.moments.joined(found)

    def column(self) -> Column:
        """Return what was learned of the column."""
        if self.kind == "empty" or (self.is_category and not self.levels):
            return Column(self.name, "empty", has_missing=True)
        if not self.is_category:
            return Column(self.name, self.kind, has_missing=self.has_missing)
        levels = np.empty(len(self.levels), dtype=object)
        levels[:] = list(self.levels)
        return category(self.name, self.kind, levels, np.array(list(self.levels.values())), self.has_missing)


def _is_finite(values: Any) -> bool:
    """Return True if these are floats without NaN and infinities, as far as their sum tells: it may overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.dtype.kind == "f" and bool(np.isfinite(values.sum()))


class TableSummary:
    """Learns what `learn_table` learns, from blocks of a table.

    Parameters
    ----------
    names : list of str
        The columns.
    categorical_features : "from_dtype", list or None
    """

    def __init__(self, names: list[str], categorical_features: Any) -> None:
        self._given = categorical_features
        self._columns = [_ColumnSummary(name) for name in names]
        self._is_all_numbers = True

    def update(self, frame: nw.DataFrame[Any], weight: Float[np.ndarray, " n"], start: int) -> None:
        """Add a block, whose first row has the position `start` in the whole data.

        Raises
        ------
        TypeError
            If a column holds values of another kind than before, or of none that tables may hold.
        ValueError
            If a number is infinite.
        """
        names = [column.name for column in self._columns]
        if list(frame.columns) != names:
            raise ValueError(
                f"X has the columns {', '.join(map(repr, frame.columns))} from row {start} on, but {', '.join(map(repr, names))} before."
            )
        reads = [read_column(frame[name], name) for name in names]
        is_listed = categories_given(frame, reads, self._given)
        for column, read, is_one in zip(self._columns, reads, is_listed, strict=True):
            name = column.name
            column.update(
                read_column(frame[name], name, is_category=True) if is_one else read, weight, start, bool(is_one)
            )
        self._is_all_numbers &= all(t.is_numeric() or t == nw.Boolean for t in frame.schema.values())

    def add(self, other: TableSummary) -> None:
        """Add what was learned of other rows of the table; raise ValueError if these have other columns."""
        names, others_names = ([column.name for column in each._columns] for each in (self, other))
        if names != others_names:
            raise ValueError(
                f"X has the columns {', '.join(map(repr, names))} in some processes, but {', '.join(map(repr, others_names))} in others. "
                "Give all processes the same columns in the same order."
            )
        for column, others in zip(self._columns, other._columns, strict=True):
            column.add(others)
        self._is_all_numbers &= other._is_all_numbers

    def table(self, scaling: Scaling | None) -> tuple[Table, list[str]]:
        """Return the table with the scale of its numbers, and sentences for warnings."""
        columns = tuple(column.column() for column in self._columns)
        check_has_values(columns)
        check_no_text(columns, self._given)
        table = Table(columns, scaling, "float64", scale=self._scale(columns, scaling))
        return table, empty_columns_warning(columns)

    @property
    def is_array(self) -> bool:
        """Whether all columns are numbers without missing values, which are read as one array."""
        return self._is_all_numbers and not any(c.is_category or c.has_missing for c in self._columns)

    def means(self) -> Float[np.ndarray, " columns"]:
        """Return the means of the columns, if `is_array`."""
        return np.concatenate([column.moments.mean for column in self._columns if column.moments is not None])

    def _scale(self, columns: tuple[Column, ...], scaling: Scaling | None) -> NumericScale:
        center, factor, fill = [], [], []
        for summary, column in zip(self._columns, columns, strict=True):
            if column.is_category or column.kind == "empty" or summary.moments is None:
                continue
            mean, deviation = summary.moments.mean, summary.moments.deviation
            is_scaled = scaling == "standard" or column.kind == "date"
            center.append(mean if is_scaled else np.zeros_like(mean))
            factor.append(
                np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1.0), 1.0)
                if is_scaled
                else np.ones_like(mean)
            )
            fill.append(np.zeros_like(mean) if is_scaled else mean)
        parts = (np.concatenate(part) if part else np.zeros(0) for part in (center, factor, fill))
        return NumericScale(scaling, *parts)
