"""What the estimators of arrays share: how X and y become rows, a scorer, and the shape of a row."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skdeep.contract import Task
from skdeep.core.encode import encode_rows, row_shape
from skdeep.core.rows import WeightedRows
from skdeep.estimators.base import DeepEstimator, check_some_weight


class ArrayEstimator(DeepEstimator):
    """Base of the estimators whose X is an array with one row a sample."""

    def __init__(self, *, scoring: Any, input_shape: tuple[int, ...] | None, **shared: Any) -> None:
        super().__init__(**shared)
        self.scoring = scoring
        self.input_shape = input_shape

    @abstractmethod
    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        """Return X and y as scikit-learn checks them."""

    @abstractmethod
    def _start_target(self, y: Any, weight: Any, *, reset: bool) -> tuple[np.ndarray, Task]:
        """Return y as codes, 0/1 labels or float64 outputs, and the task; with `reset`, learn the classes."""

    @abstractmethod
    def _restore_target(self, rows: WeightedRows) -> np.ndarray:
        """Return y as the user knows it, of rows as `_encode` returned them."""

    def _encode(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> WeightedRows:
        X, y = self._validated(X, y, reset=reset)
        if not reset:
            self._check_row_shape(X)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        check_some_weight(weight)
        target, task = self._start_target(y, weight, reset=reset)
        if not reset:
            self._check_unchanged(task)
        else:
            self._task, self._columns = task, X.shape[1:]
            self.input_shape_ = self._row_shape(X.shape[1:])
        return WeightedRows(encode_rows(X), target, weight)

    def _check_unchanged(self, task: Task) -> None:
        """Raise ValueError if targets or `input_shape` are not as in the fit that these rows belong to."""
        name = type(self).__name__
        if task != self._task:
            raise ValueError(
                f"y has {task.kind} targets ({task.n_targets}), but {name} is fitted on {self._task.kind} ones "
                f"({self._task.n_targets}). Give y in the same form, or fit a clone."
            )
        shape = self._row_shape(self._columns)
        if shape != self.input_shape_:
            raise ValueError(
                f"{name} goes on with a network for rows of shape {self.input_shape_}, but input_shape={self.input_shape} makes "
                f"them {shape}. Set it back, or fit a clone."
            )

    def _row_shape(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a row for the network."""
        return row_shape(columns, None if self.input_shape is None else tuple(int(s) for s in self.input_shape))
