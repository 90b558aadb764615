"""READ FIRST. The base classes of losses, optimizers, schedules, layers, networks and augmentations.

To write a component, subclass one of them, and declare annotated fields and methods:

============ ====================================================================================
Loss         `loss(raw, target) -> (n,)`, `link(raw, task, xp)`, `n_raw(task)`, `parameters(task)`
Optimizer    `transformation(learning_rate) -> optax.GradientTransformation`
Schedule     `schedule(progress) -> factor` of the learning rate
Layer        `build() -> flax.linen.Module`
Network      `build(in_shape, n_outputs) -> flax.linen.Module`, and `build_causal` for sequences
Augmentation `augmentation(key, x) -> x`, or `mix(key, x, other) -> (x, share)`
============ ====================================================================================

The records that their methods get, such as `Task`, are in `records.py`.

Shapes: `n` is the number of rows, `raw` the number of raw outputs; raw outputs are the network's output before the link.
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
"""The version of this interface, `(major, minor)`. A new major version breaks plugins, a new minor version adds to the interface.

A component that needs a later version than `(1, 0)` declares it by a class attribute, such as `plugin_api = (1, 1)`.
`(1, 1)` added:

- raw outputs by name (`Loss.n_raw`, `Network.names_outputs`), inputs by name (`Network.names_inputs`), integer ids (`n_ids`);
- losses with parameters (`Loss.parameters`), losses of a batch (`Loss.of_batch`), and targets with other columns than are
  predicted (`Loss.n_predicted`, `check_target`, `example_target` and `score`);
