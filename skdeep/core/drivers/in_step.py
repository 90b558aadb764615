"""Blocks of one training in several processes, each of which runs as many blocks as the others, of as many steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdeep.core import stopping
from skdeep.core.drivers.interrupts import held_back_interrupt
from skdeep.core.drivers.pace import Pace
from skdeep.core.processes import gathered


def in_step(training: Any, pace: Pace, run_block: Callable[[], None]) -> None:
    """Run blocks until training ends in one of the processes, and give its status to all.

    The pace is that of the slowest. Ctrl-C in one process ends training in all at the end of the block.
    """
    while True:
        try:
            with held_back_interrupt():
                found = gathered((training.status, pace.seconds_per_step), "status")
                pace.note(max(seconds for _, seconds in found))
                ended = [status for status, _ in found if status != stopping.RUNNING]
                if ended:
                    training.status = ended[0]
                    return
                run_block()
        except KeyboardInterrupt:
            training.status = stopping.INTERRUPTED


def all_have_rows() -> None:
    """Wait until all processes have read the rows of a block: if one cannot, the others must not wait for it inside the program."""
    gathered(None, "rows")
