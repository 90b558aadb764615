"""Which rows train, which are held out for early stopping, and which of them a scorer gets."""

from __future__ import annotations

from typing import NamedTuple

from skdeep.core.rows import (
    DistinctRows,
    WeightedRows,
    bounded_weights,
    drop_zero_weights,
    merge_equal_rows,
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
