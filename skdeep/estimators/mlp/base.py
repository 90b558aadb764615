"""What the two perceptrons share: scikit-learn's constructor, the components that it names, and the weights."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import jax
import numpy as np

from skdeep.contract import FitConfig, Loss, Optimizer, Task
from skdeep.core.arrays import aligned_copy
from skdeep.core.random import key_of_seed
from skdeep.core.rows import WeightedRows
from skdeep.core.step import new_state
from skdeep.errors import NonFiniteLossError
from skdeep.estimators.callbacks import CallbackSupportMixin
from skdeep.estimators.fitted import FittedNetwork
from skdeep.estimators.mlp.memory import Memory
from skdeep.estimators.mlp.parameters import MLP_CONSTRAINTS
from skdeep.estimators.mlp.perceptron import cast, dense_params, split_params
from skdeep.estimators.mlp.solvers import AdamSolver, SGDSolver
from skdeep.estimators.nested import NestedParameters
from skdeep.estimators.parameter_types import ActivationLike, BatchSize, Device, LossLike, OptimizerLike, RandomState
from skdeep.estimators.resolve import resolve_ready
from skdeep.estimators.training import joined_history

OWN_SOLVERS = ("lbfgs", "sgd", "adam")


class PerceptronBase(CallbackSupportMixin, NestedParameters, FittedNetwork):
    """The parameters that both perceptrons share, their components and weights."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = MLP_CONSTRAINTS
    _components: ClassVar[dict[str, str]] = {"loss": "loss", "solver": "optimizer"}
    _own_losses: ClassVar[dict[str, Loss]]
    _memory: Memory | None = None
    _task: Task
    _weight_exponent: int = 0
    _other_params: dict[str, Any]
    coefs_: list[Any]
    intercepts_: list[Any]
    t_: int

    @abstractmethod
    def __init__(
        self,
        loss: LossLike,
        hidden_layer_sizes: int | Sequence[int],
        activation: ActivationLike,
        solver: OptimizerLike,
        alpha: float,
        batch_size: BatchSize,
        learning_rate: str,
        learning_rate_init: float,
        power_t: float,
        max_iter: int,
        shuffle: bool,
        random_state: RandomState,
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
        device: Device,
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

    # The components that parameters name.

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

    # Weights, and what is left of earlier training.

    def _key(self, rng: np.random.RandomState) -> np.ndarray:
        """Return the key of dropout; not drawn from scikit-learn's stream, and another one in each `partial_fit`."""
        state: Any = rng.get_state(legacy=False)["state"]
        seed = zlib.crc32(state["key"]) ^ int(state["pos"])
        return key_of_seed(seed + (self._n_seen << 32))

    @property
    def _n_seen(self) -> int:
        return getattr(self, "t_", 0)  # weights may have been assigned to an estimator that was never fitted

    @property
    def _is_lbfgs(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    @property
    def _weights_dtype(self) -> np.dtype[Any]:
        # Weights may have been assigned in a type that nothing is trained in.
        return np.result_type(np.float32, *self.coefs_, *self.intercepts_)

    def _training_dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type to train in: SciPy's L-BFGS-B works in float64, as it does in scikit-learn."""
        return np.dtype(np.float64) if self._is_lbfgs else dtype

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
        return cast(self.params_, dtype), dtype

    def _fitted_attributes(self) -> dict[str, Any]:
        return {"coefs_": self.coefs_, "intercepts_": self.intercepts_}

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
        params, model_state = cast(({**others, **dense}, model_state), dtype)
        return params, model_state

    def _store_params(self, params: Any, model_state: Any) -> None:
        """Keep weights in the type of the first ones, whatever the solver worked in."""
        copied = partial(aligned_copy, dtype=self._weights_dtype)
        params, self.model_state_ = jax.tree.map(copied, (params, model_state))
        self.coefs_, self.intercepts_, self._other_params = split_params(params, len(self.coefs_) - 1)

    def _check_finite(self) -> None:
        if not all(np.isfinite(w).all() for w in (*self.coefs_, *self.intercepts_)):
            raise_non_finite()

    def _check_shapes(self, widths: tuple[int, ...]) -> None:
        """Raise ValueError when weights from before do not fit the data and the parameters of now."""
        units = (*self._columns, *widths, self.n_outputs_)
        wanted = {"coefs_": list(pairwise(units)), "intercepts_": [(width,) for width in units[1:]]}
        for name, shapes in wanted.items():
            found = [np.shape(array) for array in getattr(self, name)]
            if found != shapes:
                raise ValueError(
                    f"Training cannot go on from {name} of shapes {found}: hidden_layer_sizes={self.hidden_layer_sizes} and "
                    f"the data need {shapes}. Set warm_start=False, or fit a clone."
                )

    def _extend_history(self, history: dict[str, list[float]]) -> None:
        """Append the lines of a run."""
        self._history = joined_history(getattr(self, "_history", None), history)


def raise_non_finite() -> None:
    """Raise NonFiniteLossError in scikit-learn's words."""
    raise NonFiniteLossError(
        "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed. "
        "Scale the columns of X (for example with StandardScaler), or lower learning_rate_init."
    )
