"""DeepRegressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from skdeep.core.encoding import Values
from skdeep.core.link import predicted_std
from skdeep.core.rows import WeightedRows
from skdeep.core.target import check_domain, fit_scale, narrowed
from skdeep.estimators.availability import available_if
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.deep import trains_epoch_by_epoch
from skdeep.estimators.given_targets import check_n_outputs
from skdeep.estimators.parameter_types import (
    AugmentationLike,
    BatchSize,
    Coalesce,
    Device,
    LossLike,
    NetworkLike,
    OptimizerLike,
    Pretrained,
    RandomState,
    ScheduleLike,
    ScoringLike,
)
from skdeep.estimators.supervised import SupervisedEstimator
from skdeep.estimators.training import FitData, train


class DeepRegressor(RegressorMixin, SupervisedEstimator):
    """A neural network regressor, for one or several outputs.

    y is scaled inside, as the loss declares it (`scaling`). X is not: put a scaler before the regressor in a pipeline.
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
        As in `DeepClassifier`. Losses in `history_` are those of the scaled y.
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

    def __init__(
        self,
        *,
        network: NetworkLike = "mlp",
        loss: LossLike = "auto",
        optimizer: OptimizerLike = "adam",
        learning_rate: float = 1e-3,
        schedule: ScheduleLike = "constant",
        augmentation: AugmentationLike = None,
        l1: float | None = None,
        l2: float | None = None,
        clip_norm: float | None = None,
        batch_size: BatchSize = "auto",
        max_epochs: int = 200,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        scoring: ScoringLike = "loss",
        coalesce: Coalesce = "auto",
        input_shape: tuple[int, ...] | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        device: Device = "auto",
        pretrain: Pretrained = None,
        freeze_pretrained: bool = False,
    ) -> None:
        self._store(locals())

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
            Non-negative; weights the training loss and the loss of held-out rows.
        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Validation rows; without `early_stopping` they are only reported in `history_`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is invalid, or y is outside the domain of the loss.
        NonFiniteLossError
            If the loss becomes NaN or infinite and early stopping has kept no parameters.
        """
        return train(self, FitData(X, y, sample_weight, X_val, y_val, sample_weight_val))

    @available_if(trains_epoch_by_epoch)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one epoch on these rows, continuing from the last call.

        The scale of y is learned in the first call, and kept.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            With `early_stopping=True`.
        ValueError
            If the data or a parameter is invalid, or a change since the earlier fit does not allow training to continue.
        NonFiniteLossError
            If the loss becomes NaN or infinite.
        """
        return train(self, FitData(X, y, sample_weight), is_partial=True)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return predictions, in the shape and units of y.

        They have the dtype of X, or float64 if float32 is too narrow: if a prediction would overflow, or if the variation
        of y would be rounded away, as for 1e8 plus noise of size 1.

        Parameters
        ----------
        X : array-like or sparse matrix, as in `fit`
        return_std : bool, default=False
            Also return the predicted standard deviation in units of y, if the loss has one, such as "gaussian_nll".

        Returns
        -------
        prediction : ndarray (n,) or (n, outputs); for several quantiles (n, levels) or (n, outputs, levels)
        std : ndarray of the same shape, only with `return_std`

        Raises
        ------
        ValueError
            If `return_std` is True and the loss predicts no standard deviation.
        """
        raw, dtype = self._raw(X)
        prediction = self._encoding.decode(self.loss_, raw, dtype)
        if not return_std:
            return prediction
        if not self.loss_.has_std:
            raise ValueError(
                f"The loss {type(self.loss_).__name__} predicts no standard deviation. Use loss='gaussian_nll'."
            )
        target = self._encoding.target
        std = predicted_std(self.loss_, raw, self._task) * target.scale.scale
        return prediction, target.restore(narrowed(std, np.result_type(dtype, target.narrowest_dtype)))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of the predictions, or of their middle quantile if the loss predicts several quantiles.

        Parameters
        ----------
        X, y : as in `fit`
        sample_weight : array-like (n,), default=None

        Returns
        -------
        float
        """
        raw, dtype = self._raw(X)
        point = self._encoding.target.decode_point(self.loss_, raw, dtype)
        return float(r2_score(y, point, sample_weight=sample_weight))

    def _read_target(self, y: Any, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if y.ndim > 2:
            raise ValueError(f"y must have one or two dimensions. Got {y.ndim}.")
        values = y.reshape(len(y), -1)
        if known is None:
            return Values(values.shape[1], is_1d=y.ndim == 1), values
        check_n_outputs(type(self).__name__, values.shape[1], known.n_outputs)
        return known, values

    def _with_scale(self, encoding: Any, train: WeightedRows, loss: Any) -> Any:
        check_domain(loss, train.target)
        return encoding.with_scale(fit_scale(loss, train.target, train.weight))

    def _finished(self, rows: WeightedRows, encoding: Any, loss: Any) -> WeightedRows:
        check_domain(loss, rows.target, encoding.target.scale)
        return rows._replace(target=encoding.encode_target(rows.target))

    def _restore_target(self, rows: WeightedRows) -> np.ndarray:
        target: np.ndarray = self._encoding.target.restore(rows.target)
        return target

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
