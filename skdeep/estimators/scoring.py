"""Validation that needs the host: scorers of scikit-learn, and losses over sparse rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring

from skdeep.contract import FitConfig, Rows
from skdeep.core.encode import ROWS_PER_BLOCK, dense_block
from skdeep.core.rows import WeightedRows
from skdeep.core.step import evaluate

Judge = Callable[[Any, Any], float]


class ScoredRows(NamedTuple):
    """Rows for a scorer, neither merged nor weighted by class; `is_weighted` if the user gave their weights."""

    rows: WeightedRows
    is_weighted: bool


def host_scorer(estimator: Any, scored: ScoredRows, must_be_number: bool) -> Judge:
    """Return a function of parameters to the estimator's score on these rows (greater is better).

    The scorer is called as `scorer(estimator, X, y)`, with `sample_weight` only if the user gave weights.

    Raises
    ------
    ValueError
        If the score is NaN, and `must_be_number` since early stopping compares it.
    """
    scorer = check_scoring(estimator, scoring=estimator.scoring)
    rows = scored.rows
    y = estimator._restore_target(rows)
    weights = {"sample_weight": rows.weight} if scored.is_weighted else {}

    def score(params: Any, model_state: Any) -> float:
        value = float(scorer(estimator._view(params, model_state), rows.x, y, **weights))
        if must_be_number and math.isnan(value):
            raise ValueError(_not_a_number(estimator, y))
        return value

    return score


def _not_a_number(estimator: Any, y: np.ndarray) -> str:
    rows = f"the {len(y)} row{'s' if len(y) > 1 else ''} held out for early stopping"
    if is_classifier(estimator) and y.ndim == 1:
        rows += f", with the classes {np.unique(y).tolist()} of {estimator.classes_.tolist()},"
    return (
        f"scoring={estimator.scoring!r} of {type(estimator).__name__} gave nan for {rows} so that training cannot tell the best "
        "epoch. Hold out more rows by validation_fraction, give validation rows as X_val, or choose another scoring, such as 'loss'."
    )


def host_loss(config: FitConfig, rows: WeightedRows) -> Judge:
    """Return a function of parameters to the weighted mean loss on these rows, made dense a block at a time."""
    n = len(rows.target)
    size = min(ROWS_PER_BLOCK, n)

    def loss(params: Any, model_state: Any) -> float:
        total = 0.0
        for start in range(0, n, size):
            index = np.arange(start, start + size) % n
            weight = np.where(np.arange(start, start + size) < n, rows.weight[index], 0.0)
            x = dense_block(rows.x, index, config.model.in_shape)
            parts: list[Any] = [x, rows.target[index], weight.astype(rows.x.dtype), np.int32(size)]
            total += float(evaluate(config, params, model_state, Rows(*parts)))
        return total / n

    return loss
