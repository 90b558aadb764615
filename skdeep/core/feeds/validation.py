"""The loss of validation rows, computed by the training program, or between two epochs from rows on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from skdeep.config import FitConfig
from skdeep.core.encode import ROWS_PER_BLOCK, dense_block, is_sparse
from skdeep.core.feeds.padding import pad_rows
from skdeep.core.inputs import InShape, float_dtype
from skdeep.core.placement import current_placement
from skdeep.core.processes import gathered
from skdeep.core.rows import WeightedRows
from skdeep.records import ModelState, Params, Rows


class OwnRows(WeightedRows):
    """The validation rows of one of several processes, of which each has its own. Their weights have mean 1 over all processes."""


def validates_in_program(rows: WeightedRows) -> bool:
    """Return True if the training program computes the loss of these rows at the end of each epoch.

    Sparse rows, and those of several processes, are evaluated by the host.
    """
    return not (is_sparse(rows.x) or isinstance(rows, OwnRows))


class Validation:
    """The validation rows, in the form in which their loss is computed.

    `in_program` holds them for the training program. If it is None, `loss` must be called between two epochs.
    """

    def __init__(self, rows: WeightedRows, in_shape: InShape) -> None:
        self._rows, self._in_shape = rows, in_shape
        self.in_program: Rows | None = pad_rows(rows, in_shape) if validates_in_program(rows) else None

    def loss(self, config: FitConfig, params: Params, model_state: ModelState) -> float:
        """Return the weighted mean loss of the rows, which are made dense block by block.

        If they are `OwnRows`, it is the mean of all processes, which must all call it.
        """
        if not isinstance(self._rows, OwnRows):
            return self._loss_sum(config, params, model_state) / self._rows.n
        with current_placement().on_first().active():
            own = self._loss_sum(config, params, model_state), self._rows.n
        total, n = np.array(gathered(own, "validation loss")).sum(axis=0)
        return float(total / n)

    def _loss_sum(self, config: FitConfig, params: Params, model_state: ModelState) -> float:
        from skdeep.core.step import weighted_loss

        loss = config.loss if config.validation_loss is None else config.validation_loss
        rows, n = self._rows, len(self._rows.target)
        size, total = min(ROWS_PER_BLOCK, n), 0.0
        for start in range(0, n, size):
            index = np.arange(start, start + size) % n
            weight = np.where(np.arange(start, start + size) < n, rows.weight[index], 0.0)
            x = dense_block(rows.x, index, self._in_shape)
            parts: list[Any] = [x, rows.target[index], weight.astype(float_dtype(rows.x)), np.int32(size)]
            total += float(weighted_loss(config.model, loss, params, model_state, Rows(*parts)))
        return total
