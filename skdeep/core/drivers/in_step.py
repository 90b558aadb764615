"""Blocks of one training in several processes, each of which runs as many blocks as the others, of as many steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdeep.core import stopping
from skdeep.core.drivers.interrupts import held_back_interrupt
from skdeep.core.processes import gathered


def in_step(training: Any, next_steps: Callable[[], int], run_block: Callable[[int], None]) -> None:
    """Run blocks until training ends in one of the processes, and give its status to all.

    A block has the fewest steps that one of the processes wants (`next_steps`): the slowest, or one whose callbacks are called after each
    epoch. Ctrl-C in one process ends training in all at the end of the block.
    """
    ended: list[int] = []
    while not ended:
        try:
            with held_back_interrupt():
                found = gathered((training.status, next_steps()), "status")
                ended = [status for status, _ in found if status != stopping.RUNNING]
                if not ended:
                    run_block(min(n_steps for _, n_steps in found))
        except KeyboardInterrupt:  # if training has ended in all, it is too late to tell the others
            training.status = stopping.INTERRUPTED
    training.status = ended[0]


def all_have_rows() -> None:
    """Wait until all processes have read the rows of a block: if one cannot, the others must not wait for it inside the program."""
    gathered(None, "rows")
