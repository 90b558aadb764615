"""The records that the stages of a fit pass to each other, most of them named tuples of arrays.

`X, y` -> `Rows` -> `Batch` -> one training step on a `TrainState` -> `Info`. The configuration is in other files:
components in `contract.py`, the whole configuration of one training in `config.py`.

Axis words: `n` rows, `padded` the number of rows after padding, `batch` the rows of one step.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
from jaxtyping import Array, Float, Int, Shaped, UInt32

Params: TypeAlias = Any
"""The trained arrays: a nested dict, or any pytree."""

ModelState: TypeAlias = Any
"""A nested dict of arrays that the network itself updates in training, such as running averages; often empty."""

OptimizerState: TypeAlias = Any

Raw: TypeAlias = Any
"""The output of a network before the link: an array `(n, raw)`, or a dict of such arrays if the loss names them."""

TaskKind = Literal["binary", "multiclass", "multilabel", "regression"]


@dataclasses.dataclass(frozen=True)
class Task:
    """The task of a fit: its kind, and the number of classes, labels or outputs."""

    kind: TaskKind
    n_targets: int

    @property
    def n_raw(self) -> int:
        """Number of raw outputs, if there is one per class, label or output; 1 if the task is binary."""
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
        "float" means the type of training.
    n_categories : int, tuple of int or None, default=None
        For ids: the number of ids, for all columns or one number per column; None if unknown.
    """

    shape: tuple[int, ...]
    dtype: Literal["float", "int32"] = "float"
    n_categories: int | tuple[int, ...] | None = None

    @property
    def is_int(self) -> bool:
        """True if the values are integers."""
        return self.dtype == "int32"


NUMERIC, ONE_HOT, CATEGORY = TABLE_INPUTS = ("numeric", "one_hot", "category")
"""Names of a table's inputs: numbers, one-hot columns of categories, and ids of categories."""

SEPARATOR = "/"
"""Between the name of an input and that of its part: the ids of the table "t" among several inputs are the input "t/category"."""


class SparseRows(NamedTuple):
    """The stored entries of each row of a sparse X: columns and values. Padding has column 0 and value 0."""

    column: Int[Array, "n entries"]
    value: Float[Array, "n entries"]


X: TypeAlias = Any
"""The x of rows in a program: an array `(n, ...)` of numbers or ids, a dict of such arrays by name, or `SparseRows`."""


class Rows(NamedTuple):
    """The training or validation rows, padded to a size that similar row counts share.

    The first `n` rows are real. The others are padding and have no effect.
    """

    x: X
    target: Shaped[Array, "padded ..."]
    weight: Float[Array, " padded"]
    n: Int[Array, ""]


class Batch(NamedTuple):
    """The rows of one step. A row with `mask` 0 fills up the last batch of an epoch: it repeats another row, with weight 0.

    The batches of several steps have a leading axis of steps; their mask may be None as long as it is not known.
    """

    x: X
    target: Shaped[Array, "batch ..."]
    weight: Float[Array, " batch"]
    mask: Float[Array, " batch"]


class Stopping(NamedTuple):
    """The state of early stopping: the best score and its epoch and parameters, and the number of epochs without improvement.

    Scores are losses: lower is better. `best_epoch` is 0 until an epoch is best, and -1 if the best epoch belongs to an
    earlier fit. The stopping rule updates the other fields: `reference`, the score to improve on; `n_stale`, the number of
    consecutive epochs that did not improve on it; and `rate_factor`, which multiplies the learning rate.
    """

    best: Float[Array, ""]
    reference: Float[Array, ""]
    best_epoch: Int[Array, ""]
    n_stale: Int[Array, ""]
    rate_factor: Float[Array, ""]
    best_params: Params
    best_model_state: ModelState


class TrainState(NamedTuple):
    """The complete state between two steps of a training.

    `epoch` is the number of finished epochs, and `position` the number of finished steps of the current epoch. `loss_sum` is
    the sum of the values that the objective reported in this epoch. `status` is one of the constants of
    `skdeep.core.stopping`. `optimizer_state` is a tuple of arrays, in the order of the leaves of the state that the optimizer's `init`
    returned. If this training continues earlier ones, `largest_batch` is the number of rows in their largest
    batch, else 0.
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
    """The report of a block of steps. The first `n_epochs` entries are those of the epochs that it finished."""

    train_loss: Float[Array, " epochs"]
    val_loss: Float[Array, " epochs"]
    learning_rate: Float[Array, " epochs"]
    n_epochs: Int[Array, ""]


class Snapshot(NamedTuple):
    """A point between two blocks of a training, as NumPy arrays and plain numbers. A checkpoint holds it and the job.

    `state` holds the position (`epoch` and `position`). `history` holds the finished epochs of this training by column.
    `seconds` is the time that the finished steps of the current epoch took.
    """

    state: TrainState
    history: dict[str, list[Any]]
    seconds: float


class Outcome(NamedTuple):
    """The result of a training: parameters as NumPy arrays, the history by column, and how it ended.

    `best_epoch` (from 1) is the epoch of these parameters; it is -1 if they are the best ones of an earlier fit. `has_best` is
    True if they are those of the best epoch, False if they are the last ones. `status` is one of the constants of
    `skdeep.core.stopping`. A later training may continue from `state`. `message` is a driver's warning about its end, empty
    if there is none. `loss` is the last loss of a driver that reports it apart from the history, else None.
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
