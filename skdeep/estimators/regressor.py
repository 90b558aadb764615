"""DeepRegressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from skdeep.contract import Task
from skdeep.core.link import check_link, linked, predicted_point, predicted_std
from skdeep.core.rows import WeightedRows
from skdeep.core.target import (
    TargetScale,
    check_domain,
    decode_values,
    encode_values,
    fit_scale,
    narrowed,
    narrowest_dtype,
)
from skdeep.estimators.availability import available_if
from skdeep.estimators.base import trains_epoch_by_epoch
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.supervised import SupervisedEstimator


class DeepRegressor(RegressorMixin, SupervisedEstimator):
    """A neural network regressor, for one or several outputs.

    y is brought to unit size inside, as the loss asks for; X is not: put a scaler before.
    The parameters are those of `DeepClassifier` without `class_weight`.

    Parameters
    ----------
    network, loss, optimizer, learning_rate, schedule, augmentation, l1, l2, clip_norm, batch_size, max_epochs
        As in `DeepClassifier`; the loss "auto" is "squared_error".
    early_stopping, validation_fraction, n_iter_no_change, tol, scoring, coalesce, input_shape
        As in `DeepClassifier`; `scoring=None` is R^2.
    shuffle, warm_start, random_state, verbose, device, pretrain, freeze_pretrained
        As in `DeepClassifier`.

    Attributes
    ----------
    n_features_in_, feature_names_in_, input_shape_, n_outputs_, n_iter_, best_epoch_, history_
        As in `DeepClassifier`. Losses in `history_` are in units of the scaled target.
    params_, model_state_, network_, loss_, optimizer_, schedule_, augmentation_, resolved_components_, n_parameters_
        As in `DeepClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdeep import DeepRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DeepRegressor(learning_rate=0.01, max_epochs=30, tol=None, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.4)
    True
    """

    _default_loss = "squared_error"

    _scale: TargetScale
    _y_is_1d: bool
    _narrowest_dtype: np.dtype[Any]

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features), or array (n, ...)
        y : array-like (n,) or (n, outputs)
        sample_weight : array-like (n,), default=None
            Non-negative; enters the training loss and the held-out validation loss.
        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Validation rows; without `early_stopping` they are only reported in `history_`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is not what it must be, or y is outside the loss's domain.
        NonFiniteLossError
            If the loss becomes NaN or infinite, unless early stopping has kept parameters.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(trains_epoch_by_epoch)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one epoch on these rows, going on from where the last call stopped.

        The first call fixes the scale of y.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return predictions, in the form that y had.

        They have the type of X, or float64 if float32 would round away what y varies by (1e8 + noise of 1).

        Parameters
        ----------
        X : array-like or sparse matrix, as in `fit`
        return_std : bool, default=False
            Also return the predicted standard deviation, for losses that have one, such as `gaussian_nll`.

        Returns
        -------
        prediction : ndarray (n,) or (n, outputs); for several quantiles (n, levels) or (n, outputs, levels)
        std : ndarray of the same shape, only with `return_std`

        Raises
        ------
        ValueError
            If `return_std` is asked of a loss without a standard deviation.
        """
        raw, dtype = self._raw(X)
        prediction = self._in_units_of_y(linked(self.loss_, raw, self._task, np), dtype)
        if not return_std:
            return prediction
        if not self.loss_.has_std:
            raise ValueError(
                f"The loss {type(self.loss_).__name__} predicts no standard deviation. Use loss='gaussian_nll'."
            )
        std = predicted_std(self.loss_, raw, self._task) * self._scale.scale
        return prediction, self._shaped(narrowed(std, np.result_type(dtype, self._narrowest_dtype)))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of the predictions (of the middle quantile, where there are several).

        Parameters
        ----------
        X, y : as in `fit`
        sample_weight : array-like (n,), default=None
        """
        raw, dtype = self._raw(X)
        point = self._in_units_of_y(predicted_point(self.loss_, raw, self._task, np), dtype)
        return float(r2_score(y, point, sample_weight=sample_weight))

    def _in_units_of_y(self, prediction: np.ndarray, dtype: Any) -> np.ndarray:
        """Return predictions in the form of y, in the type of X or the wider one that y needs."""
        decoded = decode_values(prediction, self._scale)
        return self._shaped(narrowed(decoded, np.result_type(dtype, self._narrowest_dtype)))

    def _bind_components(self) -> None:
        super()._bind_components()
        check_link(self.loss_, self._task)

    def _shaped(self, prediction: np.ndarray) -> np.ndarray:
        return prediction[:, 0] if self._y_is_1d else prediction

    def _start_target(self, y: Any, weight: Any, *, reset: bool) -> tuple[np.ndarray, Task]:
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if y.ndim > 2:
            raise ValueError(f"y must have one or two dimensions. Got {y.ndim}.")
        if reset:
            self._y_is_1d = y.ndim == 1
        y = y.reshape(len(y), -1)
        if not reset and y.shape[1] != self._task.n_targets:
            raise ValueError(
                f"y has {y.shape[1]} outputs, but {type(self).__name__} was fitted on {self._task.n_targets}."
            )
        return y, Task("regression", y.shape[1])

    def _finish_target(self, rows: WeightedRows, *, reset: bool) -> WeightedRows:
        check_domain(self.loss_, rows.target, None if reset else self._scale)
        if reset:
            self._scale = fit_scale(self.loss_, rows.target, rows.weight)
            self._narrowest_dtype = narrowest_dtype(self._scale)
        return rows._replace(target=encode_values(rows.target, self._scale))

    def _restore_target(self, rows: WeightedRows) -> np.ndarray:
        return self._shaped(rows.target)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
