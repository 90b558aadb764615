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
    def _restore_target(self, target: np.ndarray) -> np.ndarray:
        """Return y as the user knows it from the array that `_finish_target` gave."""

    def _encode(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> WeightedRows:
        X, y = self._validated(X, y, reset=reset)
        if not reset:
            self._check_row_shape(X)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        check_some_weight(weight)
        target, task = self._start_target(y, weight, reset=reset)
        if reset:
            self._task, self._columns = task, X.shape[1:]
            self.input_shape_ = self._row_shape(X.shape[1:])
        return WeightedRows(encode_rows(X), target, weight)

    def _row_shape(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a row for the network."""
        return row_shape(columns, None if self.input_shape is None else tuple(int(s) for s in self.input_shape))
