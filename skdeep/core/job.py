"""A training as a value: everything that `run` needs, in any process."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from skdeep.config import FitConfig
from skdeep.core.drivers.steps import Steps
from skdeep.core.feeds import EpochOrder
from skdeep.core.identity import identity_of, signature_of
from skdeep.core.placement import Placement
from skdeep.core.rows import WeightedRows
from skdeep.core.streamed_rows import StreamedRows
from skdeep.core.watcher import Watcher
from skdeep.history import History, columns_with
from skdeep.records import ModelState, Outcome, Params, Snapshot, TrainState


@runtime_checkable
class Driver(Protocol):
    """A component that trains a job by this method."""

    def drive(self, job: Job, watcher: Watcher) -> Outcome:
        """Train the job; see `skdeep.core.run.run`."""
        ...


@runtime_checkable
class Scores(Protocol):
    """Scores of parameters on validation rows, computed on the host after each epoch; greater is better.

    `names` are the columns of the history that a call returns; they begin with "val_". Early stopping watches "val_score", if the
    configuration says that it watches a score.
    """

    names: tuple[str, ...]

    def __call__(self, params: Params, model_state: ModelState) -> dict[str, float]:
        """Return the scores by name."""
        ...

    def identity_parts(self) -> list[Any]:
        """Return the values that determine the scores, for `Job.identity`."""
        ...


class Origin(NamedTuple):
    """The call that started a training; the estimator reads it when it absorbs the outcome.

    `is_partial` is True for `partial_fit`. `goes_on` is True if an earlier fit is continued. `history` is the history that
    this training extends, None if there is none.
    """

    is_partial: bool = False
    goes_on: bool = False
    history: History | None = None


_STEPS, _UNKNOWN = Steps(), Origin()


@dataclasses.dataclass(frozen=True)
class Job:
    """One training as a value. It can be pickled and runs without the estimator that prepared it.

    Parameters
    ----------
    config : FitConfig
        Network, loss, optimizer and the other components; their numbers are Python's.
    rows : WeightedRows or StreamedRows
        The rows to train on: X encoded for the network, encoded targets, weights.
    order : EpochOrder
        The order of these rows in each epoch.
    batch_size : int
    start : TrainState
        The state before the first step, as NumPy arrays.
    placement : Placement
        The device, and the type of numbers.
    last_epoch : int
        Training ends when `epoch` of the state reaches this number.
    driver : Driver, default=Steps()
        Trains by blocks of compiled steps, or by SciPy's L-BFGS-B.
    validation : WeightedRows or None, default=None
        Encoded rows whose loss is computed after each epoch.
    scores : Scores or None, default=None
        Called after each epoch; each score is a column of the history.
    snapshot : Snapshot or None, default=None
        The point from which an interrupted training continues; None starts at `start`.
    encoding : object, default=None
        Encodes X and y, and decodes raw outputs. Training does not read it.
    ids : mapping, default={}
        The full id of each component, by the parameter that named it. Training does not read it.
    origin : Origin
        The call that started the training. Training does not read it.

    Examples
    --------
    See `skdeep/docs/core.md`.
    """

    config: FitConfig
    rows: WeightedRows | StreamedRows
    order: EpochOrder
    batch_size: int
    start: TrainState
    placement: Placement
    last_epoch: int
    driver: Any = _STEPS
    validation: WeightedRows | None = None
    scores: Scores | None = None
    snapshot: Snapshot | None = None
    encoding: Any = None
    ids: Mapping[str, str] = dataclasses.field(default_factory=dict)
    origin: Origin = _UNKNOWN

    def replace(self, **changes: Any) -> Job:
        """Return the job with some fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the history."""
        return columns_with(() if self.scores is None else self.scores.names)

    def signature(self) -> str:
        """Return a digest that is equal for jobs that share a program and can be stacked.

        Traced numbers, seeds and data may differ, and so may row counts with the same padded size.
        """
        return signature_of(self)

    def identity(self) -> str:
        """Return a digest that is equal for the same training, in any process and after any number of its steps.

        It depends on the content of rows and on the versions of the packages that decide numbers. It does not depend on
        `last_epoch`, the snapshot, the device, watchers or the encoding. It depends on `max_epochs` of the configuration only
        if the schedule does (`looks_at_the_end`), or if the optimizer is given the progress.

        Raises
        ------
        TypeError
            If the job holds an object whose content cannot be read and that other processes cannot find by a name.
        """
        return identity_of(self)
