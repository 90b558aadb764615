"""The base class of `MLPClassifier` and `MLPRegressor`: jobs from scikit-learn's parameters, and its fitted attributes."""

from __future__ import annotations

import dataclasses
import zlib
from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from skdeep.config import FitConfig, Model
from skdeep.contract import Loss, Optimizer
from skdeep.core import stopping
from skdeep.core.drivers.lbfgs import ScipyLBFGS
from skdeep.core.drivers.steps import Steps
from skdeep.core.encode import is_sparse
from skdeep.core.encoding import Encoding
from skdeep.core.feeds import CumulativeShuffles, EpochOrder, InOrder
from skdeep.core.inputs import row_shapes
from skdeep.core.job import Job
from skdeep.core.link import check_link
from skdeep.core.random import key_of_seed
from skdeep.core.raw import total_width
from skdeep.core.rows import WeightedRows, scaled_by_power_of_two, unit_mean, weight_exponent
from skdeep.core.step import continued_state
from skdeep.estimators.arrays import ArrayReader
from skdeep.estimators.class_weight import check_some_class_weight
from skdeep.estimators.memory import memory_of, resumed
from skdeep.estimators.mlp.parameters import MLP_CONSTRAINTS, check_mlp_parameters, hidden_widths
from skdeep.estimators.mlp.weights import PerceptronWeights, raise_non_finite
from skdeep.estimators.prepare import Beginning, Draft, Earlier, Split
from skdeep.estimators.printing import IterationPrinter, SolverPrinter
from skdeep.estimators.resolve import Resolved, resolve_ready
from skdeep.estimators.warn import warn_caller
from skdeep.history import History
from skdeep.perceptron.network import initial_weights, perceptron
from skdeep.perceptron.rules import BatchMean, EpochsWithoutGain
from skdeep.perceptron.solvers import AdamSolver, SGDSolver
from skdeep.records import Outcome, Task, TrainState
from skdeep.schedules import Constant

OWN_SOLVERS = ("lbfgs", "sgd", "adam")
_OF_EARLIER_FITS = ("loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_")


def check_trains_by_epochs(estimator: Any) -> bool:
    """Return True if `partial_fit` is available; raise AttributeError with "lbfgs", which needs all rows at once."""
    if estimator._is_lbfgs:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


