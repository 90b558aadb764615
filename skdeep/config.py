"""The configuration of one training, as one component: numbers are traced, everything else selects the program."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Array, Bool, Float, Int

from skdeep.component import Component
from skdeep.contract import Augmentation, Loss, Network, Optimizer, Schedule
from skdeep.records import Batch, InputSpec, Params, Stopping


class Model(Component):
    """A network with the shapes of its inputs and raw outputs. Prediction needs only this and the parameters.

    `in_shape` is the shape of a row of numbers, the `InputSpec` of one array, or pairs of names and `InputSpec`s if there are
    several inputs. `n_raw` is the width or shape of a row's raw output, or pairs of names and widths if there are several.
    """

    network: Network
    in_shape: tuple[int, ...] | InputSpec | tuple[tuple[str, InputSpec], ...]
    n_raw: int | tuple[int, ...] | tuple[tuple[str, int | tuple[int, ...]], ...]


class Objective(Component):
    """Computes the value that a step minimises, and the value that it reports, from the losses of a batch's rows."""

    def __call__(
        self, losses: Float[Array, " batch"], batch: Batch, params: Params, n_rows: Int[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Return the value to differentiate and the value to report.

        The training loss of an epoch is the sum of its reported values, divided by `n_rows`.
        """
        raise NotImplementedError


class StoppingRule(Component):
    """Decides after each epoch whether training ends. It must be branch-free, because all numbers are traced."""

    def __call__(
        self, stopping: Stopping, score: Float[Array, ""], n_seen: Float[Array, ""]
    ) -> tuple[Stopping, Bool[Array, ""]]:
        """Return the state of early stopping with new `reference`, `n_stale` and `rate_factor`, and True if training ends.

        `score` is a loss: lower is better. `n_seen` is the number of finished epochs times the number of rows.
        """
        raise NotImplementedError


class FitConfig(Component):
    """The whole configuration of one fit: numbers are traced, everything else selects the program.

    The numbers are cast to the type of training (`skdeep.core.as_traced`). The stopping rule gets the value that `monitor`
    names: the training loss, the validation loss, or a value that the host computes between two epochs. With `keep_best`, the
    parameters of the best epoch are kept; of equally good epochs, those of the first, or of the latest with `keeps_latest`. The
    validation loss is computed by `validation_loss`, or by `loss` if that is None.
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
    keeps_latest: bool = False
    validation_loss: Loss | None = None
    augmentation: Augmentation | None = None
