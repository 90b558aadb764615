"""Hold out validation rows as the model will be used: at random, by groups, by a splitter, or at given positions."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length

from skdeep.core.random import host_generator
from skdeep.core.repeated import RepeatedRows, repeat_all_rows, repeat_rows, whole_rows
from skdeep.core.rows import (
    DistinctRows,
    WeightedRows,
    are_divisible,
    bounded_weights,
    choose_held_out,
    drop_zero_weights,
    merge_equal_rows,
)

_SPLIT_STREAM = 2**32 - 1


def distinct(given: WeightedRows, merges: bool, keep_order: bool) -> RepeatedRows:
    """Return the rows of positive weight, with weights whose sum is finite.

    If `merges`, equal rows are merged; rows whose x occurs with several targets are then repeated, unless `keep_order`.
    """
    if merges:
        merged = merge_equal_rows(given, keep_order)
        return whole_rows(merged) if keep_order else repeat_rows(merged)
    rows, position = drop_zero_weights(given)
    return whole_rows(DistinctRows(rows._replace(weight=bounded_weights(rows.weight)), position))


def held_out(
    estimator: Any, given: WeightedRows, found: RepeatedRows, data: Any, draft: Any
) -> tuple[WeightedRows, WeightedRows, np.ndarray]:
    """Return training rows, validation rows, and the positions of the held-out rows among the given ones.

    A share or number of rows is drawn among distinct rows, so that no row is on both sides, unless its x has several targets
    (`repeat_rows`) or there are too few distinct rows for two sides (`repeat_all_rows`). Whole groups are held out if there are
    `groups`. A splitter, positions or a mask divide the rows as the user gave them; equal rows are then merged on each side.

    Parameters
    ----------
    estimator : DeepEstimator
    given : WeightedRows
        All rows.
    found : RepeatedRows
        The distinct rows among them.
    data : FitData
    draft : Draft

    Raises
    ------
    ValueError
        If a side has no rows, both have the same rows, or groups or positions do not match X.
    """
    fraction = estimator.validation_fraction
    groups = checked_groups(data)
    is_number = isinstance(fraction, Real) and not isinstance(fraction, bool)
    n = len(given.target)
    if is_number:
        if groups is None:
            return _random(estimator, given, found, draft)
        rng = host_generator(draft.key, _SPLIT_STREAM) if estimator.shuffle else None
        train, chosen = _groups_held_out(groups, found.distinct.position, fraction, rng)
    elif hasattr(fraction, "split") and not isinstance(fraction, str):
        train, chosen = _largest_split(estimator, fraction, data, groups)
    else:
        train, chosen = _given_positions(estimator, fraction, n)
        _check_groups_apart(estimator, groups, train, chosen)
    _check_sides(estimator, train, chosen, n)
    sides = [distinct(given.take(side), estimator._merges_rows, not estimator.shuffle).rows for side in (train, chosen)]
    for rows, name in zip(sides, ("train on", "validate on"), strict=True):
        if not len(rows.target):
            raise ValueError(
                f"validation_fraction of {type(estimator).__name__} leaves no rows of positive weight to {name}."
            )
    return sides[0], sides[1], chosen[given.weight[chosen] > 0]


def checked_groups(data: Any) -> np.ndarray | None:
    """Return the groups of the rows, None if there are none.

    Raises
    ------
    ValueError
        If there is not one group per row, or groups are missing.
    """
    groups = getattr(data, "groups", None)
    if groups is None:
        return None
    check_consistent_length(data.X, groups)
    groups = np.asarray(groups)
    if groups.ndim != 1:
        raise ValueError(f"groups must have one dimension, one label per row. Got shape {groups.shape}.")
    if pd.isna(groups).any():
        raise ValueError("groups has missing values. Give each row a group.")
    return groups


def _random(estimator: Any, given: WeightedRows, found: RepeatedRows, draft: Any) -> Any:
    fraction = estimator.validation_fraction
    fraction = int(fraction) if isinstance(fraction, Integral) else float(fraction)
    rng = host_generator(draft.key, _SPLIT_STREAM) if estimator.shuffle else None
    is_by_class = draft.encoding.task.kind in ("binary", "multiclass") and given.target.ndim == 1
    if rng is not None and estimator._merges_rows and not are_divisible(found.rows.target, fraction, is_by_class):
        found = repeat_all_rows(found.distinct, given.weight)
    is_held_out = choose_held_out(found.rows.target, fraction, is_by_class, rng)
    train, validation = (found.rows.take(np.flatnonzero(marks)) for marks in (~is_held_out, is_held_out))
    return train, validation, found.members(is_held_out, given.weight)


def _groups_held_out(
    groups: np.ndarray, position: np.ndarray, fraction: float | int, rng: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out groups in random order, or without `rng` the last ones, until they have about the wanted number of distinct rows.

    `position` is that of each row among the distinct rows, -1 for rows of weight 0, which have no effect.
    """
    used = np.flatnonzero(position >= 0)
    labels, first, codes = np.unique(groups[used], return_index=True, return_inverse=True)
    group_of_distinct = np.unique(np.stack([codes, position[used]]), axis=1)[0]
    wanted = fraction if isinstance(fraction, Integral) else fraction * len(group_of_distinct)
    order = np.argsort(-first) if rng is None else rng.permutation(len(labels))
    sizes = np.cumsum(np.bincount(group_of_distinct)[order])
    n_chosen = int(np.argmin(np.abs(sizes - wanted))) + 1
    is_chosen = np.isin(codes, order[: min(n_chosen, max(1, len(labels) - 1))])
    return used[~is_chosen], used[is_chosen]


