"""What the two perceptrons share: scikit-learn's constructor, and the path of `fit` from X and y to weights."""

from __future__ import annotations

import copy
from abc import abstractmethod
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from skdeep.contract import FitConfig, FitResult, Loss, Model, Optimizer, Task, TrainState
from skdeep.core import as_traced, stopping
from skdeep.core.batch import EpochOrder, Feed, epoch_order, pad_rows
from skdeep.core.encode import encode_rows, is_sparse
from skdeep.core.random import key_of_seed
from skdeep.core.rows import WeightedRows, normalise_weights, padded_size
from skdeep.core.step import continued_state, new_state
from skdeep.errors import NonFiniteLossError
from skdeep.estimators.callbacks import CallbackSupportMixin, EpochReporter
from skdeep.estimators.diagnose import traced_fields_named
from skdeep.estimators.fitted import FittedNetwork
from skdeep.estimators.mlp import lbfgs
from skdeep.estimators.mlp.memory import Memory, memory_of, resumed
from skdeep.estimators.mlp.orders import CumulativeShuffles
from skdeep.estimators.mlp.parameters import MLP_CONSTRAINTS, check_mlp_parameters, hidden_widths
from skdeep.estimators.mlp.perceptron import cast_floats, dense_params, initial_weights, perceptron, split_params
from skdeep.estimators.mlp.printing import IterationPrinter
from skdeep.estimators.mlp.rules import BatchMean, EpochsWithoutGain
from skdeep.estimators.mlp.solvers import AdamSolver, SGDSolver
from skdeep.estimators.nested import NestedParameters
from skdeep.estimators.resolve import resolve_ready
from skdeep.estimators.scoring import host_loss
from skdeep.estimators.training import COLUMNS, Plan, run_training
from skdeep.estimators.warn import warn_caller
from skdeep.schedules import Constant

AUTO_BATCH_SIZE = 200
OWN_SOLVERS = ("lbfgs", "sgd", "adam")


