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
        Called between blocks of steps; it may stop the training.

    Returns
    -------
    Outcome
        After Ctrl-C, the outcome of the steps done so far, with the status `skdeep.core.stopping.INTERRUPTED`.

    Examples
    --------
    See `skdeep/docs/core.md`.
    """
    with job.placement.active():
        outcome: Outcome = job.driver.drive(job, watcher or Watcher())
    return outcome
