"""The live bar for `verbose=2`, by rich. It is imported only when a bar is shown."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from skdeep.core.watcher import Course
from skdeep.estimators.printing import EpochPrinter
from skdeep.records import Outcome

_one_at_a_time = threading.Lock()
"""Held by the fit whose bar is shown: rich shows one display per terminal."""

REFRESHES_PER_SECOND = 5
_SHORT = {"train_loss": "train", "val_loss": "val"}


class LivePrinter(EpochPrinter):
    """Shows a bar of epochs with the losses, the rate in rows per second and the time left.

    If another fit shows one, or the output is neither a terminal nor a notebook, it prints the lines of `EpochPrinter`.

    Parameters
    ----------
    first_epoch, last_epoch : int
        Number of epochs before and after the training.
    keeps_latest : bool
    steps_per_epoch, rows_per_epoch : int
    """

    def __init__(
        self, first_epoch: int, last_epoch: int, *, keeps_latest: bool, steps_per_epoch: int, rows_per_epoch: int
    ) -> None:
        super().__init__(last_epoch, keeps_latest=keeps_latest)
        self._first_epoch, self._steps, self._rows = first_epoch, steps_per_epoch, rows_per_epoch
        self._clock = 0.0, 0  # the time at the end of the first block, and its number of steps
        self._progress: Any = None
        if _one_at_a_time.acquire(blocking=False):
            self._progress = _started_progress()
            if self._progress is None:
                _one_at_a_time.release()
                return
            total = (last_epoch - first_epoch) * steps_per_epoch
            self._task = self._progress.add_task(
                "", total=total, epoch=first_epoch, last=last_epoch, rate="", values=""
            )

    def goes_on(self, epoch: int) -> None:
        """Print that training continues from a checkpoint, and move the bar there."""
        super().goes_on(epoch)
        if self._progress is not None:
            self._first_epoch = epoch
            self._progress.reset(self._task, total=(self._last_epoch - epoch) * self._steps)

    def __call__(self, line: dict[str, float]) -> None:
        """Show the history of one epoch."""
        if self._progress is None:
            super().__call__(line)
            return
        columns = self._columns_of(line)
        mark = self._mark(line)
        values = "  ".join(f"{_SHORT.get(name, name.removeprefix('val_'))} {line[name]:.4f}" for name in columns)
        self._progress.update(self._task, values=f"{values} {mark}", epoch=int(line["epoch"]))

    def at(self, course: Course) -> None:
        """Move the bar to the current step."""
        if self._progress is None:
            return
        done = (course.epoch - self._first_epoch) * self._steps + course.position
        seconds = time.perf_counter() - self._clock[0]
        if not self._clock[1]:  # the first block may have waited for the compiler
            self._clock = time.perf_counter(), done
        elif seconds > 0:
            n_rows = (done - self._clock[1]) / self._steps * self._rows
            self._progress.update(self._task, rate=f"{_short(n_rows / seconds)} rows/s")
        self._progress.update(self._task, completed=done)

    def ended(self, outcome: Outcome) -> None:
        """Show at which epoch training ended."""
        if self._progress is not None:
            self._progress.update(self._task, total=max(1, self._progress.tasks[0].completed), epoch=outcome.n_epochs)

    def close(self) -> None:
        """Leave the bar as it is, and give the terminal back."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            _one_at_a_time.release()


def _short(number: float) -> str:
    """Return a number with at most three digits and a unit.

    Examples
    --------
    >>> from skdeep.estimators.live import _short
    >>> [_short(number) for number in (7.2, 999.9, 12345, 2.5e6)]
    ['7', '1k', '12k', '2.5M']
    """
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{unit}" if number < 9.995 * size else f"{number / size:.0f}{unit}"
    return f"{number:.0f}"


def _started_progress() -> Any:
    """Return a progress display of rich; None if the output is neither a terminal nor a notebook, or without rich."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column
    except ImportError:
        print("Install rich to see a live bar: pip install 'skdeep-flax[progress]'.")
        return None
    console = Console(file=sys.stdout)
    if not (console.is_terminal or console.is_jupyter):
        return None
    progress = Progress(
        TextColumn("epoch {task.fields[epoch]}/{task.fields[last]}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[values]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=console,
        refresh_per_second=REFRESHES_PER_SECOND,
    )
    progress.start()
    return progress