class MLPEstimator(CallbackSupportMixin, NestedParameters, FittedNetwork):
    """Base of the perceptrons: the parameters that both share, and the path from X and y to weights."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = MLP_CONSTRAINTS
    _components: ClassVar[dict[str, str]] = {"loss": "loss", "solver": "optimizer"}
    _own_losses: ClassVar[dict[str, Loss]]
    _memory: Memory | None = None
    _task: Task
    _other_params: dict[str, Any]
    coefs_: list[Any]
    intercepts_: list[Any]
    t_: int

    @abstractmethod
    def __init__(
        self,
        loss: Any,
        hidden_layer_sizes: Any,
        activation: Any,
        solver: Any,
        alpha: float,
        batch_size: int | str,
        learning_rate: str,
        learning_rate_init: float,
        power_t: float,
        max_iter: int,
        shuffle: bool,
        random_state: Any,
        tol: float,
        verbose: bool | int,
        warm_start: bool,
        momentum: float,
        nesterovs_momentum: bool,
        early_stopping: bool,
        validation_fraction: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        n_iter_no_change: float,
        max_fun: int,
        dropout: float | None,
        normalization: str | None,
        device: str,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.normalization = normalization
        self.device = device

    # What the two do differently.

    @abstractmethod
    def _encode_target(self, y: Any, *, learns: bool) -> tuple[np.ndarray, Task]:
        """Return y as codes, 0/1 labels or outputs, and the task; if it `learns`, take the classes from y."""

    def _announce_classes(self, y: Any, classes: Any) -> None:
        """Take the classes that `partial_fit` is told, where there are classes."""

    @abstractmethod
    def _weigh(self, rows: WeightedRows) -> WeightedRows:
        """Return rows with the weights that training uses."""

    @abstractmethod
    def _out_activation(self) -> str:
        """Return scikit-learn's name of what follows the last layer."""

    @abstractmethod
    def _loss_scales(self) -> tuple[float, float]:
        """Return the factors of the loss of a row in what is minimised, and in what is reported."""

    def _largest_reported(self, dtype: Any) -> float | None:
        """Return the largest loss of a row in what stochastic training reports, or None for no limit."""
        return None

    @abstractmethod
    def _validation_loss(self, held_out: WeightedRows) -> Loss:
        """Return the loss whose mean on the held-out rows is 1 minus the score."""

    @abstractmethod
    def _strata(self, rows: WeightedRows) -> Any:
        """Return what the validation split is stratified by, or None."""

    # The path of fit.

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool, classes: Any = None) -> Self:
        with self._unchanged_on_error(), traced_fields_named():
            check_mlp_parameters(type(self).__name__, self._parameter_constraints, self.get_params(deep=False))
            widths = hidden_widths(self.hidden_layer_sizes)
            if incremental and self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            if incremental:
                self._announce_classes(y, classes)
            continues = hasattr(self, "coefs_") and (self.warm_start or incremental)
            learns = not (self.warm_start or incremental)
            rows, dtype = self._encode(X, y, sample_weight, continues=continues, learns=learns)
            rng = check_random_state(self.random_state)
            self._bind(widths)
            if not continues:
                self._start(widths, rng, dtype)
            self._check_shapes(widths)
            data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
            reporter = EpochReporter(self, data, 1 if incremental else self.max_iter)
            with self._on_device(self._training_dtype(dtype)):
                if self._is_lbfgs:
                    status, warning = self._fit_lbfgs(rows, rng, reporter)
                else:
                    status, warning = self._fit_stochastic(rows, rng, reporter, incremental=incremental)
            self._check_finite()
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
        target = target.astype(compute, copy=False) if target.dtype.kind == "f" else target
        rows = self._weigh(WeightedRows(encode_rows(X, compute), target, weight))
        if not (rows.weight > 0).any():
            raise ValueError(
                "class_weight leaves no row of y a positive weight. Give a positive one to a class that is in y."
            )
        return rows, dtype

    def _bind(self, widths: tuple[int, ...]) -> None:
        """Resolve loss and network for the task at hand."""
        self._loss = self._resolved_loss()
        if self._task.kind not in self._loss.tasks:
            raise ValueError(
                f"The loss {type(self._loss).__name__} does not serve {self._task.kind} targets, but {', '.join(self._loss.tasks)}. "
                f"Choose another loss for {type(self).__name__}, such as {next(iter(self._own_losses))!r}."
            )
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

    def _fit_stochastic(
        self, rows: WeightedRows, rng: np.random.RandomState, reporter: EpochReporter, *, incremental: bool
    ) -> tuple[int, str]:
        """Train by steps on batches; return how it ended, and what to warn of."""
        key = self._key(rng)
        train, held_out = self._split(rows, rng)
        n = len(train.target)
        optimizer = self._resolved_solver()
        size = padded_size(n) if optimizer.full_batch else self._batch_size(n)
        shuffles = CumulativeShuffles(n, rng) if self.shuffle else None
        order: EpochOrder = shuffles or epoch_order(n, key, shuffle=False)
        feed = Feed(train, self._columns, size, order)
        config = self._config(train.x.dtype, optimizer, held_out)
        printer = IterationPrinter(
            self.tol, self.n_iter_no_change, early_stopping=held_out is not None, adaptive=self._rule.adaptive
        )
        is_sparse_validation = held_out is not None and is_sparse(held_out.x)
        plan = Plan(
            config=config,
            state=self._first_state(config, key, feed, incremental=incremental),
            feed=feed,
            validation=None if held_out is None or is_sparse_validation else pad_rows(held_out, self._columns),
            n_epochs=1 if incremental else self.max_iter,
            reporter=reporter,
            host_val_loss=host_loss(config, held_out) if held_out is not None and is_sparse_validation else None,
            print_epoch=printer if self.verbose else None,
        )
        result, state = run_training(plan)
        if shuffles is not None and self.random_state is not None:
            # NumPy's own generator is left where it is: other threads may draw from it.
            shuffles.rewind(result.n_epochs)
        if result.status == stopping.NON_FINITE and not result.has_best:
            _raise_non_finite()
        if result.status == stopping.CONVERGED and self.verbose and not incremental:
            printer.converged()
        self._store_stochastic(config, result, state, n)
        return result.status, self._warning_of(result.status)

    def _split(self, rows: WeightedRows, rng: np.random.RandomState) -> tuple[WeightedRows, WeightedRows | None]:
        """Return training rows and held-out rows, as `train_test_split` chooses them."""
        if not self.early_stopping:
            return rows, None
        if self.validation_fraction == 0:
            raise ValueError("early_stopping=True needs rows to validate on: set validation_fraction above 0.")
        index = np.arange(len(rows.target))
        train, held_out = train_test_split(
            index, random_state=rng, test_size=self.validation_fraction, stratify=self._strata(rows)
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        validation = rows.take(held_out)
        mean = float(validation.weight.mean())
        if mean == 0:
            raise ValueError(
                "All rows held out for early stopping have weight 0. Leave out rows of weight 0, or set early_stopping=False."
            )
        return rows.take(train), normalise_weights(validation, mean)

    @property
    def _rule(self) -> EpochsWithoutGain:
        changes = "constant" if self.solver == "adam" else self.learning_rate  # as in scikit-learn
        return EpochsWithoutGain(
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            learning_rate=self.learning_rate_init,
            adaptive=changes == "adaptive",
            power_t=self.power_t if changes == "invscaling" else None,
            n_seen_before=self._n_seen,
        )

    def _objective(self) -> BatchMean:
        return BatchMean(self.alpha, *self._loss_scales())

    def _config(self, dtype: Any, optimizer: Optimizer, held_out: WeightedRows | None) -> FitConfig:
        monitor: Literal["train", "validation", "host"] = "train"
        if held_out is not None:
            monitor = "host" if is_sparse(held_out.x) else "validation"
        return as_traced(
            FitConfig(
                model=self._model,
                loss=self._loss,
                optimizer=optimizer,
                schedule=Constant(),
                objective=self._objective().replace(largest_reported=self._largest_reported(dtype)),
                stopping=self._rule,
                learning_rate=self.learning_rate_init,
                max_epochs=self.max_iter,
                monitor=monitor,
                keep_best=held_out is not None,
                validation_loss=None if held_out is None else self._validation_loss(held_out),
            ),
            dtype,
        )

    def _first_state(self, config: FitConfig, key: Any, feed: Feed, *, incremental: bool) -> TrainState:
        """Return the state that training starts from: the weights, and what is left of earlier training."""
        counts = np.int32(feed.n), np.int32(feed.steps_per_epoch)
        params, model_state = self._first_params(config, key)
        state: TrainState = continued_state(config, params, model_state, key, *counts, np.int32(0))
        return resumed(state, self._memory, config, self.solver, keeps_solver=incremental)

    def _first_params(self, config: FitConfig, key: Any) -> tuple[Any, Any]:
        """Return the weights, with new parameters of normalisation layers unless there are some."""
        dtype = config.learning_rate.dtype  # type: ignore[attr-defined]  # cast by as_traced
        others, model_state = getattr(self, "_other_params", {}), getattr(self, "model_state_", {})
        if self.normalization is None:
            others, model_state = {}, {}
        else:
            fresh = new_state(config, key, np.int32(1), np.int32(1))
            new_others = split_params(fresh.params, len(self.coefs_) - 1)[2]
            if set(others) != set(new_others):  # the first training with this normalisation
                others, model_state = new_others, fresh.model_state
        dense = dense_params(self.coefs_, self.intercepts_)
        params, model_state = cast_floats(({**others, **dense}, model_state), dtype)
        return params, model_state

    def _store_stochastic(self, config: FitConfig, result: FitResult, state: TrainState, n: int) -> None:
        self._store_params(result.params, result.model_state)
        self._memory = memory_of(state, config, self.solver)
        self._extend_history(result.history)
        self.n_iter_ = result.n_epochs
        self.t_ = self._n_seen + n * result.n_epochs
        self.loss_curve_ = [*getattr(self, "loss_curve_", []), *result.history["train_loss"]]
        if self.loss_curve_:
            self.loss_ = self.loss_curve_[-1]
        self._store_scores(config, result, self._memory.best)

    def _extend_history(self, history: dict[str, list[float]]) -> None:
        """Append the lines of a run, counting its epochs on; columns that it does not have are filled with NaN."""
        unknown = [np.nan] * len(history["epoch"])
        earlier = getattr(self, "_history", {name: [] for name in COLUMNS})
        self._history = {name: earlier[name] + history.get(name, unknown) for name in COLUMNS}
        self._history["epoch"] = list(range(1, len(self._history["epoch"]) + 1))

    def _store_scores(self, config: FitConfig, result: FitResult, best: np.ndarray) -> None:
        if not config.keep_best:
            self.best_loss_: float | None = float(best) if self.loss_curve_ else np.inf
            self.validation_scores_: list[float] | None = None
            self.best_validation_score_: float | None = None
            return
        scores = [1.0 - float(best.dtype.type(loss)) for loss in result.history["val_loss"]]
        if result.status == stopping.NON_FINITE and scores:
            scores[-1] = np.nan
        self.validation_scores_ = [*(getattr(self, "validation_scores_", None) or []), *scores]
        self.best_loss_, self.best_validation_score_ = None, 1.0 - float(best)

    def _fit_lbfgs(self, rows: WeightedRows, rng: np.random.RandomState, reporter: EpochReporter) -> tuple[int, str]:
        """Train by SciPy's L-BFGS-B; return how it ended, and what to warn of."""
        if self.dropout is not None or self.normalization == "batch":
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
            _raise_non_finite()
        self._store_params(found.params, model_state)
        self._memory = None
        self._extend_history(found.history)
        self.n_iter_, self.loss_ = found.n_iter, found.loss
        return stopping.INTERRUPTED if found.was_interrupted else stopping.CONVERGED, found.message

    def _after_lbfgs_iteration(self, reporter: EpochReporter, line: dict[str, float], params: Any) -> bool:
        if self.verbose:
            print(f"Iteration {line['epoch']}, loss = {line['train_loss']:.8f}")
        reporter.begin_epoch()  # SciPy tells of an iteration when it is done, never whether there is another
        return reporter.end_epoch(lambda: {"params_": params})

    def _store_params(self, params: Any, model_state: Any) -> None:
        """Keep weights in the type of the first ones, whatever the solver worked in."""
        params, self.model_state_ = cast_floats((params, model_state), self._weights_dtype)
        self.coefs_, self.intercepts_, self._other_params = split_params(params, len(self.coefs_) - 1)

    def _check_finite(self) -> None:
        if not all(np.isfinite(w).all() for w in (*self.coefs_, *self.intercepts_)):
            _raise_non_finite()

    def _check_shapes(self, widths: tuple[int, ...]) -> None:
        """Raise ValueError when weights from before do not fit the data and the parameters of now."""
        units = (*self._columns, *widths, self.n_outputs_)
        wanted = list(pairwise(units))
        found = [np.shape(coef) for coef in self.coefs_]
        if found != wanted:
            raise ValueError(
                f"Training cannot go on from coefs_ of shapes {found}: hidden_layer_sizes={self.hidden_layer_sizes} and the data "
                f"need {wanted}. Set warm_start=False, or fit a clone."
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

    # Small pieces.

    def _key(self, rng: np.random.RandomState) -> np.ndarray:
        """Return the key of dropout; not drawn from scikit-learn's stream, and another one in each `partial_fit`."""
        seed = int(copy.deepcopy(rng).randint(2**31 - 1))
        return key_of_seed(seed + (self._n_seen << 32))

    @property
    def _n_seen(self) -> int:
        return getattr(self, "t_", 0)  # weights may have been assigned to an estimator that was never fitted

    @property
    def _is_lbfgs(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    @property
    def _weights_dtype(self) -> np.dtype[Any]:
        return np.asarray(self.coefs_[0]).dtype

    def _training_dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type to train in: SciPy's L-BFGS-B works in float64, as it does in scikit-learn."""
        return np.dtype(np.float64) if self._is_lbfgs else dtype

    def _component_value(self, name: str) -> Any:
        value = getattr(self, name)
        own = OWN_SOLVERS if name == "solver" else self._own_losses
        return None if isinstance(value, str) and value in own else value

    def _resolved_loss(self) -> Loss:
        value = self._component_value("loss")
        loss: Loss = self._own_losses[self.loss] if value is None else resolve_ready("loss", value)[1]
        return loss

    def _resolved_solver(self) -> Optimizer:
        value = self._component_value("solver")
        if value is None:
            if self.solver == "sgd":
                return SGDSolver(self.momentum, bool(self.nesterovs_momentum))
            return AdamSolver(self.beta_1, self.beta_2, self.epsilon)
        optimizer: Optimizer = resolve_ready("optimizer", value)[1]
        if optimizer.full_batch and self.batch_size != "auto":
            raise ValueError(
                f"The optimizer {type(optimizer).__name__} needs all rows at every step. Got batch_size={self.batch_size}. "
                "Leave batch_size at 'auto'."
            )
        return optimizer

    def _batch_size(self, n: int) -> int:
        if isinstance(self.batch_size, str):
            return min(AUTO_BATCH_SIZE, padded_size(n))
        if self.batch_size > n:
            warn_caller("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return min(int(self.batch_size), padded_size(n))

    @property
    def params_(self) -> dict[str, Any]:
        """The parameters as a nested dict of arrays, made of `coefs_` and `intercepts_`."""
        if not hasattr(self, "coefs_"):
            raise AttributeError(f"This {type(self).__name__} has no params_ yet: call fit first.")
        return {**getattr(self, "_other_params", {}), **dense_params(self.coefs_, self.intercepts_)}

    @params_.setter
    def params_(self, params: dict[str, Any]) -> None:
        n_hidden = sum(name.startswith("Dense_") for name in params)
        self.coefs_, self.intercepts_, self._other_params = split_params(params, n_hidden)

    def _params_for(self, X: Any) -> tuple[Any, np.dtype[Any]]:
        """Return the weights in the wider of their type and that of X, in which scikit-learn computes too."""
        dtype = np.result_type(self._weights_dtype, X.dtype)
        return cast_floats(self.params_, dtype), dtype

    def _fitted_attributes(self) -> dict[str, Any]:
        return {"coefs_": self.coefs_, "intercepts_": self.intercepts_}

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


def _raise_non_finite() -> None:
    raise NonFiniteLossError(
        "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed. "
        "Scale the columns of X (for example with StandardScaler), or lower learning_rate_init."
    )
