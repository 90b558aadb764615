"""Distinct rows, some of them repeated, so that a split can divide them: those whose x occurs with several targets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from skdeep.core.rows import WEIGHT_TOLERANCE, DistinctRows, WeightedRows, bounded_weights, merge_equal_rows

MOST_REPEATS = 10_000
MOST_COPIES_OF_THE_LIGHTEST = 32
LEAST_SHARE = 0.1


class RepeatedRows(NamedTuple):
    """Rows to draw from, and for each the number of the distinct row that it is a part of."""

    rows: WeightedRows
    distinct: DistinctRows
    part_of: Int[np.ndarray, " n"]

    def members(self, is_chosen: Bool[np.ndarray, " n"], weight: Float[np.ndarray, " given"]) -> Int[np.ndarray, " m"]:
        """Return the positions of the given rows that the chosen rows stand for.

        Of a distinct row that is chosen in part these are its first rows, until they weigh enough.
        """
        n = len(self.distinct.rows.target)
        share = np.bincount(self.part_of[is_chosen], minlength=n) / np.bincount(self.part_of, minlength=n)
        position = self.distinct.position
        used = np.flatnonzero((position >= 0) & (share[position] > 0))
        used = used[np.argsort(position[used], kind="stable")]
        row, weight = position[used], bounded_weights(weight)[used]
        before = np.cumsum(weight) - weight
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        before -= np.repeat(before[starts], np.diff(np.append(starts, len(row))))
        wanted = (share * np.bincount(row, weights=weight, minlength=n))[row]
        is_whole = share[row] == 1
        return np.sort(used[is_whole | (before < wanted * (1 - WEIGHT_TOLERANCE))])


def repeat_rows(distinct: DistinctRows) -> RepeatedRows:
    """Repeat each row whose x occurs with several targets as often as it was given, as far as the weights tell.

    A distinct row stands for all rows with its x and its target. If it were held out as a whole, rows with the same x and
    other targets would train alone, and teach that this target does not occur at this x. If such rows are at least a tenth
    of the weight, equal rows are observations rather than copies, and all rows are repeated: a few heavy rows would make
    few and noisy steps. The repeats have about equal weights: the largest number of which the weights of these rows are
    multiples, else the smallest weight of these. There are at most about 10,000 repeats in all, or as many as there are
    distinct rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.core.repeated import repeat_rows
    >>> from skdeep.core.rows import DistinctRows, WeightedRows
    >>> x, target = np.array([[0.0], [0.0], [1.0]]), np.array([0, 1, 1])
    >>> rows = WeightedRows(x, target, np.array([3.0, 1.0, 50.0]))
    >>> repeat_rows(DistinctRows(rows, np.arange(3))).rows.weight.tolist()
    [1.0, 1.0, 1.0, 1.0, 50.0]
    """
    return _repeated(distinct, _repeats(distinct.rows))


def repeat_all_rows(distinct: DistinctRows, weight: Float[np.ndarray, " given"]) -> RepeatedRows:
    """Repeat each row as often as it was given, for a table of so few distinct rows that none could be held out.

    `weight` are those of the given rows: a row of weight 15 is repeated 15 times, as 15 copies of it are. There are at most
    about 10,000 repeats in all.
    """
    used = distinct.position >= 0
    heavy = np.minimum(weight[used], MOST_REPEATS**2)
    copies = np.bincount(distinct.position[used], weights=heavy, minlength=len(distinct.rows.target))
    return _repeated(distinct, _multiples(copies, 1.0))


def _repeated(distinct: DistinctRows, repeats: Int[np.ndarray, " n"]) -> RepeatedRows:
    rows = distinct.rows
    part_of = np.repeat(np.arange(len(repeats)), repeats)
    if len(part_of) > len(repeats):
        rows = rows._replace(weight=rows.weight / repeats).take(part_of)
    return RepeatedRows(rows, distinct, part_of)


def whole_rows(distinct: DistinctRows) -> RepeatedRows:
    """Return the rows without repeats."""
    return RepeatedRows(distinct.rows, distinct, np.arange(len(distinct.rows.target)))


def _repeats(rows: WeightedRows) -> Int[np.ndarray, " n"]:
    n = len(rows.target)
    repeats = np.ones(n, dtype=np.int64)
    if n == 0 or np.ptp(rows.weight) <= WEIGHT_TOLERANCE * rows.weight.max():
        return repeats
    x_of = merge_equal_rows(WeightedRows(rows.x, np.zeros(n), np.ones(n))).position
    has_other_targets = np.bincount(x_of)[x_of] > 1
    if rows.weight[has_other_targets].sum() >= LEAST_SHARE * rows.weight.sum():
        return _multiples(rows.weight, _unit(rows.weight))
    if has_other_targets.any():
        weight = rows.weight[has_other_targets]
        repeats[has_other_targets] = _multiples(weight, _unit(weight))
    return repeats


def _multiples(weight: Float[np.ndarray, " n"], unit: float) -> Int[np.ndarray, " n"]:
    unit = max(unit, weight.sum() / MOST_REPEATS)
    return np.maximum(1, np.rint(weight / unit)).astype(np.int64)


def _unit(weight: Float[np.ndarray, " n"]) -> float:
    """Return the largest weight of which all weights are multiples, as copies of rows have it; failing that, the smallest weight."""
    smallest = float(weight.min())
    for k in range(1, MOST_COPIES_OF_THE_LIGHTEST + 1):
        multiples = weight / smallest * k
        if (np.abs(multiples - np.rint(multiples)) < WEIGHT_TOLERANCE * multiples).all():
            return smallest / k
    return smallest
