"""Which rows train, which are held out for early stopping, and which of them a scorer gets."""

from __future__ import annotations

from typing import NamedTuple

from skdeep.core.rows import (
    DistinctRows,
    WeightedRows,
    bounded_weights,
    drop_zero_weights,
    merge_equal_rows,
    unit_mean,
)
from skdeep.estimators.scoring import ScoredRows


class Split(NamedTuple):
    """Rows to train on, rows to validate on by the loss, and the latter as the user gave them for `scoring`."""

    train: WeightedRows
    held_out: WeightedRows | None = None
    scored: ScoredRows | None = None


def distinct(given: WeightedRows, merges: bool, keep_order: bool) -> DistinctRows:
    """Return the rows of positive weight, equal ones merged if wanted, with weights that can be added."""
    if merges:
        return merge_equal_rows(given, keep_order)
    rows, position = drop_zero_weights(given)
    return DistinctRows(rows._replace(weight=bounded_weights(rows.weight)), position)


def weighed(owner: str, rows: WeightedRows, name: str) -> WeightedRows:
    """Return rows with weights of mean 1.

    Raises
    ------
    ValueError
        If class weights have left no row a positive weight; `name` says which rows these are.
    """
    if not (rows.weight > 0).any():
        raise ValueError(
            f"class_weight leaves none of the rows that {owner} {name} a positive weight. Give a positive one to a class "
            "that is among them."
        )
    return rows._replace(weight=unit_mean(rows.weight))
