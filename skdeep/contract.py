"""READ FIRST. The base classes of losses, optimizers, schedules, layers, networks and augmentations.

Components (subclass these; write annotated fields and methods, nothing else):

============ ====================================================================================
Loss         `loss(raw, target) -> (n,)`, `link(raw, task, xp)`, `n_raw(task)`, `parameters(task)`
Optimizer    `transformation(learning_rate) -> optax.GradientTransformation`
Schedule     `schedule(progress) -> factor` of the learning rate
Layer        `build() -> flax.linen.Module`
Network      `build(in_shape, n_outputs) -> flax.linen.Module`, and `build_causal` for sequences
Augmentation `augmentation(key, x) -> x`, or `mix(key, x, other) -> (x, share)`
============ ====================================================================================

The records that they are given, such as `Task`, are in `records.py`.

Shapes: `n` rows, `raw` network outputs, `(n, raw)` the network's output before the link.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Shaped

from skdeep.arguments import arguments_for
from skdeep.component import Component
from skdeep.linen import call_arguments
from skdeep.records import Batch, InputSpec, ModelState, OptimizerState, Params, Raw, Rows, SparseRows, Task, TaskKind

if TYPE_CHECKING:
    import flax.linen as nn
    import optax

__all__ = [
    "KINDS",
    "PLUGIN_API",
    "Augmentation",
    "Batch",
    "InputSpec",
    "Layer",
    "Loss",
    "ModelState",
    "Network",
    "NetworkFunctions",
    "Optimizer",
    "OptimizerState",
    "Params",
    "Rows",
    "Schedule",
    "SparseRows",
    "Task",
    "TaskKind",
    "arguments_for",
    "call_arguments",
]

PLUGIN_API = (1, 1)
"""The version of what this file describes: another major number breaks plugins, another minor one adds to it.

A plugin that needs more than `(1, 0)` says so by an attribute of its component, `plugin_api = (1, 2)`.
`(1, 1)` added:

- raw outputs by name (`Loss.n_raw`, `Network.names_outputs`), inputs by name (`Network.names_inputs`), integer ids (`n_ids`);
- losses with parameters (`Loss.parameters`), losses of a batch (`Loss.of_batch`), and targets with other columns than are
  predicted (`Loss.n_predicted`, `check_target`, `example_target` and `score`);
