"""The one function that starts a training."""

from __future__ import annotations

from skdeep.core.job import Job
from skdeep.core.watcher import Watcher
from skdeep.records import Outcome


def run(job: Job, watcher: Watcher | None = None) -> Outcome:
    """Train a job on its placement.

    Parameters
    ----------
    job : Job
    watcher : Watcher, default=None
        Sees the training between blocks of steps, and may stop it.

    Returns
    -------
    Outcome
        Ctrl-C ends training too, with the status `skdeep.core.stopping.INTERRUPTED`.

    Examples
    --------
    See `skdeep/docs/core.md`.
    """
    with job.placement.active():
        outcome: Outcome = job.driver.drive(job, watcher or Watcher())
    return outcome
