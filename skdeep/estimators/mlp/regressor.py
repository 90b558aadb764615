"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from skdeep.contract import Loss
from skdeep.core.encoding import Values
from skdeep.core.rows import WeightedRows
from skdeep.core.target import TargetScale, check_domain, mean_and_deviation
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.given_targets import check_n_outputs
from skdeep.estimators.mlp.base import Perceptron, check_trains_by_epochs
from skdeep.estimators.parameter_types import ActivationLike, BatchSize, Device, LossLike, OptimizerLike, RandomState
from skdeep.estimators.prepare import Draft
from skdeep.estimators.training import FitData, train
from skdeep.losses import Poisson, SquaredError
from skdeep.perceptron.rules import UnexplainedVariance
from skdeep.records import Task


class MLPRegressor(RegressorMixin, Perceptron):
    """A multi-layer perceptron regressor with the interface of `sklearn.neural_network.MLPRegressor`.

    With the same `random_state`, weight initialisation, batches and updates are those of scikit-learn, so that results
    agree up to rounding. y is never scaled, for any loss.

    Parameters
    ----------
    loss : str, Loss or callable, default="squared_error"
        "squared_error" (half the squared error, summed over outputs), "poisson" (half the deviance, with the log link),
        the name of any other regression loss, a loss, or a function `f(raw, target) -> (n,)`.
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t
        As in `MLPClassifier`.
    max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum
        As in `MLPClassifier`.
    early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in `MLPClassifier`, but early stopping watches R^2 on the held-out rows.
    dropout, normalization, device
        As in `MLPClassifier`.

    Attributes
    ----------
    coefs_, intercepts_, loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, n_iter_, t_
        As in `MLPClassifier`. For "squared_error", `loss_` is half the mean squared error over rows and outputs, plus the
        penalty. Scores are R^2.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_, params_, model_state_, history_
        As in `MLPClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdeep import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPRegressor(solver="lbfgs", hidden_layer_sizes=5, alpha=10.0, tol=0.1, max_iter=1000, random_state=0)
    >>> model = model.fit(X, y)
    >>> bool(model.score(X, y) > 0.5)
    True
    """

    _own_losses: ClassVar[dict[str, Loss]] = {"squared_error": SquaredError(), "poisson": Poisson()}

    def __init__(
        self,
        loss: LossLike = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: ActivationLike = "relu",
        *,
        solver: OptimizerLike = "adam",
        alpha: float = 0.0001,
        batch_size: BatchSize = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | None = None,
        normalization: str | None = None,
        device: Device = "auto",
    ) -> None:
        self._store(locals())

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the perceptron.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)
            float32 X is trained in float32, any other X in float64. "lbfgs" always computes in float64.
        y : array-like (n,) or (n, outputs)
        sample_weight : array-like (n,), default=None
            Non-negative weights of the loss.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is invalid, or y is outside the domain of the loss.
        NonFiniteLossError
            If the loss or the weights become NaN or infinite and early stopping has kept no weights.
        """
        return train(self, FitData(X, y, sample_weight))

    @available_if(check_trains_by_epochs)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one epoch on these rows, continuing from the last call.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            With `solver="lbfgs"`.
        ValueError
            With `early_stopping=True`, if the data or a parameter is invalid, or if a change since the earlier fit does not
            allow training to continue.
        NonFiniteLossError
            If the loss becomes NaN or infinite.
        """
        return train(self, FitData(X, y, sample_weight), is_partial=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions, in the units of y.

        They have the wider of the dtypes of X and `coefs_`, or float64 if a prediction would overflow in it.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)

        Returns
        -------
        ndarray (n,), or (n, outputs) for several outputs
        """
        raw, dtype = self._raw(X)
        return self._encoding.decode(self._loss, raw, dtype)

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
        point = self._encoding.target.decode_point(self._loss, raw, dtype)
        return float(r2_score(y, point, sample_weight=sample_weight))

    def _read_target(self, y: Any, weight: np.ndarray, known: Any, classes: Any) -> tuple[Any, np.ndarray]:
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        values = np.asarray(y, np.float64).reshape(len(y), -1)
        if known is None:
            return Values(values.shape[1], is_1d=values.shape[1] == 1), values
        check_n_outputs(type(self).__name__, values.shape[1], known.n_outputs)
        return known, values

    def _finished(self, rows: WeightedRows, encoding: Any, loss: Loss) -> WeightedRows:
        as_it_is = TargetScale(np.zeros(rows.target.shape[1]), np.ones(rows.target.shape[1]))
        check_domain(loss, rows.target, as_it_is)
        return rows._replace(target=encoding.encode_target(rows.target))

    def _out_activation(self) -> str:
        return "exp" if self._component_value("loss") is None and self.loss == "poisson" else "identity"

    def _loss_scales(self, task: Task) -> tuple[float, float]:
        if self._component_value("loss") is not None:
            return 1.0, 1.0
        n_outputs = float(task.n_targets)
        return (0.5 * n_outputs, 0.5) if self.loss == "squared_error" else (n_outputs, n_outputs)

    def _validation_loss(self, validation: WeightedRows, draft: Draft) -> Loss:
        _, deviations = mean_and_deviation(validation.target, validation.weight)
        return UnexplainedVariance(draft.resolved.loss, draft.encoding.task, tuple(map(float, deviations)))

    def _strata(self, rows: WeightedRows, task: Task) -> Any:
        return None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
