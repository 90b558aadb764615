"""DeepRegressor."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import _check_sample_weight, check_array, check_consistent_length, check_is_fitted

from skdeep.core.encoding import Encoding, Values
from skdeep.core.link import has_score, n_predicted
from skdeep.core.rows import WeightedRows
from skdeep.core.target import check_domain, fit_scale
from skdeep.estimators.availability import available_if
from skdeep.estimators.by_blocks import by_blocks, for_score
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.deep import trains_epoch_by_epoch
from skdeep.estimators.given_targets import check_n_outputs, columns_of
from skdeep.estimators.members import over_members
from skdeep.estimators.parameter_types import (
    AugmentationLike,
    BatchSize,
    CategoricalFeatures,
    CheckpointLike,
    Coalesce,
    CVLike,
    Device,
    InputsLike,
    LossLike,
    MetricsLike,
    NetworkLike,
    NumericScaling,
    OptimizerLike,
    Penalty,
    Pretrained,
    RandomState,
    ScheduleLike,
    ScoringLike,
    ValidationLike,
)
from skdeep.estimators.prepare import Draft, Split
from skdeep.estimators.streaming import check_in_memory
from skdeep.estimators.supervised import SupervisedEstimator
from skdeep.estimators.target_summary import ValueSummary
from skdeep.estimators.training import FitData, train


class DeepRegressor(RegressorMixin, SupervisedEstimator):
    """A neural network regressor, for one or several outputs.

    y is scaled inside, as the loss declares it (`scaling`). X is not: put a scaler before the regressor in a pipeline. The fields
    of a structured array y, such as times and events, become its columns.
    The parameters are those of `DeepClassifier` without `class_weight`.

    Parameters
    ----------
    network, loss, optimizer, learning_rate, schedule, augmentation, l1, l2, clip_norm, batch_size, max_epochs
        As in `DeepClassifier`; the loss "auto" is "squared_error".
    early_stopping, validation_fraction, n_iter_no_change, tol, scoring, metrics, coalesce, input_shape
        As in `DeepClassifier`; `scoring=None` is `score`: R^2, or the score that the loss defines.
    shuffle, warm_start, random_state, verbose, device, checkpoint, pretrain, freeze_pretrained
        As in `DeepClassifier`.
    clip_predictions : bool, default=False
        Limit predictions to the range of y in `fit`. `partial_fit` sets no limits.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SupervisedEstimator._parameter_constraints,
        "clip_predictions": ["boolean"],
    }
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
        l2: Penalty = "auto",
        clip_norm: float | None = None,
        batch_size: BatchSize = "auto",
        max_epochs: int = 200,
        early_stopping: bool = False,
        validation_fraction: ValidationLike = 0.1,
        n_iter_no_change: int = 10,
        tol: float | None = 1e-4,
        scoring: ScoringLike = "loss",
        metrics: MetricsLike = None,
        coalesce: Coalesce = "auto",
        input_shape: tuple[int, ...] | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        device: Device = "auto",
        checkpoint: CheckpointLike = None,
        categorical_features: CategoricalFeatures = "from_dtype",
        numeric_scaling: NumericScaling = None,
        inputs: InputsLike = None,
        n_estimators: int = 1,
        bootstrap: bool = False,
        cv: CVLike = None,
        clip_predictions: bool = False,
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
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features), or array (n, ...), or rows that are read in blocks
            A path of a Parquet file or folder, a large `numpy.memmap` or PyArrow table, a Dask collection, or an object with slicing
            is read in blocks: see the page `streaming.md`. y and sample_weight may then name columns of X.
        y : array-like (n,) or (n, outputs), or structured array (n,)
        sample_weight : array-like (n,), default=None
            Non-negative; weights the training loss and the loss of held-out rows.
        groups : array-like (n,), default=None
            A label per row. The rows of a group are either trained on or held out; splitters in `validation_fraction` and
            `cv` get them.
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
        return self._trained(FitData(X, y, sample_weight, X_val, y_val, sample_weight_val, groups))

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
        check_in_memory(self, X)
        return train(self, FitData(X, y, sample_weight), is_partial=True)

    @by_blocks
    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return predictions, in the shape and units of y; `(n,)` if the loss predicts one number from several columns of y.

        They have the dtype of X, or float64 if float32 is too narrow: if a prediction would overflow, or if the variation
        of y would be rounded away, as for 1e8 plus noise of size 1.

        Parameters
        ----------
        X : array-like or sparse matrix, as in `fit`
        return_std : bool, default=False
            Also return the predicted standard deviation in units of y, if the loss has one, such as "gaussian_nll", or if there
            are several members. That of members is the standard deviation of the mixture of their predictions.

        Returns
        -------
        prediction : ndarray (n,) or (n, outputs); for several quantiles (n, levels) or (n, outputs, levels)
        std : ndarray of the same shape, only with `return_std`

        Raises
        ------
        ValueError
            If `return_std` is True, the loss predicts no standard deviation and there is one member.
        """
        if not return_std:
            return over_members(self, lambda member: member._predicted(X))
        members = self.__dict__.get("estimators_")
        if members is not None:
            means, stds = (np.stack(found) for found in zip(*(m._predicted_with_std(X) for m in members), strict=True))
            return means.mean(axis=0), np.sqrt((stds**2).mean(axis=0) + means.var(axis=0))
        if not self.loss_.has_std:
            raise ValueError(
                f"The loss {type(self.loss_).__name__} predicts no standard deviation. Use loss='gaussian_nll', or an ensemble, such as "
                "n_estimators=5."
            )
        return self._predicted_with_std(X)

    def _predicted(self, X: Any) -> np.ndarray:
        raw, dtype = self._raw(X)
        prediction: np.ndarray = self._encoding.decode(self.loss_, raw, dtype)
        return prediction

    def _predicted_with_std(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return predictions and their standard deviations, zeros if the loss predicts none."""
        raw, dtype = self._raw(X)
        prediction = self._encoding.decode(self.loss_, raw, dtype)
        if not self.loss_.has_std:
            return prediction, np.zeros_like(prediction)
        return prediction, self._encoding.target.decode_std(self.loss_, raw, dtype)

    def _points(self, X: Any) -> np.ndarray:
        """Return the values that a score compares, in the form of y."""
        raw, dtype = self._raw(X)
        points: np.ndarray = self._encoding.target.decode_point(self.loss_, raw, dtype)
        return points

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score that the loss defines, else R^2 of the predictions (of the middle quantile if there are several).

        Parameters
        ----------
        X, y : as in `fit`
        sample_weight : array-like (n,), default=None

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If the loss defines no score and predicts other columns than those of y, so that there is no R^2.
        """
        check_is_fitted(self)
        X, y, sample_weight = for_score(X, y, sample_weight)
        loss, target = self.loss_, self._encoding.target
        if has_score(loss):
            return self._score_of_loss(X, y, sample_weight)
        if n_predicted(loss, target.task) != target.n_outputs:
            raise ValueError(
                f"The loss {type(loss).__name__} predicts {n_predicted(loss, target.task)} outputs of a y of {target.n_outputs} columns, "
                "so there is no R^2. Define 'score' in the loss, or judge predictions by a function of your own ('scoring')."
            )
        points = self._all_points(X)
        return float(r2_score(columns_of(y), points, sample_weight=sample_weight))

    def _score_of_loss(self, X: Any, y: Any, sample_weight: Any) -> float:
        values = _numbers(columns_of(y))
        values = values.reshape(len(values), -1)
        check_n_outputs(type(self).__name__, values.shape[1], self._encoding.target.n_outputs)
        prediction = self._all_target_points(X)
        check_consistent_length(prediction, values)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, values, dtype=np.float64)
        return float(self.loss_.score(prediction, values, sample_weight))

    @by_blocks
    def _all_points(self, X: Any) -> np.ndarray:
        return over_members(self, lambda member: member._points(X))

    @by_blocks
    def _all_target_points(self, X: Any) -> np.ndarray:
        return over_members(self, lambda m: m._encoding.target.point(m.loss_, m._raw(X)[0]))

    def _oof(self, X: Any) -> np.ndarray:
        return self._points(X)

    def _oof_score(self, oof: np.ndarray, rows: WeightedRows) -> float:
        """Return the score of out-of-fold predictions; NaN if they cannot be compared with y."""
        values, oof = rows.target, oof.reshape(len(oof), -1)
        if has_score(self.loss_):
            return float(self.loss_.score(oof, values, rows.weight))
        return float(r2_score(values, oof, sample_weight=rows.weight)) if oof.shape == values.shape else float("nan")

    def _validated(self, X: Any, y: Any, known: Encoding | None) -> tuple[Any, Any]:
        return super()._validated(X, columns_of(y), known)

    def _target_summary(self) -> ValueSummary:
        return ValueSummary(type(self).__name__)

    def _read_target(self, y: Any, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        y = _numbers(y)
        if y.ndim > 2:
            raise ValueError(f"y must have one or two dimensions. Got {y.ndim}.")
        values = y.reshape(len(y), -1)
        if known is None:
            return Values(values.shape[1], is_1d=y.ndim == 1), values
        check_n_outputs(type(self).__name__, values.shape[1], known.n_outputs)
        return known, values

    def _split(self, given: Any, data: Any, draft: Draft) -> tuple[Draft, Split]:
        """Return what the base class does, with the limits of predictions: none in `partial_fit`, which knows only some of y."""
        limits = None
        if self.clip_predictions and not draft.is_partial:
            limits = given.target_range()
        return super()._split(given, data, dataclasses.replace(draft, encoding=draft.encoding.with_limits(limits)))

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


def _numbers(y: Any) -> np.ndarray:
    numbers: np.ndarray = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    return numbers
