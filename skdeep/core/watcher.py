"""Watchers see a training while it runs and may stop it: for callbacks, printing and checkpoints."""

from __future__ import annotations

import threading
from typing import Protocol, runtime_checkable

from skdeep.history import History
from skdeep.records import ModelState, Params, Snapshot

SECONDS_PER_BLOCK = 0.25


@runtime_checkable
class Course(Protocol):
    """A training in progress, as a watcher sees it."""

    history: History
    status: int
    """One of the constants of `skdeep.core.stopping`."""

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        ...

    @property
    def position(self) -> int:
        """Number of finished steps of the current epoch."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the current state and history, with copies of all arrays."""
        ...

    def current_params(self) -> tuple[Params, ModelState]:
        """Return the parameters with which the current state predicts, and the model state, on the host."""
        ...


class Watcher:
    """Is called between the blocks of steps of a training. This class does nothing; subclass it.

    If `is_epoch_wise` is True, no block goes beyond the end of an epoch. Blocks take about `seconds_per_block`; if that is 0,
    each block has one step.
    """

    is_epoch_wise: bool = False
    seconds_per_block: float = SECONDS_PER_BLOCK

    def go_on(self, snapshot: Snapshot) -> None:
        """Called before all other methods if the training continues from a snapshot that was kept."""

    def is_cancelled(self) -> bool:
        """Asked from time to time while the training waits for another one. Return True to give it up."""
        return False

    def begin_epoch(self) -> None:
        """Called before an epoch begins."""

    def end_epochs(self, course: Course, n_new: int) -> bool:
        """Called when the last `n_new` epochs of the history are finished. Return True to stop the training."""
        return False

    def end_block(self, course: Course) -> bool:
        """Called after each block of steps, wherever in an epoch it ended. Return True to stop the training."""
        return False


class Passing(Watcher):
    """Passes all calls on to another watcher; the base of watchers that add something to it."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.is_epoch_wise, self.seconds_per_block = watcher.is_epoch_wise, watcher.seconds_per_block

    def go_on(self, snapshot: Snapshot) -> None:
        self._watcher.go_on(snapshot)

    def is_cancelled(self) -> bool:
        return self._watcher.is_cancelled()

    def begin_epoch(self) -> None:
        self._watcher.begin_epoch()

    def end_epochs(self, course: Course, n_new: int) -> bool:
        return self._watcher.end_epochs(course, n_new)

    def end_block(self, course: Course) -> bool:
        return self._watcher.end_block(course)


class Stoppable(Passing):
    """Stops a training at the end of a block if an event is set."""

    def __init__(self, watcher: Watcher, stop: threading.Event) -> None:
        super().__init__(watcher)
        self._stop = stop

    def is_cancelled(self) -> bool:
        return self._stop.is_set() or super().is_cancelled()

    def end_block(self, course: Course) -> bool:
        return super().end_block(course) or self._stop.is_set()
