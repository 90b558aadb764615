"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from skdeep.contract import Loss, Task
from skdeep.core.link import linked, predicted_point
from skdeep.core.rows import WeightedRows
from skdeep.core.target import TargetScale, check_domain, encode_values, mean_and_deviation, narrowed
from skdeep.estimators.callbacks import with_callbacks
from skdeep.estimators.mlp.fit import MLPEstimator, check_trains_by_epochs
from skdeep.estimators.mlp.rules import UnexplainedVariance
from skdeep.estimators.parameter_types import ActivationLike, BatchSize, Device, LossLike, OptimizerLike, RandomState
from skdeep.losses import Poisson, SquaredError


class MLPRegressor(RegressorMixin, MLPEstimator):
    """A multi-layer perceptron regressor with the interface of `sklearn.neural_network.MLPRegressor`.

    From the same `random_state` it draws the same first weights and the same batches as scikit-learn's, and
    does the same updates, so that results agree up to rounding. y is taken as it is, not scaled, whatever
    the loss.

    Parameters
    ----------
    loss : str, Loss or callable, default="squared_error"
        "squared_error" (half of it, summed over outputs), "poisson" (half the deviance, with the log link),
        the name of any other loss for numbers, a loss, or a function `f(raw, target) -> (n,)`.
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t
        As in `MLPClassifier`.
    max_iter, shuffle, random_state, tol, verbose, warm_start, momentum, nesterovs_momentum
        As in `MLPClassifier`.
    early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in `MLPClassifier`; early stopping watches R^2.
    dropout, normalization, device
        As in `MLPClassifier`.

    Attributes
    ----------
    coefs_, intercepts_, loss_, best_loss_, loss_curve_, validation_scores_, best_validation_score_, n_iter_, t_
        As in `MLPClassifier`. `loss_` of squared errors is half their mean, over outputs too.
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
        super().__init__(
            loss=loss,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            dropout=dropout,
            normalization=normalization,
            device=device,
        )

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the perceptron.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)
            float32 is trained in float32, everything else in float64.
        y : array-like (n,) or (n, outputs)
        sample_weight : array-like (n,), default=None
            Non-negative.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is not what it must be, y is outside the loss's domain, or weights
            become NaN or infinite.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    @available_if(check_trains_by_epochs)
    @with_callbacks
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one epoch on these rows, going on from the last call.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions `(n,)`, or `(n, outputs)` for several outputs.

        They have the type of X, or float64 if that is too narrow for one of them.
        """
        raw, dtype = self._raw(X)
        return self._shaped(narrowed(linked(self._loss, raw, self._task, np), dtype))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of the predictions (of the middle quantile, where there are several).

        Parameters
        ----------
        X, y : as in `fit`
        sample_weight : array-like (n,), default=None
        """
        raw, dtype = self._raw(X)
        point = narrowed(predicted_point(self._loss, raw, self._task, np), dtype)
        return float(r2_score(y, self._shaped(point), sample_weight=sample_weight))

    def _shaped(self, prediction: np.ndarray) -> np.ndarray:
        return prediction[:, 0] if self._task.n_targets == 1 else prediction

    def _encode_target(self, y: Any, *, learns: bool) -> tuple[np.ndarray, Task]:
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        y = np.asarray(y, np.float64).reshape(len(y), -1)
        known = getattr(self, "_task", None)
        if not learns and known is not None and y.shape[1] != known.n_targets:
            raise ValueError(f"y has {y.shape[1]} outputs, but {type(self).__name__} was fitted on {known.n_targets}.")
        return y, Task("regression", y.shape[1])

    def _weigh(self, rows: WeightedRows) -> WeightedRows:
        as_it_is = TargetScale(np.zeros(rows.target.shape[1]), np.ones(rows.target.shape[1]))
        check_domain(self._resolved_loss(), rows.target, as_it_is)
        return rows._replace(target=encode_values(rows.target, as_it_is, rows.x.dtype))

    def _out_activation(self) -> str:
        return "exp" if self._component_value("loss") is None and self.loss == "poisson" else "identity"

    def _loss_scales(self) -> tuple[float, float]:
        if self._component_value("loss") is not None:
            return 1.0, 1.0
        n_outputs = float(self._task.n_targets)
        return (0.5 * n_outputs, 0.5) if self.loss == "squared_error" else (n_outputs, n_outputs)

    def _validation_loss(self, held_out: WeightedRows) -> Loss:
        _, deviations = mean_and_deviation(held_out.target, held_out.weight)
        return UnexplainedVariance(self._loss, self._task, tuple(map(float, deviations)))

    def _strata(self, rows: WeightedRows) -> Any:
        return None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
