"""The one function that starts a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from skdeep.core.job import Job
from skdeep.core.watcher import Watcher
from skdeep.records import Outcome

Runner: TypeAlias = Callable[[Job, Watcher], Outcome]


def run(job: Job, watcher: Watcher | None = None) -> Outcome:
    """Train a job on its placement.

    Parameters
    ----------
    job : Job
    watcher : Watcher, default=None
        Called between blocks of steps; it may stop the training.

    Returns
    -------
    Outcome
        After Ctrl-C, the outcome of the steps done so far, with the status `skdeep.core.stopping.INTERRUPTED`.

    Examples
    --------
    See `skdeep/docs/core.md`.
    """
    return (_runner.get() or run_alone)(job, watcher or Watcher())


def run_alone(job: Job, watcher: Watcher) -> Outcome:
    """Train a job in this thread, by its driver."""
    with job.placement.active():
        outcome: Outcome = job.driver.drive(job, watcher)
    return outcome


_runner: ContextVar[Runner | None] = ContextVar("_runner", default=None)


@contextmanager
def run_by(runner: Runner) -> Iterator[None]:
    """Let `run` hand over to another function, inside the block and in this thread: trainings of several threads can then join."""
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


def is_run_by_another() -> bool:
    """Return True inside a block of `run_by`."""
    return _runner.get() is not None