def _check_groups_apart(estimator: Any, groups: np.ndarray | None, train: np.ndarray, chosen: np.ndarray) -> None:
    """Raise ValueError if positions put rows of one group on both sides."""
    if groups is None or not len(both := np.intersect1d(groups[train], groups[chosen])):
        return
    raise ValueError(
        f"The positions in validation_fraction of {type(estimator).__name__} put rows of {len(both)} groups on both sides, the first "
        f"{both[0]!r}. Give positions of whole groups, or a splitter such as GroupKFold."
    )


def _largest_split(
    estimator: Any, splitter: Any, data: Any, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the split of a splitter with the most training rows; of several, the last, which for TimeSeriesSplit is the latest."""
    splits = [(np.asarray(train), np.asarray(test)) for train, test in splitter.split(data.X, data.y, groups)]
    if not splits:
        raise ValueError(
            f"The splitter {splitter} in validation_fraction of {type(estimator).__name__} yields no split."
        )
    return max(reversed(splits), key=lambda split: len(split[0]))


def _given_positions(estimator: Any, value: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    owner = type(estimator).__name__
    if isinstance(value, tuple | list) and len(value) == 2 and all(np.ndim(side) == 1 for side in value):
        train, chosen = (_positions(owner, side, n) for side in value)
        return train, chosen
    values = np.asarray(value)
    if values.dtype == bool:
        if values.shape != (n,):
            raise ValueError(
                f"The mask in validation_fraction of {owner} must have one value per row, shape ({n},). Got shape {values.shape}."
            )
        return np.flatnonzero(~values), np.flatnonzero(values)
    chosen = _positions(owner, values, n)
    return np.setdiff1d(np.arange(n), chosen), chosen


def _positions(owner: str, values: Any, n: int) -> np.ndarray:
    positions = np.asarray(values)
    if positions.shape == (0,):
        return positions.astype(np.intp)
    if positions.ndim != 1 or positions.dtype.kind not in "iu":
        raise ValueError(
            f"validation_fraction of {owner} must be a number, a splitter, positions of the held-out rows, a mask, or a pair of positions of "
            f"training and validation rows. Got {values!r}."
        )
    if len(positions) and not (positions.min() >= 0 and positions.max() < n):
        raise ValueError(
            f"The positions in validation_fraction of {owner} must be from 0 to {n - 1}. Got {positions.min()} to {positions.max()}."
        )
    if len(np.unique(positions)) < len(positions):
        raise ValueError(f"The positions in validation_fraction of {owner} have repeated values. Give each row once.")
    return positions


def _check_sides(estimator: Any, train: np.ndarray, chosen: np.ndarray, n: int) -> None:
    owner = type(estimator).__name__
    if not len(train) or not len(chosen):
        raise ValueError(
            f"validation_fraction of {owner} leaves {len(train)} of {n} rows to train on and {len(chosen)} to validate on. Give a split with "
            "rows on both sides, or set early_stopping=False."
        )
    if max(train.max(), chosen.max()) >= n:
        raise ValueError(
            f"The split in validation_fraction of {owner} has the position {max(train.max(), chosen.max())}, but there are {n} rows."
        )
    if len(both := np.intersect1d(train, chosen)):
        raise ValueError(
            f"The split in validation_fraction of {owner} has {len(both)} rows on both sides, the first at position {both[0]}. Validation "
            "rows must not be trained on."
        )