- losses that modules report by `sow("losses", ...)`, and random streams of any name;
- the progress of training in the model state, by the name "progress";
- networks that are ensembles (`n_members`);
- `init_rows`, for initial values that depend on training rows;
- `progress`, `step`, `n_steps` and `key` for optimizers and schedules that name them, and `Schedule.looks_at_the_end`;
- `skdeep.network_functions`.
"""


class NetworkFunctions(NamedTuple):
    """A network as pure functions of parameters and state.

    `init(key, x)` returns `(params, model_state)`. `apply(params, model_state, x, train, key, row_mask)` returns `(raw, model_state)`;
    `row_mask` is 0 for padding rows. Three names in the model state have a meaning, at any depth:

    - "batch_stats" holds averages over batches. A batch with fewer rows than a full batch changes them in proportion to its rows.
    - "progress" holds arrays that are set to the progress before each training step: the epochs done divided by `max_epochs`.
    - "losses" holds losses that `apply` adds in training, arrays of any shape, which are summed. `init` must not return this name.
    """

    init: Callable[..., tuple[Params, ModelState]]
    apply: Callable[..., tuple[Raw, ModelState]]


class Loss(Component):
    """A loss returns one value per row. The training step multiplies by the weights, leaves padding out and takes the mean.

    It takes raw outputs `(n, n_raw(task))` and targets: codes `(n,)`, indicators `(n, labels)` of 0 and 1, or values
    `(n, outputs)`. It returns `(n,)` in the dtype of raw. The values must be finite and differentiable, and each must depend on
    its own row only. `link` maps raw outputs to probabilities or predictions; a smaller loss must mean a better prediction.
    `predict`, `decision_function`, `score` and early stopping use the link.

    Class variables:

    - `tasks`: the tasks that the loss serves.
    - `probabilistic`: True if `link` returns class probabilities.
    - `scaling`: how a regression target is scaled before training. `"standard"` subtracts the mean and divides by the standard
      deviation, `"mean"` divides by the mean, `"none"` changes nothing.
    - `has_std`: True if the loss has `std`.
    - `domain`: the values that a target may have; `"unit"` is [0, 1].
    - `of_batch`: True if the loss of a row depends on the other rows of its batch.
    - `differentiable`: False for a loss that can only judge validation rows (`scoring`).
    - `uses_progress`: True, or a property, if the loss changes over the training; see `at_progress`.

    A loss with `of_batch = True` is called as `loss(raw, target, weight)`, with the weights `(n,)` of the rows, 0 for padding. It
    still returns one value per row; a value of the whole batch is returned for each row. Rows of weight 0 must not change the
    values of other rows. The order of rows must not matter. If all weights are 0, the values must be finite. Such a loss
    depends on which rows form a batch: `batch_size` changes its meaning, and validation calls it with at most 512 rows.

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
    differentiable: ClassVar[bool] = True
    uses_progress: ClassVar[bool] = False

    def at_progress(self, progress: Float[Array, ""]) -> Loss:
        """Return the loss of a training step at this progress.

        Called only if `uses_progress` is True. Progress is the number of epochs done, divided by `max_epochs`, in [0, 1].
        Validation uses the loss itself.
        """
        return self

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        """Return the loss of each row. A loss of a batch takes the weights `(n,)` as a third argument.

        `target` holds int codes `(n,)` for binary and multiclass tasks, floats 0 and 1 `(n, labels)` for multilabel tasks, and
        floats `(n, outputs)` for regression.
        """
        raise NotImplementedError

    def n_raw(self, task: Task) -> int | dict[str, int]:
        """Return the number of raw outputs per row, or a dict with the number under each name.

        If it returns a dict, all methods of the loss get `raw` as a dict of arrays `(n, width)`, for every network:

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

        Raise ValueError if the loss does not serve this number of targets; `skdeep.testing` then skips the task.
        """
        return task.n_raw

    def parameters(self, task: Task) -> dict[str, Any]:
        """Return the initial values of the loss's own parameters, which are trained: vectors of floats `(k,)` by name.

        The network's optimizer trains them together with the network's parameters. `params_["loss"]` holds them. They are not
        penalised. All methods of the loss get them in `raw` under their names, as arrays `(n, k)` with equal rows, so the raw
        outputs of the network need names too. If a parameter must be positive, use its logarithm as the parameter.

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
        """Return the number of predicted outputs per row of a regression task, by default the number of columns of y.

        Override it if y has other columns than the predictions: for example, y `(n, 2)` holds times and events, and one risk
        is predicted. `link`, `point` and `std` then return this number of outputs, and `predict` returns `(n,)` for one output.
        R^2 is not defined for such predictions, so define `score`. `scaling` must be "none".

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
        """Raise ValueError if the loss is not defined for y `(n, columns)`, which is in the user's units.

        Called for regression before training, on the host, with the training rows and the validation rows. `domain` is checked
        separately.
        """

    def example_target(self, values: np.ndarray) -> np.ndarray:
        """Return a valid y made from `values` `(n, columns)`; `skdeep.testing` uses it.

        `values` are standard normal numbers mapped into the domain of the loss. The default returns them unchanged.
        """
        return values

    def score(self, prediction: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
        """Return the score that `DeepRegressor.score` returns; a larger score must mean better predictions.

        Override it for another score than R^2. `prediction` `(n, n_predicted(task))` comes from `point`; `y` is `(n, columns)`.
        Both are float64, in the units of y. `sample_weight` is `(n,)`, or None for equal weights.
        """
        raise NotImplementedError

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        """Map raw outputs to probabilities (classifiers) or predictions (regressors).

        All predictions and scores of an estimator follow from the link. The default is the sigmoid or the softmax if the loss is
        probabilistic (for a binary task with two raw outputs, the softmax of both), and the identity otherwise.

        Parameters
        ----------
        raw : array (n, n_raw(task))
            The network's output; float64 at prediction.
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

        The predicted class is the one with the largest probability (the first of equal ones); the predicted labels are those with
        a probability above 0.5. If the loss is not `probabilistic`, arrays of the same shapes hold scores. The predicted class is
        then the one with the largest score; the second class of a binary task and labels are predicted if their score is above 0.
        Estimators raise ValueError for any other shape.
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
    """An optimizer turns gradients into updates of the parameters. The learning rate is a traced number.

    Define `transformation(learning_rate)`. Override `init` and `update` only if the optimizer needs the loss value, as line
    searches do. Override `eval_params` only if predictions use other parameters than gradients, as in schedule-free methods.
    If `full_batch` is True, each step sees all rows.

    The state is a pytree of arrays. A compiled loop carries it, so `update` must keep its structure, shapes and dtypes. Updates have
    the structure, shapes and dtypes of the parameters, and are added to them.

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

        `update` may have further parameters, and gets the arguments whose names it has: `progress`, the epochs done divided by
        `max_epochs`, in [0, 1]; `step`, the number of steps done (int32), counted as if all epochs had as many steps as the
        current one; `key`, a JAX key per step, for random noise. An optimizer that contains another one takes all of them, and
        passes on those that the other has:

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
        """Return the parameters for validation, for the fitted model and for predictions."""
        return params


class Schedule(Component):
    """A schedule maps the progress of training, in [0, 1], to a factor of the learning rate.

    It takes a scalar and returns a scalar of at least 0. Progress and the fields are traced, so use `jnp.where` instead of `if`.
    Class variable: set `looks_at_the_end = False` if the factor depends neither on progress nor on `n_steps`. A training with a
    larger `max_epochs` then starts with the same epochs.

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

        The method may have further parameters, and gets the arguments whose names it has: `step`, the number of steps done, and
        `n_steps`, the number of steps in `max_epochs` epochs (both int32).

        >>> import skdeep
        >>> class InverseRoot(skdeep.Schedule):
        ...     looks_at_the_end = False
        ...     def __call__(self, progress, step):
        ...         return 1 / jnp.sqrt(1.0 + step)
        """
        raise NotImplementedError


class Layer(Component):
    """A layer builds a linen module. It does so inside the traced program, so its float fields are traced.

    The module's `__call__(x)` takes rows `(n, ...)` and returns rows `(n, ...)`. It may have further parameters:

    - `train: bool`;
    - `row_mask: (n,)`, 0 for padding rows. A module that mixes rows in training, as batch normalisation does, must leave them out.
    - `step_mask: bool (n, time)`, False for padding steps of a sequence `(n, time, ...)`, or None if there are none. A module that
      mixes steps must leave them out.

    A module can add a loss, such as a penalty on its activations, by `self.sow("losses", name, value)`. In training, the sum of all
    these values is added to the loss of each row; use `row_mask` to leave padding rows out. Validation losses do not contain them.
    A variable of the collection "progress" holds the progress of training, the epochs done divided by `max_epochs`, in [0, 1]:
    `self.variable("progress", name, jnp.zeros, ()).value`. Random numbers come from `self.make_rng(name)`, with any name. Streams
    with different names are independent, and so are two draws from one stream.

    Parameters are initialised with one row of zeros. If initial values depend on data, set the class variable `init_rows`:
    the module is then initialised with at most this number of random training rows. Initial values must be finite for equal rows.

    Set `reads_columns = False` if the layer, as a network's first, reads rows `(n, columns)` as sequences. Such networks refuse tables
    with missing values or categories.

    If rows hold ids (whole numbers from 0), define the property `n_ids`, the number of ids. If the layer is a network's first, X
    reaches it as int32. `skdeep.testing` uses the class variable `example_shape`, the shape of a row that the layer takes.

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
    reads_columns: ClassVar[bool] = True
    init_rows: ClassVar[int] = 0

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
        """Raise ValueError for rows that the layer cannot take; compiled code cannot raise.

        Called on the host with rows `(n, ...)` before training and prediction, if the layer is a network's first.
        """

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        """Return the step mask of the output for the input `x` with `step_mask`; None if the output has no steps.

        The default is for a layer that keeps the steps: it returns `step_mask`.
        """
        return step_mask


class Network(Component):
    """A network builds a module for rows of shape `in_shape`, inside the traced program.

    The module takes rows `(n, *in_shape)` and must return `(n, n_outputs)`. As a layer's module, it may take `train` and
    `row_mask`, add losses and draw random numbers. `example_shape`, `init_rows`, `n_ids` and `check_rows` have the same meaning as
    in a layer.
    An NNX module adds a loss by a variable with the name "losses": `self.sow(nnx.Intermediate, "losses", value)`.

    Several inputs: if X is a `skdeep.Inputs`, the network must have `names_inputs = True`. `in_shape` is then a dict of
    `skdeep.InputSpec`. The module gets a dict of arrays, or named arguments if its `__call__` has a parameter for each input.

    Tables with categories: a network that takes one array gets their levels as columns of 0 and 1. With `takes_tables = True` it gets
    the inputs "numeric" (numbers), "one_hot" (columns of the categories with at most as many levels as an
    attribute or field `max_one_hot_levels` says, by default 0) and "category" (ids of the others, from 0 for missing and unknown
    values), of which any may be missing. Set `reads_columns = False` if the
    values of a row are not columns of a table but, for example, the steps of a sequence.

    Several outputs: a loss may need raw outputs by name. By default the columns of the output are assigned to the names in
    alphabetical order. With `names_outputs = True`, `n_outputs` is a dict of widths and the module must return a dict of arrays.

    Ensembles: if the attribute, field or property `n_members` is a number, `n_outputs` is `(n_members, width)` and the module returns
    `(n, n_members, width)`. Each member then has its own loss, and predictions are means over members. `DeepClassifier` and
    `DeepRegressor` take such networks. For a plain number `n_outputs`, the module returns the mean over members.

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
    takes_tables: ClassVar[bool] = False
    reads_columns: ClassVar[bool] = True
    names_outputs: ClassVar[bool] = False
    n_members: ClassVar[int | None] = None
    example_shape: ClassVar[tuple[int, ...]] = (6,)
    init_rows: ClassVar[int] = 0

    def build(self, in_shape: Any, n_outputs: Any) -> nn.Module | Callable[..., Any] | NetworkFunctions:
        """Return the linen module, a function `f(rngs) -> flax.nnx.Module`, or pure functions."""
        raise NotImplementedError

    def auto_l2(self, n_values: int) -> float | None:
        """Return the penalty that `l2="auto"` means, or None for none.

        `n_values` is the number of distinct training rows, for several labels or outputs times their number: losses are means over
        both.
        """
        return None

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        """Build a module that maps rows `(time, features)` to `n_outputs` outputs at each step, `(n, time, n_outputs)`.

        The outputs at a step must depend on this step and earlier steps only: they predict the next token.

        Raises
        ------
        ValueError
            If the network has no causal form with these fields. The default always raises.
        """
        raise ValueError(
            f"The network {type(self).__name__} has no causal form, with outputs at each step of a sequence. Give 'lstm', 'gru', "
            "'tcn', 'transformer', a list of layers that keep the steps, or your own module with outputs at each step."
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
        """Raise ValueError for rows that the network cannot take; compiled code cannot raise.

        Called on the host with rows `(n, *in_shape)`, or a dict of them by name, before training and prediction. Not called for
        sparse X.
        """


class Augmentation(Component):
    """An augmentation changes the rows of each training batch at random, inside the compiled step. Predictions use unchanged rows.

    It is a pure function of a JAX key and rows `(n, *in_shape)`. It returns rows of the same shape and dtype, and changes each row
    independently of the others. An augmentation that mixes pairs of rows sets `mixes = True` and defines `mix` instead, which also
    gets the partners of the rows. The loss of a mixed row is `share` times its loss against its own target plus `1 - share` times
    its loss against the partner's target. Class variable: `example_shape`, as in a layer.

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
        """Return rows mixed from `x` and `other`, and the share of `x` in them: a scalar, or one value per row `(n,)`."""
        raise NotImplementedError


KINDS: dict[str, type[Component]] = {
    "loss": Loss,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "layer": Layer,
    "network": Network,
    "augmentation": Augmentation,
}
