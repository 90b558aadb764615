"""The records that flow through a fit: what one stage hands to the next, as named tuples of arrays.

`X, y` -> `Rows` -> `Batch` -> one training step on a `TrainState` -> `Info`. What a user configures is in `contract.py`
(the components) and `core/config.py` (one training's whole configuration).

Shapes: `n` rows, `padded` the size that they are padded to, `batch` the rows of one step.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
from jaxtyping import Array, Float, Int, Shaped, UInt32

Params: TypeAlias = Any
"""A nested dict of arrays (or any pytree) that training changes."""

ModelState: TypeAlias = Any
"""A nested dict of arrays that the network itself updates, such as running averages; often empty."""

OptimizerState: TypeAlias = Any

Raw: TypeAlias = Any
"""The output of a network before the link: an array `(n, raw)`, or a dict of such arrays where the loss names them."""

TaskKind = Literal["binary", "multiclass", "multilabel", "regression"]


@dataclasses.dataclass(frozen=True)
class Task:
    """What is predicted: the kind, and the number of classes, labels or outputs."""

    kind: TaskKind
    n_targets: int

    @property
    def n_raw(self) -> int:
        """Raw outputs of a network that gives one number a class, label or output (one for binary)."""
        return 1 if self.kind == "binary" else self.n_targets


jax.tree_util.register_static(Task)


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """One input of a network: the shape of a row, and whether its values are numbers or ids.

    Parameters
    ----------
    shape : tuple of int
        Shape of a row.
    dtype : {"float", "int32"}, default="float"
        "float" stands for the type of training.
    n_categories : int, tuple of int or None, default=None
        For ids: how many there are, one number for all columns or one per column; None if unknown.
    """

    shape: tuple[int, ...]
    dtype: Literal["float", "int32"] = "float"
    n_categories: int | tuple[int, ...] | None = None

    @property
    def is_int(self) -> bool:
        """True if the values are integers."""
        return self.dtype == "int32"


class SparseRows(NamedTuple):
    """The stored entries of each row of a sparse X: columns and values. Unused places hold column 0 and value 0."""

    column: Int[Array, "n entries"]
    value: Float[Array, "n entries"]


X: TypeAlias = Any
"""Rows as a program sees them: an array `(n, ...)` of numbers or ids, a dict of such arrays by name, or `SparseRows`."""


class Rows(NamedTuple):
    """The training or validation rows, padded to a shared size.

    Rows from `n` on are padding and are never read.
    """

    x: X
    target: Shaped[Array, "padded ..."]
    weight: Float[Array, " padded"]
    n: Int[Array, ""]


class Batch(NamedTuple):
    """Rows of one step. Where `mask` is 0 a row repeats another one and its weight is 0."""

    x: X
    target: Shaped[Array, "batch ..."]
    weight: Float[Array, " batch"]
    mask: Float[Array, " batch"]


class Stopping(NamedTuple):
    """Early stopping as state: what is best so far, and for how many epochs nothing got better.

    `best_epoch` is 0 as long as there is none, -1 for a best one of an earlier fit. A stopping rule may
    also lower the learning rate: `rate_factor` multiplies it.
    """

    best: Float[Array, ""]
    reference: Float[Array, ""]
    best_epoch: Int[Array, ""]
    n_stale: Int[Array, ""]
    rate_factor: Float[Array, ""]
    best_params: Params
    best_model_state: ModelState


class TrainState(NamedTuple):
    """All that one step hands to the next.

    `position` counts the steps done in the current epoch; `epoch` those finished; `loss_sum` is what the
    objective reported in this epoch; `status` is one of the constants of `skdeep.core.stopping`. `largest_batch` is how
    many rows the largest batch of earlier trainings had that this one goes on from, 0 if it does not go on.
    """

    params: Params
    model_state: ModelState
    optimizer_state: OptimizerState
    stopping: Stopping
    key: UInt32[Array, "2"]
    epoch: Int[Array, ""]
    position: Int[Array, ""]
    n_rows: Int[Array, ""]
    steps_per_epoch: Int[Array, ""]
    loss_sum: Float[Array, ""]
    status: Int[Array, ""]
    largest_batch: Int[Array, ""]


class Info(NamedTuple):
    """What a block of steps reports: one entry for each epoch it finished, then unused ones."""

    train_loss: Float[Array, " epochs"]
    val_loss: Float[Array, " epochs"]
    learning_rate: Float[Array, " epochs"]
    n_epochs: Int[Array, ""]


class Snapshot(NamedTuple):
    """Where a training stands, as NumPy arrays and plain numbers: what a checkpoint holds beside the job.

    `state` has the one position; `history` the finished epochs of this training by column; `seconds` is the time that the
    steps of the current epoch took.
    """

    state: TrainState
    history: dict[str, list[Any]]
    seconds: float


class Outcome(NamedTuple):
    """The result of a training: parameters as NumPy arrays, the history by column, and how it ended.

    `best_epoch` (from 1) is the epoch of these parameters; `has_best` tells that it was the best one so far. `status` is one
    of the constants of `skdeep.core.stopping`. `state` is what a later training may continue from. `message` is what a
    driver has to say of its end, `loss` its last loss where no epoch reports it.
    """

    params: Params
    model_state: ModelState
    history: dict[str, list[Any]]
    n_epochs: int
    best_epoch: int
    has_best: bool
    status: int
    state: TrainState
    message: str = ""
    loss: float | None = None
