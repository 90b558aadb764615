"""A table as it was learned in `fit`: it turns a data frame into numbers and ids, and these into a network's inputs."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from skdeep.inputs import Inputs
from skdeep.records import CATEGORY, NUMERIC, ONE_HOT, InputSpec
from skdeep.tables.columns import Column, as_numbers, check_kind
from skdeep.tables.frames import Read, read_column
from skdeep.tables.scaling import NumericScale, Scaling, fit_scale


@dataclasses.dataclass(frozen=True)
class Table:
    """The columns of a table, and how they become the inputs of a network.

    `read` returns numbers with NaN, and ids. `encode` scales the numbers and makes small categories one-hot. The scale is learned
    from the training rows only, after the split, by `with_scale_of`.

    Parameters
    ----------
    columns : tuple of Column
    scaling : {"standard", "robust", "quantile"} or None
    dtype : str
        The type of numbers, "float32" or "float64", as `read` returns them.
    max_one_hot_levels : int or None, default=0
        Categories of up to this many levels become columns of the input "one_hot"; the others stay ids. None for no limit.
    scale : NumericScale or None, default=None
        None before the split.
    """

    columns: tuple[Column, ...]
    scaling: Scaling | None = None
    dtype: str = "float64"
    max_one_hot_levels: int | None = 0
    scale: NumericScale | None = None

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """The names of the numeric values of a row."""
        return tuple(name for column in self.columns for name in column.numeric_names)

    @property
    def n_categories(self) -> tuple[int, ...]:
        """Number of ids of each category, then 2 for each column of numbers with missing values: present and missing."""
        return tuple(c.n_ids for c in self.columns if c.is_category) + (2,) * len(self._with_gaps)

    @property
    def is_all_numbers(self) -> bool:
        """Whether all columns hold numbers, as a plain array does."""
        return all(column.kind in ("number", "empty") and not column.is_category for column in self.columns)

    @property
    def has_categories(self) -> bool:
        """Whether there are ids."""
        return bool(self.n_categories)

    @property
    def specs(self) -> dict[str, InputSpec]:
        """The inputs that `encode` returns, by name."""
        one_hot, ids = self._one_hot_categories, self._id_categories
        width = sum(_width(self.n_categories[i]) for i in one_hot)
        found = {
            NUMERIC: InputSpec((len(self.numeric_names),)),
            ONE_HOT: InputSpec((width,)),
            CATEGORY: InputSpec((len(ids),), "int32", tuple(self.n_categories[i] for i in ids)),
        }
        return {name: spec for name, spec in found.items() if spec.shape != (0,)}

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the arrays that `read` returns."""
        return (NUMERIC,) * bool(self.numeric_names) + (CATEGORY,) * self.has_categories

    def for_network(self, max_one_hot_levels: int | None) -> Table:
        """Return the table for a network that gets categories of up to so many levels as columns."""
        return dataclasses.replace(self, max_one_hot_levels=max_one_hot_levels)

    def read(self, frame: Any) -> Inputs:
        """Return the numbers of a table, NaN where they are missing, and the ids of its categories.

        Raises
        ------
        TypeError
            If a column holds values of another kind than in `fit`.
        """
        pairs = zip(self.columns, frame.columns, strict=True)
        return self.read_columns([read_column(frame[name], name, is_category=c.is_category) for c, name in pairs])

    def read_columns(self, reads: list[Read]) -> Inputs:
        """Return the numbers and ids of columns that were read already, as `read` does."""
        numbers, ids, gaps = [], [], []
        for column, read in zip(self.columns, reads, strict=True):
            if column.kind == "empty":
                continue
            check_kind(column, read.kind)
            if column.is_category:
                ids.append(column.ids(read.values))
                continue
            values = as_numbers(read.values, column.n_numbers)
            numbers.append(values)
            if column.has_missing:
                gaps.append(np.isnan(values[:, 0]).astype(np.int32))
        found: dict[str, np.ndarray] = {}
        if numbers:
            values = np.concatenate(numbers, axis=1).astype(self.dtype, copy=False)
            # All NaN get the same bits, so that equal rows have equal hashes.
            found[NUMERIC] = np.where(np.isnan(values), np.nan, values)
            self._check_finite(found[NUMERIC])
        if ids or gaps:
            found[CATEGORY] = np.stack(ids + gaps, axis=1)
        return Inputs(found)

    def _check_finite(self, numbers: Float[np.ndarray, "n columns"]) -> None:
        """Raise ValueError for infinite numbers, unless the scaling maps them to finite ones."""
        if self.scaling in ("robust", "quantile"):
            return
        is_infinite = np.isinf(numbers)
        if is_infinite.any():
            row, column = map(int, np.argwhere(is_infinite)[0])
            raise ValueError(
                f"Input X contains infinity or a value too large: {numbers[row, column]} in row {row} of the column "
                f"{self.numeric_names[column]!r}. Replace it, for example by a missing value, or set numeric_scaling='robust'."
            )

    def with_scale_of(self, x: Inputs, weight: Float[np.ndarray, " n"]) -> Table:
        """Return the table with the scale of these rows, which `read` returned."""
        numeric = self._numeric(x)
        is_derived = np.array([c.kind == "date" for c in self.columns for _ in c.numeric_names], dtype=bool)
        one_hot = self._one_hot(x)
        if self.scaling != "robust":
            scale = fit_scale(self.scaling, numeric, weight, is_derived)
        else:  # RealMLP scales one-hot columns as it scales numbers
            both = np.concatenate([numeric, one_hot], axis=1)
            scale = fit_scale("robust", both, weight, np.zeros(both.shape[1], bool))
        return dataclasses.replace(self, scale=scale)

    def encode(self, x: Inputs) -> Any:
        """Return rows that `read` returned as the inputs of a network: `Inputs`, or one array if there are only numbers."""
        numeric, one_hot = self._numeric(x), self._one_hot(x)
        if self.scale is not None and self.scaling == "robust":
            both = self.scale(np.concatenate([numeric, one_hot], axis=1))
            numeric, one_hot = both[:, : numeric.shape[1]], both[:, numeric.shape[1] :]
        elif self.scale is not None:
            numeric = self.scale(numeric)
        if not self.has_categories:
            return numeric
        found = {NUMERIC: numeric, ONE_HOT: one_hot}
        if self._id_categories:
            found[CATEGORY] = x[CATEGORY][:, self._id_categories]
        return Inputs({name: array for name, array in found.items() if array.shape[1]})

    @property
    def _with_gaps(self) -> list[Column]:
        return [c for c in self.columns if c.has_missing and not c.is_category and c.kind != "empty"]

    @property
    def _one_hot_categories(self) -> list[int]:
        most = math.inf if self.max_one_hot_levels is None else self.max_one_hot_levels
        return [i for i, n in enumerate(self.n_categories) if n - 1 <= most]

    @property
    def _id_categories(self) -> list[int]:
        return [i for i in range(len(self.n_categories)) if i not in self._one_hot_categories]

    def _numeric(self, x: Inputs) -> Float[np.ndarray, "n columns"]:
        return x[NUMERIC] if NUMERIC in x.names else np.zeros((len(x), 0))

    def _one_hot(self, x: Inputs) -> Float[np.ndarray, "n columns"]:
        found = [one_hot(x[CATEGORY][:, i], self.n_categories[i]) for i in self._one_hot_categories]
        return np.concatenate(found, axis=1) if found else np.zeros((len(x), 0))


def one_hot(ids: Int[np.ndarray, " n"], n_ids: int) -> Float[np.ndarray, "n columns"]:
    """Return ids as columns of 0 and 1, one per level; id 0 is 0 in all of them.

    As in RealMLP, two levels are one column of 1, -1 and 0 for id 0, and a single level is one column of 1 and -1 for id 0.
    """
    if n_ids == 2:
        return np.where(ids == 1, 1.0, -1.0)[:, None]
    if n_ids == 3:
        return np.array([0.0, 1.0, -1.0])[ids][:, None]
    return (ids[:, None] == np.arange(1, n_ids)).astype(np.float64)


def _width(n_ids: int) -> int:
    return 1 if n_ids <= 3 else n_ids - 1