- losses that modules report by `sow("losses", ...)`, and random streams of any name;
- `progress`, `step`, `n_steps` and `key` for optimizers and schedules that name them, and `Schedule.looks_at_the_end`;
- `skdeep.network_functions`.
"""


class NetworkFunctions(NamedTuple):
    """A network as pure functions of parameters and state.

    `init(key, x) -> (params, model_state)`; `apply(params, model_state, x, train, key, row_mask) ->
    (raw, model_state)`, where `row_mask` is 0 for rows that are padding. What stands in the model state under
    the name "batch_stats" are averages over batches: a short batch moves them by its share of a full one. While training,
    `apply` may report losses of its own (any shape, summed) under the name "losses" of the model state that it returns, at
    any depth; `init` does not return that name.
    """

    init: Callable[..., tuple[Params, ModelState]]
    apply: Callable[..., tuple[Raw, ModelState]]


class Loss(Component):
    """One value a row, unreduced; weights, padding and the mean are applied by the training step.

    `raw (n, n_raw(task))` and `target` (`(n,)` codes, `(n, labels)` of 0 and 1, or `(n, outputs)`) go in,
    `(n,)` comes out, in the type of raw: finite, differentiable, and each row from that row alone.
    `link` maps raw outputs to probabilities or predictions, so that a smaller loss means a better prediction;
    `predict`, `decision_function`, `score` and early stopping follow from it.

    Class variables: `tasks` the tasks it serves; `probabilistic`, whether `link` gives class
    probabilities; `scaling`, how a regression target is brought to unit size before training
    (`"standard"`: subtract the mean, divide by the standard deviation; `"mean"`: divide by the
    mean; `"none"`); `has_std`, whether `std` exists; `domain`, the values a target may have (`"unit"`: in [0, 1]);
    `of_batch`, whether the loss of a row depends on the other rows of its batch.

    A loss of a batch is called with the weights of the rows `(n,)` as well, 0 for padding, `loss(raw, target, weight)`. It
    returns one value per row; a value of the whole batch is given to each row. Rows of weight 0 must not change the
    values of the others, nor may the order of the rows. Weights may be 0 in all rows: the values are then finite. What
    such a loss says depends on the rows that it sees together: `batch_size` belongs to its meaning, and in validation
    it sees at most 512 rows at once.

    >>> import jax.numpy as jnp
    >>> import skdeep
    >>> class Dice(skdeep.Loss):
    ...     tasks, probabilistic, of_batch = ("binary",), True, True
    ...     def __call__(self, raw, target, weight):
    ...         probability = 1 / (1 + jnp.exp(-raw[:, 0]))
    ...         both = jnp.sum(weight * probability * target)
    ...         size = jnp.sum(weight * (probability + target))
    ...         return jnp.full(len(raw), 1 - (2 * both + 1) / (size + 1))
    >>> Dice()(jnp.zeros((2, 1)), jnp.array([0, 1]), jnp.ones(2))
    Array([0.3333333, 0.3333333], dtype=float32)

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import skdeep
    >>> class LogCosh(skdeep.Loss):
    ...     scale: float = 1.0
    ...     tasks = ("regression",)
    ...     scaling = "standard"
    ...     def __call__(self, raw, target):
    ...         ratio = (raw - target) / self.scale
    ...         return (jnp.logaddexp(ratio, -ratio) - jnp.log(2.0)).mean(axis=1)
    >>> LogCosh()(jnp.zeros((2, 1)), jnp.zeros((2, 1)))
    Array([0., 0.], dtype=float32)
    """

    kind: ClassVar[str] = "loss"
    tasks: ClassVar[tuple[TaskKind, ...]] = ("binary", "multiclass", "multilabel", "regression")
    probabilistic: ClassVar[bool] = False
    scaling: ClassVar[Literal["none", "standard", "mean"]] = "none"
    has_std: ClassVar[bool] = False
    domain: ClassVar[Literal["real", "non-negative", "unit"]] = "real"
    of_batch: ClassVar[bool] = False

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        """Return the loss of each row. A loss of a batch takes `weight` `(n,)` as a third argument.

        `target` is int codes `(n,)` for binary and multiclass, 0/1 floats `(n, labels)` for
        multilabel, floats `(n, outputs)` for regression.
        """
        raise NotImplementedError

    def n_raw(self, task: Task) -> int | dict[str, int]:
        """Return how many raw outputs the network must have, or how many under each name.

        With names, `raw` is a dict of arrays `(n, width)` in all methods of the loss, whatever network it serves:

        >>> import skdeep
        >>> class NormalNLL(skdeep.Loss):
        ...     tasks = ("regression",)
        ...     def n_raw(self, task):
        ...         return {"mean": task.n_targets, "log_scale": task.n_targets}
        ...     def __call__(self, raw, target):
        ...         z = (target - raw["mean"]) * jnp.exp(-raw["log_scale"])
        ...         return (0.5 * z**2 + raw["log_scale"]).mean(axis=1)
        ...     def link(self, raw, task, xp):
        ...         return raw["mean"]

        Raise ValueError if the loss does not serve this number of targets; `skdeep.testing` then leaves it out.
        """
        return task.n_raw

    def parameters(self, task: Task) -> dict[str, Any]:
        """Return the initial values of parameters of the loss that training learns, each a vector of floats `(k,)`.

        They are trained by the optimizer of the network, beside its parameters (in `params_["loss"]`), and are not
        penalised. All methods of the loss get them among the raw outputs under their names, as `(n, k)` with the same values
        in each row; the raw outputs of the network need names too. For a parameter that must be positive, return its logarithm.

        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> import skdeep
        >>> class NormalNLL(skdeep.Loss):  # one standard deviation for all rows, learned
        ...     tasks = ("regression",)
        ...     scaling = "standard"
        ...     has_std = True
        ...     def n_raw(self, task):
        ...         return {"mean": task.n_targets}
        ...     def parameters(self, task):
        ...         return {"log_std": np.zeros(task.n_targets)}
        ...     def __call__(self, raw, target):
        ...         z = (target - raw["mean"]) * jnp.exp(-raw["log_std"])
        ...         return (0.5 * z**2 + raw["log_std"]).mean(axis=1)
        ...     def link(self, raw, task, xp):
        ...         return raw["mean"]
        ...     def std(self, raw, task, xp):
        ...         return xp.exp(raw["log_std"])
        >>> model = skdeep.DeepRegressor(network="linear", loss=NormalNLL(), max_epochs=2, tol=None)
        >>> model.fit(np.eye(4), np.arange(4.0)).params_["loss"]["log_std"].shape
        (1,)

        Default: none. Only `DeepClassifier` and `DeepRegressor` take losses with parameters.
        """
        return {}

    def n_predicted(self, task: Task) -> int:
        """Return how many outputs are predicted per row of a regression task, by default one for each column of y.

        Override it where y is more than what is predicted, such as y `(n, 2)` of times and events, of which one
        risk is predicted. `link`, `point` and `std` then have this number of outputs, and `predict` returns `(n,)` for one.
        There is no R^2 of such predictions: `score` says how good they are. `scaling` must be "none".

        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> import skdeep
        >>> class Interval(skdeep.Loss):  # y (n, 2): lower and upper bounds of what is predicted
        ...     tasks = ("regression",)
        ...     def n_raw(self, task):
        ...         return 1
        ...     def n_predicted(self, task):
        ...         return 1
        ...     def check_target(self, y):
        ...         if y.shape[1] != 2 or (y[:, 0] > y[:, 1]).any():
        ...             raise ValueError("y must have two columns, the lower bound first.")
        ...     def example_target(self, values):
        ...         return np.sort(values, axis=1)
        ...     def __call__(self, raw, target):
        ...         outside = jnp.maximum(target[:, 0] - raw[:, 0], raw[:, 0] - target[:, 1])
        ...         return jnp.maximum(outside, 0.0) ** 2
        ...     def score(self, prediction, y, sample_weight=None):
        ...         is_inside = (y[:, 0] <= prediction[:, 0]) & (prediction[:, 0] <= y[:, 1])
        ...         return np.average(is_inside, weights=sample_weight)
        >>> y = np.array([[0.0, 1.0], [0.5, 2.0], [1.0, 3.0]])
        >>> model = skdeep.DeepRegressor(loss=Interval(), max_epochs=2, tol=None).fit(np.eye(3), y)
        >>> model.predict(np.eye(3)).shape
        (3,)

        Only `DeepRegressor` takes such losses.
        """
        return task.n_targets

    def check_target(self, y: np.ndarray) -> None:
        """Raise ValueError for a y `(n, columns)`, in the units of the user, that the loss is not defined for.

        Called for regression before training, on the host, with rows to train on and rows to validate on. What `domain`
        says is checked anyway.
        """

    def example_target(self, values: np.ndarray) -> np.ndarray:
        """Return a y that the loss is defined for, made of standard normal numbers `(n, columns)`; for `skdeep.testing`.

        By default the numbers themselves, which are moved to the domain of the loss before.
        """
        return values

    def score(self, prediction: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
        """Return how good predictions are, where a larger value is better: what `DeepRegressor.score` returns.

        Override it for a score other than R^2. `prediction` is that of `point`, `(n, n_predicted(task))`, and `y` has all its
        columns, `(n, columns)`; both are in the units of y and float64. `sample_weight` is `(n,)`, or None for equal weights.
        """
        raise NotImplementedError

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        """Map raw outputs to probabilities (classifiers) or predictions (regressors).

        Everything that an estimator predicts and scores follows from this. Default: sigmoid or softmax if
        the loss is probabilistic (for a binary task with two raw outputs the softmax of both), else the identity.

        Parameters
        ----------
        raw : array (n, n_raw(task))
            As the network gave it: in float64 at prediction.
        task : Task
        xp : module
            NumPy at prediction, `jax.numpy` inside programs.

        Returns
        -------
        array, of a shape that depends on the task:

        - binary: `(n,)` or `(n, 1)`, the probability of the second class, or `(n, 2)`, those of both;
        - multiclass: `(n, classes)`, probabilities that sum to 1 in each row;
        - multilabel: `(n, labels)`, the probability of each label;
        - regression: `(n, outputs)` with `n_predicted(task)` outputs, or `(n, outputs, k)` with `k` numbers for each
          output, which `point` reduces to one.

        The class with the largest probability is predicted (the first of equal ones), and the labels with one
        above 0.5. If the loss is not `probabilistic`, the same shapes hold scores: the class with the largest
        is predicted, the second class and labels where theirs is above 0. Estimators raise ValueError for any
        other shape.
        """
        if task.kind == "regression" or not self.probabilistic:
            return raw
        if task.kind == "multiclass":
            shifted = raw - xp.max(raw, axis=1, keepdims=True)
            exponential = xp.exp(shifted)
            return exponential / xp.sum(exponential, axis=1, keepdims=True)
        if task.kind == "binary" and raw.shape[1] == 2:
            raw = raw[:, 1:] - raw[:, :1]
        return xp.exp(-xp.logaddexp(0.0, -raw))

    def point(self, prediction: Any) -> Any:
        """Reduce `link`'s regression output to `(n, outputs)`, the values that a score compares with y.

        Override it if `link` returns `(n, outputs, k)`.
        """
        return prediction

    def std(self, raw: Any, task: Task, xp: Any) -> Any:
        """Return the predicted standard deviation `(n, outputs)`; only where `has_std`."""
        raise NotImplementedError


class Optimizer(Component):
    """Turns gradients into updates, at a learning rate that is a traced number.

    Write `transformation(learning_rate)`; override the other three only for optimizers that need
    the value (line searches) or train at other points than they predict with (schedule-free).
    `full_batch` optimizers see all rows at every step.

    The state is a pytree of arrays whose tree, shapes and types stay as `init` made them (it is carried
    through a compiled loop); updates have those of the parameters, and are added to them.

    Examples
    --------
    >>> import optax
    >>> import skdeep
    >>> class SignSGD(skdeep.Optimizer):
    ...     def transformation(self, learning_rate):
    ...         return optax.sign_sgd(learning_rate)
    >>> skdeep.DeepClassifier(optimizer=SignSGD())
    DeepClassifier(optimizer=SignSGD())
    """

    kind: ClassVar[str] = "optimizer"
    full_batch: ClassVar[bool] = False

    def transformation(self, learning_rate: Any) -> optax.GradientTransformation:
        """Return the optax transformation for one step at this learning rate."""
        raise NotImplementedError

    def init(self, params: Params) -> OptimizerState:
        """Return the state before the first step."""
        return self.transformation(1.0).init(params)

    def update(
        self,
        grad: Params,
        state: OptimizerState,
        params: Params,
        learning_rate: Float[Array, ""],
        value: Float[Array, ""],
        objective: Callable[[Params], Float[Array, ""]],
    ) -> tuple[OptimizerState, Params]:
        """Return the new state and the updates to add to the parameters.

        `value` and `grad` are those of `objective` (the penalised loss of this batch) at `params`.

        An optimizer may name further arguments, which it is then given by name: `progress`, epochs done over `max_epochs`, in
        [0, 1]; `step`, the number of steps done (int32), counted as if all epochs had as many as the current one; `key`,
        a JAX key of its own for each step, for noise. One that holds another optimizer takes them all and passes on those
        that the other names:

        >>> import skdeep
        >>> from skdeep.contract import arguments_for
        >>> from skdeep.optimizers import Adam
        >>> class Halved(skdeep.Optimizer):
        ...     base: skdeep.Optimizer = Adam()
        ...     def init(self, params):
        ...         return self.base.init(params)
        ...     def update(self, grad, state, params, learning_rate, value, objective, **more):
        ...         more = arguments_for(self.base.update, **more)
        ...         return self.base.update(grad, state, params, learning_rate / 2, value, objective, **more)
        """
        updates, state = self.transformation(learning_rate).update(grad, state, params)
        return state, updates

    def eval_params(self, params: Params, state: OptimizerState) -> Params:
        """Return the parameters to validate, keep and predict with."""
        return params


class Schedule(Component):
    """A function of progress in [0, 1] to the factor that multiplies the learning rate.

    One number `()` goes in, one number of at least 0 comes out. Must be branch-free (`jnp.where`),
    as progress and the fields are traced. Class variable: `looks_at_the_end` is False if the factor depends neither
    on progress nor on `n_steps`, so that a longer training begins as a shorter one.

    Examples
    --------
    >>> import skdeep
    >>> class Polynomial(skdeep.Schedule):
    ...     power: float = 2.0
    ...     def __call__(self, progress):
    ...         return (1.0 - progress) ** self.power
    >>> Polynomial()(0.5)
    0.25
    """

    kind: ClassVar[str] = "schedule"
    looks_at_the_end: ClassVar[bool] = True

    def __call__(self, progress: Any) -> Any:
        """Return the factor at this progress (0 at the start, 1 at `max_epochs`).

        A schedule may name further arguments, which it is then given by name: `step`, the number of steps done, and
        `n_steps`, those that `max_epochs` epochs have (both int32).

        >>> import skdeep
        >>> class InverseRoot(skdeep.Schedule):
        ...     looks_at_the_end = False
        ...     def __call__(self, progress, step):
        ...         return 1 / jnp.sqrt(1.0 + step)
        """
        raise NotImplementedError


class Layer(Component):
    """Builds a linen module, inside the traced program, so that its float fields are traced.

    The module's `__call__(x)` takes rows `(n, ...)` and returns rows `(n, ...)`. It may also take

    - `train: bool`;
    - `row_mask: (n,)`, 0 for rows that are padding: a module that mixes rows while training (as batch
      normalisation does) must leave those out;
    - `step_mask: bool (n, time)`, False for steps of a sequence `(n, time, ...)` that are padding, or
      None if none are: a module that mixes steps must leave those out.

    A module reports a loss of its own, such as a penalty on its activations, by `self.sow("losses", name, value)`. While
    training, all values reported are summed and added to the loss of each row. Leave padding rows out by `row_mask`; validation
    losses have no such part. Random numbers come from `self.make_rng(name)`, with any name: streams of two names differ,
    and so do two draws from one.

    A layer of ids (whole numbers from 0) says by the property `n_ids` how many there are: if it is a network's first, X reaches
    it as int32. For `skdeep.testing`: class variable `example_shape`, the shape of a row that it takes.

    Examples
    --------
    >>> import flax.linen as nn
    >>> import skdeep
    >>> class Scale(skdeep.Layer):
    ...     factor: float = 2.0
    ...     def build(self):
    ...         return nn.Sequential([lambda x: x * self.factor])
    >>> skdeep.DeepClassifier(network=["dense", Scale(factor=3.0)])
    DeepClassifier(network=['dense', Scale(factor=3.0)])
    """

    kind: ClassVar[str] = "layer"
    example_shape: ClassVar[tuple[int, ...]] = (6,)

    def build(self) -> nn.Module:
        """Return the linen module."""
        raise NotImplementedError

    @property
    def n_ids(self) -> int | None:
        """Number of ids if rows hold ids, which then come as int32; None if rows hold numbers, in the type of training."""
        return None

    @property
    def example_ids(self) -> int | None:
        """Number of ids in the rows of `skdeep.testing`; None if rows hold numbers."""
        return None if self.n_ids is None else min(4, self.n_ids)

    def check_rows(self, x: np.ndarray) -> None:
        """Raise ValueError for rows that the layer cannot take, where compiled code could not.

        Called on the host with rows `(n, ...)` before training and prediction, if the layer is a network's first.
        """

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        """Return the step mask of the output, where `x` and `step_mask` went in; None once there are no steps.

        By default a layer keeps the steps as they are.
        """
        return step_mask


class Network(Component):
    """Builds a whole network for rows of shape `in_shape`, inside the traced program.

    Rows `(n, *in_shape)` go in, and the output must be `(n, n_outputs)`. The module may take `train`
    and `row_mask` like a layer's, and report losses and draw random numbers as a layer's does. `example_shape`, `n_ids` and
    `check_rows` are as of a layer. An NNX module reports a loss by a variable called "losses":
    `self.sow(nnx.Intermediate, "losses", value)`.

    Several inputs, X being a `skdeep.Inputs`, go to networks with `names_inputs = True`: `in_shape` is then a dict of
    `skdeep.InputSpec`, and the module gets a dict of arrays, or named arguments if its `__call__` has a parameter for each input.

    A loss may need raw outputs by name. The columns of the output are then given those names in alphabetical order, unless
    the network does it itself: with `names_outputs = True`, `n_outputs` is a dict of widths, and the output a dict of arrays.

    Examples
    --------
    >>> import flax.linen as nn
    >>> import skdeep
    >>> class Wide(skdeep.Network):
    ...     factor: int = 4
    ...     def build(self, in_shape, n_outputs):
    ...         return nn.Sequential([nn.Dense(self.factor * in_shape[-1]), nn.relu, nn.Dense(n_outputs)])
    >>> skdeep.DeepRegressor(network=Wide(factor=2))
    DeepRegressor(network=Wide(factor=2))
    """

    kind: ClassVar[str] = "network"
    names_inputs: ClassVar[bool] = False
    names_outputs: ClassVar[bool] = False
    example_shape: ClassVar[tuple[int, ...]] = (6,)

    def build(self, in_shape: Any, n_outputs: Any) -> nn.Module | Callable[..., Any] | NetworkFunctions:
        """Return the linen module, a function `f(rngs) -> flax.nnx.Module`, or pure functions."""
        raise NotImplementedError

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        """Return what `build` does, for `n_outputs` at each step of rows `(time, features)`: `(n, time, n_outputs)`.

        The outputs at a step depend on that step and earlier ones only: they say what comes next.

        Raises
        ------
        ValueError
            If the network, or one with these fields, has no such form (the default).
        """
        raise ValueError(
            f"The network {type(self).__name__} has no outputs at each step of a sequence, made of the steps before. Give "
            "'lstm', 'gru', 'tcn', 'transformer', a list of layers that keep the steps, or a module of your own that does."
        )

    @property
    def n_ids(self) -> int | None:
        """Number of ids if rows hold ids, which then come as int32; None if rows hold numbers, in the type of training."""
        return None

    @property
    def example_ids(self) -> int | None:
        """Number of ids in the rows of `skdeep.testing`; None if rows hold numbers."""
        return None if self.n_ids is None else min(4, self.n_ids)

    def check_rows(self, x: Any) -> None:
        """Raise ValueError for rows that the network cannot take, where compiled code could not.

        Called on the host with rows `(n, *in_shape)`, or a dict of them by name, before training and prediction; not for
        sparse X.
        """


class Augmentation(Component):
    """Changes the rows of each training batch at random, inside the compiled step; predictions see them as they are.

    A pure function of a JAX key and rows `(n, *in_shape)` to rows of the same shape and type, each changed
    by itself. One that puts rows together sets `mixes = True` and writes `mix` instead, which gets the
    rows of another order beside them: the loss of a row is then `share` of its own target's and the
    rest of the other's. Class variable: `example_shape`, as of a layer.

    Examples
    --------
    >>> import jax
    >>> import skdeep
    >>> class Blackout(skdeep.Augmentation):
    ...     rate: float = 0.1
    ...     def __call__(self, key, x):
    ...         return x * jax.random.bernoulli(key, 1 - self.rate, x.shape)
    >>> skdeep.DeepClassifier(augmentation=Blackout(rate=0.2))
    DeepClassifier(augmentation=Blackout(rate=0.2))
    """

    kind: ClassVar[str] = "augmentation"
    mixes: ClassVar[bool] = False
    example_shape: ClassVar[tuple[int, ...]] = (6,)

    def __call__(self, key: Array, x: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
        """Return the changed rows."""
        raise NotImplementedError

    def mix(
        self, key: Array, x: Float[Array, "n ..."], other: Float[Array, "n ..."]
    ) -> tuple[Float[Array, "n ..."], Any]:
        """Return rows made of pairs, and the share of `x` in them: one number, or one a row `(n,)`."""
        raise NotImplementedError


KINDS: dict[str, type[Component]] = {
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "layer": Layer,
    "network": Network,
    "augmentation": Augmentation,
}
