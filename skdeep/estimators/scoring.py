"""Validation that needs the host: scorers of scikit-learn, and losses over sparse rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring

from skdeep.contract import FitConfig, Rows
from skdeep.core.encode import ROWS_PER_BLOCK, dense_block
from skdeep.core.rows import WeightedRows
from skdeep.core.step import evaluate

Judge = Callable[[Any, Any], float]


def host_scorer(estimator: Any, rows: WeightedRows) -> Judge:
    """Return a function of parameters to the estimator's score on these rows (greater is better)."""
    scorer = check_scoring(estimator, scoring=estimator.scoring)
    y = estimator._restore_target(rows.target)
    is_weighted = not (rows.weight == rows.weight[0]).all()
    weights = {"sample_weight": rows.weight} if is_weighted else {}

    def score(params: Any, model_state: Any) -> float:
        return float(scorer(estimator._view(params, model_state), rows.x, y, **weights))

    return score


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