class Perceptron(PerceptronWeights, ArrayReader):
    """Base of `MLPClassifier` and `MLPRegressor`."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = MLP_CONSTRAINTS
    _components: ClassVar[dict[str, str]] = {"loss": "loss", "solver": "optimizer"}
    _own_losses: ClassVar[dict[str, Loss]]
    t_: int

    # Methods in which the classifier and the regressor differ.

    @abstractmethod
    def _finished(self, rows: WeightedRows, encoding: Any, loss: Loss) -> WeightedRows:
        """Return rows with targets in the training dtype and, for the classifier, weights times class weights."""

    @abstractmethod
    def _out_activation(self) -> str:
        """Return scikit-learn's name of the activation of the last layer."""

    @abstractmethod
    def _loss_scales(self, task: Task) -> tuple[float, float]:
        """Return the factor of a row's loss in the minimised objective, and the factor in the reported loss."""

    def _largest_reported(self, encoding: Any) -> float | None:
        """Return the limit of a row's loss in the loss that stochastic training reports; None for no limit."""
        return None

    @abstractmethod
    def _validation_loss(self, validation: WeightedRows, draft: Draft) -> Loss:
        """Return the loss whose mean on the held-out rows is 1 minus the score."""

    @abstractmethod
    def _strata(self, rows: WeightedRows, task: Task) -> Any:
        """Return the array by which the validation split is stratified, or None."""

    # Methods that `prepare` calls.

    def _check_parameters(self, is_partial: bool) -> None:
        check_mlp_parameters(type(self).__name__, self._parameter_constraints, self.get_params(deep=False))
        hidden_widths(self.hidden_layer_sizes)
        if is_partial and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")

    def _earlier(self, is_partial: bool) -> Earlier | None:
        if not hasattr(self, "coefs_") or not (is_partial or self.warm_start):
            return None
        encoding = self.__dict__.get("_encoding")
        return Earlier(is_partial, self.params_, self.__dict__.get("model_state_", {}), encoding, None, self._memory)

    def _validated(self, X: Any, y: Any, known: Encoding | None) -> tuple[Any, Any]:
        X, y = validate_data(
            self,
            X,
            y,
            reset=known is None,
            accept_sparse=["csr", "csc"],
            dtype=(np.float64, np.float32),
            multi_output=True,
            y_numeric=is_regressor(self),
        )
        return X.tocsr() if is_sparse(X) else X, y

    def _keeps_columns(self, earlier: Earlier | None) -> bool:
        return earlier is not None and earlier.encoding is not None

    def _known_target(self, earlier: Earlier | None) -> Any:
        return earlier.encoding.target if earlier is not None and earlier.encoding is not None else None

    def _training_dtype(self, X: Any, earlier: Earlier | None) -> np.dtype[Any]:
        if self._is_lbfgs:  # SciPy's L-BFGS-B works in float64, as it does in scikit-learn
            return np.dtype(np.float64)
        return X.dtype if earlier is None else self._weights_dtype

    @property
    def _default_loss(self) -> str:  # type: ignore[override]  # scikit-learn's perceptrons name it by task
        return next(iter(self._own_losses))

    def _component_value(self, name: str) -> Any:
        value = getattr(self, name)
        own = OWN_SOLVERS if name == "solver" else self._own_losses
        return None if isinstance(value, str) and value in own else value

    def _resolved_loss(self) -> Loss:
        value = self._component_value("loss")
        loss: Loss = self._own_losses[str(self.loss)] if value is None else resolve_ready("loss", value)[1]
        return loss

    def _resolved_solver(self) -> Optimizer:
        value = self._component_value("solver")
        if value is not None:
            optimizer: Optimizer = resolve_ready("optimizer", value)[1]
            return optimizer
        if self.solver == "adam":
            return AdamSolver(self.beta_1, self.beta_2, self.epsilon)
        return SGDSolver(self.momentum, bool(self.nesterovs_momentum))  # L-BFGS ignores it

    def _resolve(self, encoding: Any) -> Resolved:
        if self._is_lbfgs and (self.dropout or self.normalization == "batch"):
            raise ValueError(
                "solver='lbfgs' needs an objective without randomness or batch statistics, so it cannot train with dropout or "
                "normalization='batch'. Set them to None, or choose another solver."
            )
        loss = self._resolved_loss()
        network = perceptron(hidden_widths(self.hidden_layer_sizes), self.activation, self.dropout, self.normalization)
        return Resolved(network, loss, self._resolved_solver(), Constant(), ids={})

    def _check_serves(self, resolved: Resolved, task: Task) -> None:
        super()._check_serves(resolved, task)
        check_link(resolved.loss, task)
        resolved.network.check_fields()

    def _units(self, model: Model) -> tuple[int, ...]:
        return (*row_shapes(model.in_shape), *hidden_widths(self.hidden_layer_sizes), total_width(model.n_raw))

    def _check_goes_on(self, encoding: Any, resolved: Resolved, model: Model, earlier: Earlier | None) -> None:
        if earlier is not None:
            self._check_shapes(self._units(model))

    def _drafted(self, draft: Draft) -> Draft:
        weights = None
        if draft.earlier is None:
            weights = initial_weights(self._units(draft.model), self.activation, draft.rng, draft.encoding.x_dtype)
        return dataclasses.replace(draft, key=self._key(draft), first_params=weights)

    def _key(self, draft: Draft) -> np.ndarray:
        """Return the random key for dropout, which differs between `partial_fit` calls.

        It is computed from the state of `random_state` without a draw, so that later draws equal those of scikit-learn.
        """
        state: Any = draft.rng.get_state(legacy=False)["state"]
        seed = zlib.crc32(state["key"]) ^ int(state["pos"])
        return key_of_seed(seed + (self._n_seen(draft) << 32))

    def _n_seen(self, draft: Draft) -> int:
        """Return the number of rows that earlier calls trained on; 0 if it is unknown, as for weights that a user assigned."""
        return self.__dict__.get("t_", 0) if draft.earlier is not None else 0

    @property
    def _is_lbfgs(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    @property
    def _driver(self) -> Any:
        return ScipyLBFGS(self.tol, self.max_fun) if self._is_lbfgs else Steps()

    def _split(self, given: WeightedRows, data: Any, draft: Draft) -> tuple[Draft, Split]:
        """Return training rows and held-out rows, chosen by `train_test_split` as in scikit-learn.

        Weights are multiplied by a power of two. The split keeps its exponent (`weight_exponent`), because as in
        scikit-learn `alpha` is relative to the scale of the weights.
        """
        exponent = weight_exponent(given.weight)
        rows = given._replace(weight=scaled_by_power_of_two(given.weight, -exponent))
        rows = self._finished(rows, draft.encoding, draft.resolved.loss)
        by_class = weight_exponent(rows.weight)
        rows = rows._replace(weight=scaled_by_power_of_two(rows.weight, -by_class))
        check_some_class_weight(type(self).__name__, rows.weight, "trains on")
        train, validation = self._parted(rows, draft)
        return draft, Split(train, validation, weight_exponent=-exponent - by_class)

    def _parted(self, rows: WeightedRows, draft: Draft) -> tuple[WeightedRows, WeightedRows | None]:
        if not self.early_stopping or self._is_lbfgs:
            return rows, None
        if self.validation_fraction == 0:
            raise ValueError("early_stopping=True needs rows to validate on: set validation_fraction above 0.")
        train, chosen = train_test_split(
            np.arange(len(rows.target)),
            random_state=draft.rng,
            test_size=self.validation_fraction,
            stratify=self._strata(rows, draft.encoding.task),
        )
        if len(chosen) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        validation = rows.take(chosen)
        if not (validation.weight > 0).any():
            raise ValueError(
                "All rows held out for early stopping have weight 0. Leave out rows of weight 0, or set early_stopping=False."
            )
        return rows.take(train), validation._replace(weight=unit_mean(validation.weight))

    def _check_batch_size(self, n: int) -> None:
        if self.batch_size > n and not self._is_lbfgs:
            warn_caller("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")

    def _config(self, draft: Draft, split: Split, monitor: Any) -> FitConfig:
        resolved, validation = draft.resolved, split.validation
        # Only the ratio of alpha to the weights matters, so alpha gets the factor of the weights.
        alpha = float(scaled_by_power_of_two(self.alpha, split.weight_exponent))
        scales = self._loss_scales(draft.encoding.task)
        return FitConfig(
            model=draft.model,
            loss=resolved.loss,
            optimizer=resolved.optimizer,
            schedule=resolved.schedule,
            objective=BatchMean(
                alpha, *scales, self._largest_reported(draft.encoding), by_rows=self.normalization == "batch"
            ),
            stopping=self._rule(draft),
            learning_rate=float(self.learning_rate_init),
            max_epochs=float(self.max_iter),
            monitor=monitor,
            keep_best=validation is not None,
            validation_loss=None if validation is None else self._validation_loss(validation, draft),
        )

    @property
    def _changes(self) -> str:
        """How the learning rate changes; as in scikit-learn, it is constant with "adam"."""
        return "constant" if self.solver == "adam" else self.learning_rate

    def _rule(self, draft: Draft) -> EpochsWithoutGain:
        return EpochsWithoutGain(
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            learning_rate=self.learning_rate_init,
            adaptive=self._changes == "adaptive",
            power_t=self.power_t if self._changes == "invscaling" else None,
            n_seen_before=self._n_seen(draft),
        )

    def _start_state(self, config: FitConfig, beginning: Beginning, draft: Draft) -> TrainState:
        """Return the state before the first step: weights, optimizer state and stopping state, of an earlier fit if any."""
        params, model_state = self._first_weights(config, draft)
        state: TrainState = continued_state(config, params, model_state, draft.key, *beginning[:2], np.int32(0))
        memory = None if draft.earlier is None else draft.earlier.memory
        return resumed(state, memory, config, keeps_optimizer=draft.is_partial)

    def _order(self, train: Any, draft: Draft) -> EpochOrder:
        if not self.shuffle or self._is_lbfgs:
            return InOrder(train.n)
        return CumulativeShuffles(train.n, draft.rng.get_state(legacy=False))

    @property
    def _max_epochs(self) -> int:
        return int(self.max_iter)

    def _history_to_extend(self, draft: Draft) -> History | None:
        return self.__dict__.get("_history") if draft.earlier is not None else None

    # Methods that store and report the outcome.

    def _adopt(self, job: Job) -> None:
        super()._adopt(job)
        self._loss = job.config.loss
        self.n_layers_ = len(hidden_widths(self.hidden_layer_sizes)) + 2
        self.out_activation_ = self._out_activation()

    def _printer(self, job: Job) -> IterationPrinter:
        if self._is_lbfgs:
            return IterationPrinter()
        return SolverPrinter(
            self.tol,
            self.n_iter_no_change,
            self.learning_rate_init,
            early_stopping=job.validation is not None,
            adaptive=self._changes == "adaptive",
        )

    def _absorb(self, job: Job, outcome: Outcome) -> None:
        if outcome.status == stopping.NON_FINITE and not outcome.has_best:
            raise_non_finite()
        goes_on = job.origin.goes_on
        dtype = self._weights_dtype if goes_on else np.result_type(np.float32, job.encoding.x_dtype)
        super()._absorb(job, outcome)
        self._keep_weights(outcome.params, outcome.model_state, dtype)
        for name in () if goes_on else ("t_", *_OF_EARLIER_FITS):
            self.__dict__.pop(name, None)
        self.t_ = self.__dict__.get("t_", 0)  # absent if a user assigned weights to an estimator that was never fitted
        if self._is_lbfgs:
            self._memory, self.loss_ = None, np.float64(outcome.loss)
            return
        if isinstance(job.order, CumulativeShuffles) and not isinstance(self.random_state, Integral):
            job.order.advance(check_random_state(self.random_state), outcome.n_epochs)
        self._memory = memory_of(job, outcome, keeps_optimizer=True, keeps_stopping=True)
        self.t_ += job.rows.n * outcome.n_epochs
        self._keep_curves(job, outcome, np.array(outcome.state.stopping.best))

    def _keep_curves(self, job: Job, outcome: Outcome, best: np.ndarray) -> None:
        self.loss_curve_ = [*self.__dict__.get("loss_curve_", []), *map(np.float64, outcome.history["train_loss"])]
        if self.loss_curve_:
            self.loss_ = self.loss_curve_[-1]
        if not job.config.keep_best:
            self.best_loss_: float | None = np.float64(best) if self.loss_curve_ else np.inf
            self.validation_scores_: list[float] | None = None
            self.best_validation_score_: float | None = None
            return
        scores = [1.0 - float(best.dtype.type(loss)) for loss in outcome.history["val_loss"]]
        if outcome.status == stopping.NON_FINITE and scores:
            scores[-1] = np.nan
        self.validation_scores_ = [*(self.__dict__.get("validation_scores_") or []), *scores]
        self.best_loss_, self.best_validation_score_ = None, 1.0 - float(best)

    def _report(self, job: Job, outcome: Outcome) -> None:
        if outcome.status == stopping.INTERRUPTED:
            warn_caller("Training interrupted by user.")
        elif message := outcome.message or self._warning_of(outcome.status):
            warn_caller(message, ConvergenceWarning)

    def _warning_of(self, status: int) -> str:
        """Return the warning after stochastic training, in scikit-learn's words if it has this warning; "" for none."""
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
