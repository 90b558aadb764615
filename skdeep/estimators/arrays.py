"""How arrays X and y become an encoding and rows, for the estimators of arrays of both families."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skdeep.contract import Network
from skdeep.core.encode import check_rows, row_shape
from skdeep.core.encoding import Encoding
from skdeep.core.inputs import InShape, columns_of, float_dtype
from skdeep.core.rows import WeightedRows
from skdeep.estimators.base import TrainedEstimator, check_some_weight
from skdeep.estimators.named_inputs import specs_of_inputs
from skdeep.estimators.prepare import Earlier
from skdeep.inputs import Inputs
from skdeep.records import Task


class ArrayReader(TrainedEstimator):
    """The part of an estimator that reads arrays with one row per sample."""

    @abstractmethod
    def _validated(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Any]:
        """Return X and y as scikit-learn checks them."""

    @abstractmethod
    def _read_target(self, y: Any, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        """Return what is learned of y and y as codes, 0/1 labels or float64 outputs.

        Parameters
        ----------
        y : array as `_validated` returned it
        weight : array (n,)
        known : Classes, Labels, Values, RowItself or None
            That of the fit that training goes on from, which y must be like.
        classes : array or None
            The classes that the user announced.
        """

    def _training_dtype(self, X: Any, earlier: Earlier | None) -> np.dtype[Any]:
        """Return the type to train in."""
        return np.dtype(np.float32)

    def _known_target(self, earlier: Earlier | None) -> Any:
        """Return the target that y must be like, if there is one."""
        return earlier.encoding.target if earlier is not None and earlier.is_partial and earlier.encoding else None

    def _keeps_columns(self, earlier: Earlier | None) -> bool:
        """Tell whether X must have the columns of the earlier fit."""
        return earlier is not None and earlier.is_partial

    def _read(self, data: Any, earlier: Earlier | None) -> tuple[Encoding, WeightedRows]:
        """Return the encoding, and the rows with X as it was validated: the network decides how X is encoded."""
        keeps_columns = self._keeps_columns(earlier)
        X, y = self._validated(data.X, data.y, reset=not keeps_columns)
        before = earlier.encoding if earlier is not None and keeps_columns else None
        if before is not None:
            self._check_columns(X, before.columns)
        weight = _check_sample_weight(data.sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        check_some_weight(weight)
        known = self._known_target(earlier)
        target, values = self._read_target(y, weight, known, data.classes)
        if known is not None:
            _check_same_task(type(self).__name__, known.task, target.task)
        encoding = Encoding(
            target=target,
            columns=columns_of(X),
            in_shape=self._in_shape(X),
            dtype=self._training_dtype(X, earlier).name,
            x_dtype=float_dtype(X).name,
            names=_names_of(self),
        )
        if before is not None:
            self._check_same_rows(before, encoding)
        return encoding, WeightedRows(X, values, weight)

    def _encoded_for(self, network: Network, encoding: Encoding, given: WeightedRows) -> tuple[Encoding, WeightedRows]:
        encoding = encoding.for_network(network)
        check_rows(network, given.x, encoding.in_shape)
        return encoding, given._replace(x=encoding.encode(given.x))

    def _in_shape(self, X: Any) -> InShape:
        """Return what the network's inputs are, as far as X tells."""
        if isinstance(X, Inputs):
            if self.input_shape is not None:
                raise ValueError(
                    f"input_shape={self.input_shape} is for X of one array, but {type(self).__name__} got Inputs. Give each array "
                    "in the shape that the network takes, and leave input_shape at None."
                )
            return specs_of_inputs(X)
        return self._row_shape(X.shape[1:])

    def _check_same_rows(self, before: Encoding, now: Encoding) -> None:
        """Raise ValueError if `input_shape` is not as in the fit that training goes on from."""
        if now.row_shape != before.row_shape:
            raise ValueError(
                f"{type(self).__name__} goes on with a network for rows of shape {before.row_shape}, but "
                f"input_shape={self.input_shape} makes them {now.row_shape}. Set it back, or fit a clone."
            )

    def _row_shape(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a row for the network."""
        given = getattr(self, "input_shape", None)
        return row_shape(columns, None if given is None else tuple(int(s) for s in given))


def _check_same_task(owner: str, before: Task, now: Task) -> None:
    """Raise ValueError if targets are not as in the fit that training goes on from."""
    if now != before:
        raise ValueError(
            f"y has {now.kind} targets ({now.n_targets}), but {owner} is fitted on {before.kind} ones "
            f"({before.n_targets}). Give y in the same form, or fit a clone."
        )


def _names_of(estimator: Any) -> tuple[str, ...] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))
