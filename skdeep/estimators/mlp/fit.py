"""The path of `fit` of the perceptrons, from X and y to weights."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from skdeep.contract import Model
from skdeep.core import stopping
from skdeep.core.encode import encode_rows, is_sparse
from skdeep.core.link import check_link
from skdeep.core.rows import WeightedRows, scaled_by_power_of_two, weight_exponent
from skdeep.estimators.callbacks import EpochReporter
from skdeep.estimators.class_weight import check_some_class_weight
from skdeep.estimators.diagnose import traced_fields_named
from skdeep.estimators.mlp import lbfgs
from skdeep.estimators.mlp.base import raise_non_finite
from skdeep.estimators.mlp.parameters import check_mlp_parameters, hidden_widths
from skdeep.estimators.mlp.perceptron import initial_weights, perceptron
from skdeep.estimators.mlp.solvers import SGDSolver
from skdeep.estimators.mlp.stochastic import StochasticTraining
from skdeep.estimators.training import COLUMNS, joined_history
from skdeep.estimators.warn import warn_caller


class MLPEstimator(StochasticTraining):
    """Base of the perceptrons: the path from X and y to weights."""

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool, classes: Any = None) -> Self:
        with self._replaced_when_fitted() as new, traced_fields_named():
            check_mlp_parameters(type(self).__name__, self._parameter_constraints, self.get_params(deep=False))
            widths = hidden_widths(self.hidden_layer_sizes)
            if incremental and self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            if incremental:
                new._announce_classes(y, classes)
            continues = hasattr(self, "coefs_") and (self.warm_start or incremental)
            learns = not (self.warm_start or incremental)
            rows, dtype = new._encode(X, y, sample_weight, continues=continues, learns=learns)
            rng = check_random_state(self.random_state)
            new._bind(widths)
            if not continues:
                new._start(widths, rng, dtype)
            new._check_shapes(widths)
            data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
            reporter = EpochReporter(new, data, 1 if incremental else self.max_iter)
            with self._on_device(self._training_dtype(dtype)):
                if self._is_lbfgs:
                    status, warning = new._fit_lbfgs(rows, rng, reporter)
                else:
                    status, warning = new._fit_stochastic(rows, rng, reporter, incremental=incremental)
            new._check_finite()
        reporter.end_fit(self._fitted_attributes)
        if status == stopping.INTERRUPTED:
            warn_caller("Training interrupted by user.")
        elif warning and not incremental:
            warn_caller(warning, ConvergenceWarning)
        return self

    def _encode(
        self, X: Any, y: Any, sample_weight: Any, *, continues: bool, learns: bool
    ) -> tuple[WeightedRows, np.dtype[Any]]:
        """Validate X, y and weights; return them as rows in the type of training, and the type of the weights."""
        X, y = validate_data(
            self,
            X,
            y,
            reset=not (continues and hasattr(self, "n_features_in_")),
            accept_sparse=["csr", "csc"],
            dtype=(np.float64, np.float32),
            multi_output=True,
            y_numeric=is_regressor(self),
        )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not (weight > 0).any():
            raise ValueError("Sample weights must contain at least one positive weight. Got all zero.")
        dtype = self._weights_dtype if continues else X.dtype
        known = None if learns else getattr(self, "_task", None)
        target, self._task = self._encode_target(y, learns=learns)
        if known is not None and known.kind != self._task.kind:
            raise ValueError(
                f"y has {self._task.kind} targets, but {type(self).__name__} was trained on {known.kind} ones. Fit a clone instead."
            )
        self._columns = X.shape[1:]
        X = X.tocsr() if is_sparse(X) else X
        compute = self._training_dtype(dtype)
        target = target.astype(compute, copy=False) if self._task.kind == "multilabel" else target
        rows = self._weighed(WeightedRows(encode_rows(X, compute), target, weight))
        check_some_class_weight(type(self).__name__, rows.weight, "trains on")
        return rows, dtype

    def _weighed(self, rows: WeightedRows) -> WeightedRows:
        """Return rows with weights of classes in their weights, times a power of two, so that no sum overflows.

        As in scikit-learn, the scale of weights decides how much `alpha` counts, so it is noted in `_weight_exponent`.
        """
        exponent = weight_exponent(rows.weight)
        rows = self._weigh(rows._replace(weight=scaled_by_power_of_two(rows.weight, -exponent)))
        by_class = weight_exponent(rows.weight)
        self._weight_exponent = -exponent - by_class
        return rows._replace(weight=scaled_by_power_of_two(rows.weight, -by_class))

    def _bind(self, widths: tuple[int, ...]) -> None:
        """Resolve loss and network for the task at hand."""
        self._loss = self._resolved_loss()
        if self._task.kind not in self._loss.tasks:
            raise ValueError(
                f"The loss {type(self._loss).__name__} does not serve {self._task.kind} targets, but {', '.join(self._loss.tasks)}. "
                f"Choose another loss for {type(self).__name__}, such as {next(iter(self._own_losses))!r}."
            )
        check_link(self._loss, self._task)
        network = perceptron(widths, self.activation, self.dropout, self.normalization)
        network.check_fields()
        self.n_outputs_, self.n_layers_ = self._loss.n_raw(self._task), len(widths) + 2
        self.out_activation_ = self._out_activation()
        self._model = Model(network, self._columns, self.n_outputs_)

    def _start(self, widths: tuple[int, ...], rng: np.random.RandomState, dtype: np.dtype[Any]) -> None:
        """Draw first weights and forget earlier training."""
        units = (*self._columns, *widths, self.n_outputs_)
        self.coefs_, self.intercepts_ = initial_weights(units, self.activation, rng, dtype)
        self._other_params, self.model_state_ = {}, {}
        self._memory, self._history = None, {name: [] for name in COLUMNS}
        self.n_iter_, self.t_ = 0, 0
        for name in ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
            self.__dict__.pop(name, None)

    def _fit_lbfgs(self, rows: WeightedRows, rng: np.random.RandomState, reporter: EpochReporter) -> tuple[int, str]:
        """Train by SciPy's L-BFGS-B; return how it ended, and what to warn of."""
        if self.dropout or self.normalization == "batch":
            raise ValueError(
                "solver='lbfgs' needs a loss that is the same at every call, which dropout and normalization='batch' do not "
                "give. Set them to None, or choose another solver."
            )
        objective = self._objective()
        config = self._config(rows.x.dtype, SGDSolver(), None)
        params, model_state = self._first_params(config, self._key(rng))
        after_iteration = partial(self._after_lbfgs_iteration, reporter)
        found = lbfgs.minimise(
            config,
            objective,
            params,
            model_state,
            rows,
            max_iter=self.max_iter,
            max_fun=self.max_fun,
            tol=self.tol,
            after_iteration=after_iteration,
        )
        if not np.isfinite(found.loss):
            raise_non_finite()
        self._store_params(found.params, model_state)
        self._memory = None
        self._extend_history(found.history)
        self.n_iter_, self.loss_ = found.n_iter, np.float64(found.loss)
        return stopping.INTERRUPTED if found.was_interrupted else stopping.CONVERGED, found.message

    def _after_lbfgs_iteration(self, reporter: EpochReporter, history: dict[str, list[float]], params: Any) -> bool:
        n_iter = len(history["epoch"])
        if self.verbose:
            print(f"Iteration {n_iter}, loss = {history['train_loss'][-1]:.8f}")
        reporter.begin_epoch()  # SciPy tells of an iteration when it is done, never whether there is another
        earlier = getattr(self, "_history", None)
        return reporter.end_epoch(
            lambda: {"params_": params, "n_iter_": n_iter, "_history": joined_history(earlier, history)}
        )

    def _warning_of(self, status: int) -> str:
        """Return what to warn of after stochastic training, in scikit-learn's words where it has some."""
        if status == stopping.OUT_OF_EPOCHS:
            return f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization hasn't converged yet."
        if status == stopping.NON_FINITE:
            return (
                f"Stochastic Optimizer: the loss became NaN or infinite in iteration {self.n_iter_}; training stopped and the "
                "weights of the best validation score were kept. Lower learning_rate_init, or scale the columns of X."
            )
        return ""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def check_trains_by_epochs(estimator: Any) -> bool:
    """Tell whether `partial_fit` exists: not with L-BFGS, which needs all rows at once."""
    if estimator._is_lbfgs:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True
