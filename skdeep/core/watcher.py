"""What may look at a training while it runs, and stop it: callbacks, printing, checkpoints."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from skdeep.core.history import History
from skdeep.records import ModelState, Params, Snapshot

SECONDS_PER_BLOCK = 0.25


@runtime_checkable
class Course(Protocol):
    """A training on its way, as a watcher sees it."""

    history: History

    @property
    def epoch(self) -> int:
        """Epochs done."""
        ...

    def snapshot(self) -> Snapshot:
        """Return where the training stands, as copies of all arrays."""
        ...

    def current_params(self) -> tuple[Params, ModelState]:
        """Return the parameters that would be predicted with, and the model state, on the host."""
        ...


class Watcher:
    """Sees a training between its blocks of steps; this one does nothing.

    If `is_epoch_wise`, no block goes beyond the end of an epoch. Blocks take about `seconds_per_block`; 0 makes them one
    step long.
    """

    is_epoch_wise: bool = False
    seconds_per_block: float = SECONDS_PER_BLOCK

    def begin_epoch(self) -> None:
        """Note that an epoch begins."""

    def end_epochs(self, course: Course, n_new: int) -> bool:
        """Note that the last `n_new` epochs of the history are done; return True to stop."""
        return False

    def end_block(self, course: Course) -> bool:
        """Note that a block of steps is done, wherever it ended; return True to stop."""
        return False
