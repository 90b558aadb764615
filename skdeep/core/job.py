"""A training as a value: everything that `run` needs, in any process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from skdeep.config import FitConfig
from skdeep.core.drivers.steps import Steps
from skdeep.core.feeds import EpochOrder
from skdeep.core.history import History
from skdeep.core.identity import identity_of, signature_of
from skdeep.core.placement import Placement
from skdeep.core.rows import WeightedRows
from skdeep.core.watcher import Watcher
from skdeep.records import ModelState, Outcome, Params, Snapshot, TrainState


@runtime_checkable
class Driver(Protocol):
    """What trains a job: a component with this method."""

    def drive(self, job: Job, watcher: Watcher) -> Outcome:
        """Train the job; see `skdeep.core.run.run`."""
        ...


class Origin(NamedTuple):
    """How a training came about: what the estimator that absorbs its outcome needs to know.

    `is_partial` tells a `partial_fit`, `goes_on` that an earlier fit is continued; `history` is the history that this
    training extends.
    """

    is_partial: bool = False
    goes_on: bool = False
    history: History | None = None


_STEPS, _UNKNOWN = Steps(), Origin()


@dataclasses.dataclass(frozen=True)
class Job:
    """One training as a value, which pickles and runs without the estimator that prepared it.

    Parameters
    ----------
    config : FitConfig
        Network, loss, optimizer and the like, with Python's numbers.
    rows : WeightedRows
        The rows to train on, encoded: X in the type of training, targets in units of training, weights.
    order : EpochOrder
        The order of these rows in each epoch.
    batch_size : int
    start : TrainState
        The state before the first step, as NumPy arrays.
    placement : Placement
        The device, and the type of numbers.
    last_epoch : int
        Training ends when `epoch` of the state reaches it.
    driver : Driver, default=Steps()
        What trains: blocks of compiled steps, or SciPy's L-BFGS-B.
    validation : WeightedRows or None, default=None
        Encoded rows whose loss is computed after each epoch.
    score : callable or None, default=None
        `score(params, model_state)`, greater is better, called after each epoch.
    snapshot : Snapshot or None, default=None
        Where the training stands if it is continued.
    encoding : object, default=None
        How X and y were encoded and how raw outputs are decoded; training does not read it.
    ids : mapping, default={}
        The full id of each component, by the parameter that named it; training does not read it.
    origin : Origin
        How the training came about; training does not read it.

    Examples
    --------
    See `skdeep/docs/core.md`.
    """

    config: FitConfig
    rows: WeightedRows
    order: EpochOrder
    batch_size: int
    start: TrainState
    placement: Placement
    last_epoch: int
    driver: Any = _STEPS
    validation: WeightedRows | None = None
    score: Callable[[Params, ModelState], float] | None = None
    snapshot: Snapshot | None = None
    encoding: Any = None
    ids: Mapping[str, str] = dataclasses.field(default_factory=dict)
    origin: Origin = _UNKNOWN

    def replace(self, **changes: Any) -> Job:
        """Return the job with some fields changed."""
        return dataclasses.replace(self, **changes)

    def signature(self) -> str:
        """Return a digest that is equal for jobs that share a program and can be stacked.

        Numbers, seeds, data, and row counts of one padded size may differ.
        """
        return signature_of(self)

    def identity(self) -> str:
        """Return a digest that is equal for the same training, in any process and at any point of it.

        `last_epoch`, the device, watchers and the encoding do not matter, nor does `max_epochs` of the configuration unless
        the schedule or the optimizer looks at it. The content of rows and the versions of the packages that decide numbers do.

        Raises
        ------
        TypeError
            If the job holds an object that has neither content that can be read nor a name known in other processes.
        """
        return identity_of(self)
