"""The configuration of one training, as one component: numbers are traced, the rest decides which program runs."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Array, Bool, Float, Int

from skdeep.component import Component
from skdeep.contract import Augmentation, Loss, Network, Optimizer, Schedule
from skdeep.records import Batch, InputSpec, Params, Stopping


class Model(Component):
    """A network bound to its shapes: all that prediction needs beside the parameters.

    `in_shape` is the shape of a row of numbers, the `InputSpec` of one array, or pairs of names and `InputSpec`s where there
    are several inputs. `n_raw` is the width or shape of a row's raw output, or pairs of names and widths where there are several.
    """

    network: Network
    in_shape: tuple[int, ...] | InputSpec | tuple[tuple[str, InputSpec], ...]
    n_raw: int | tuple[int, ...] | tuple[tuple[str, int | tuple[int, ...]], ...]


class Objective(Component):
    """From the losses of a batch's rows to the number that a step makes smaller, and the one it reports."""

    def __call__(
        self, losses: Float[Array, " batch"], batch: Batch, params: Params, n_rows: Int[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Return the value to differentiate, and what is reported.

        The sum of what an epoch reports, over its `n_rows`, is the epoch's training loss.
        """
        raise NotImplementedError


class StoppingRule(Component):
    """Decides after each epoch whether training ends; branch-free, as all numbers are traced."""

    def __call__(
        self, stopping: Stopping, score: Float[Array, ""], n_seen: Float[Array, ""]
    ) -> tuple[Stopping, Bool[Array, ""]]:
        """Return the record with `reference`, `n_stale` and `rate_factor` changed, and whether training ends.

        `score` is a loss (lower is better), `n_seen` the rows trained on since the fit began, repeats counted.
        """
        raise NotImplementedError


class FitConfig(Component):
    """The whole configuration of one fit: numbers are traced, the rest decides which program runs.

    The type that the numbers are cast to (`skdeep.core.as_traced`) is the type of training. `monitor`
    says what the stopping rule watches: the training loss, the validation loss, or a score that the host
    computes between two epochs. With `keep_best` the parameters of the best epoch are kept. Rows for
    validation are judged by `validation_loss`, or by `loss` if that is None.
    """

    model: Model
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    objective: Objective
    stopping: StoppingRule
    learning_rate: float
    max_epochs: float
    clip_norm: float | None = None
    monitor: Literal["train", "validation", "host"] = "train"
    keep_best: bool = False
    validation_loss: Loss | None = None
    augmentation: Augmentation | None = None
