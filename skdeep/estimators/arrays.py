"""Read arrays X and y into an encoding and rows, for Deep estimators and perceptrons (not for texts)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skdeep.contract import Network
from skdeep.core.encode import check_rows, row_shape
from skdeep.core.encoding import Encoding
from skdeep.core.inputs import InShape, columns_of, float_dtype, hashable_specs
from skdeep.core.rows import WeightedRows
from skdeep.estimators.base import TrainedEstimator, check_some_weight
from skdeep.estimators.named_inputs import specs_of_inputs
from skdeep.estimators.prepare import Earlier
from skdeep.inputs import Inputs
from skdeep.records import InputSpec, Task


class ArrayReader(TrainedEstimator):
    """Base of the estimators whose X is an array with one row per sample."""

    @abstractmethod
    def _validated(self, X: Any, y: Any, known: Encoding | None) -> tuple[Any, Any]:
        """Return X and y, checked and converted by scikit-learn.

        `known` is the encoding of an earlier fit, which X must match. If it is None, the feature names and their number are stored.
        """

    @abstractmethod
    def _read_target(self, y: Any, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        """Return the target encoding that is learned from y, and y as class codes, 0/1 labels or float64 outputs.

        Parameters
        ----------
        y : array
            As returned by `_validated`.
        weight : array (n,)
        known : Classes, Labels, Values, RowItself or None
            The target encoding of the earlier fit, which y must match; None to learn a new one.
        classes : array or None
            The `classes` argument of `partial_fit`.

        Raises
        ------
        ValueError
            If y is invalid, or does not match `known`.
        """

    def _training_dtype(self, X: Any, earlier: Earlier | None) -> np.dtype[Any]:
        """Return the dtype of parameters, rows and targets during training."""
        return np.dtype(np.float32)

    def _known_target(self, earlier: Earlier | None) -> Any:
        """Return the target encoding of the earlier fit if y must match it, else None."""
        return earlier.encoding.target if earlier is not None and earlier.is_partial and earlier.encoding else None

    def _keeps_columns(self, earlier: Earlier | None) -> bool:
        """Return True if X must have the same columns as in the earlier fit."""
        return earlier is not None and earlier.is_partial

    def _read(self, data: Any, earlier: Earlier | None) -> tuple[Encoding, WeightedRows]:
        """Return the encoding, and the rows with X as it was validated: the network decides how X is encoded."""
        before = earlier.encoding if earlier is not None and self._keeps_columns(earlier) else None
        X, y = self._validated(data.X, data.y, before)
        # y stands for X, whose number of rows is the same: with array API dispatch, scikit-learn takes neither tables nor Inputs here.
        weight = _check_sample_weight(data.sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        check_some_weight(weight)
        others = self._specs_of_others(X)
        table, X = self._tabulated(X, weight, before)
        if before is not None:
            self._check_columns(X, before.columns)
        known = self._known_target(earlier)
        target, values = self._read_target(y, weight, known, data.classes)
        if known is not None:
            _check_same_task(type(self).__name__, known.task, target.task)
        encoding = Encoding(
            target=target,
            columns=columns_of(X),
            in_shape=self._in_shape(X) if table is None else hashable_specs({**others, **table.specs}),
            dtype=self._training_dtype(X, earlier).name,
            x_dtype=float_dtype(X).name,
            names=_names_of(self),
            table=table,
            others=others,
            fill=self._fill(X) if before is None else before.fill,
        )
        if before is not None and table is None:
            self._check_same_rows(before, encoding)
        return encoding, WeightedRows(X, values, weight)

    def _encoded_for(self, network: Network, encoding: Encoding, given: WeightedRows) -> tuple[Encoding, WeightedRows]:
        encoding = encoding.for_network(network)
        if encoding.table is not None:  # its rows are encoded after the split, with the scale of the training rows
            return encoding, given
        check_rows(network, given.x, encoding.in_shape)
        return encoding, given._replace(x=encoding.encode(given.x))

    def _tabulated(self, X: Any, weight: np.ndarray, before: Encoding | None) -> tuple[Any, Any]:
        """Return the table that is learned from validated X, or that of the earlier fit, and X as it encodes it."""
        return None, X

    def _specs_of_others(self, X: Any) -> dict[str, InputSpec]:
        """Return the specs of those inputs of validated X that are no tables; X of one array or table has none."""
        return {}

    def _fill(self, X: Any) -> np.ndarray | None:
        """Return a number per column if missing values of later rows are filled in, else None; `X` has no missing values."""
        return None

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
        """Raise ValueError if `input_shape` gives rows another shape than in the earlier fit."""
        if now.row_shape != before.row_shape:
            raise ValueError(
                f"{type(self).__name__} continues training a network for rows of shape {before.row_shape}, but "
                f"input_shape={self.input_shape} gives rows of shape {now.row_shape}. Set it back, or fit a clone."
            )

    def _row_shape(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one row as the network sees it: `input_shape` if it is given, else `columns`."""
        given = getattr(self, "input_shape", None)
        return row_shape(columns, None if given is None else tuple(int(s) for s in given))


def _check_same_task(owner: str, before: Task, now: Task) -> None:
    """Raise ValueError if the kind or number of targets differs from the earlier fit."""
    if now != before:
        raise ValueError(
            f"y has {now.kind} targets ({now.n_targets}), but {owner} was fitted on {before.kind} targets "
            f"({before.n_targets}). Give y in the same form, or fit a clone."
        )


def _names_of(estimator: Any) -> tuple[str, ...] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))
