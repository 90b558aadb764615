"""Run the job of a fit with the checkpoints that the estimator asks for."""

from __future__ import annotations

from typing import Any

from skdeep.checkpoint import Checkpoint
from skdeep.core.checkpoints import run_kept
from skdeep.core.job import Job
from skdeep.core.run import run
from skdeep.core.watcher import Watcher
from skdeep.errors import CheckpointWarning
from skdeep.estimators.warn import warn_caller
from skdeep.records import Outcome


def run_job(estimator: Any, job: Job, watcher: Watcher) -> Outcome:
    """Train a job; with the estimator's `checkpoint`, continue from what is kept of this training, and keep more.

    A `partial_fit` is not kept: its epoch ends before a checkpoint would help.

    Raises
    ------
    TypeError
        If a checkpoint is asked for, but the job holds an object whose content cannot be read.
    """
    checkpoint = checkpoint_of(estimator)
    if checkpoint is None or job.origin.is_partial:
        return run(job, watcher)
    # The members of an ensemble have no callbacks.
    return run_kept(job, watcher, checkpoint._store(), checkpoint._interval(), _that_may_stop(estimator))


def _that_may_stop(estimator: Any) -> list[Any] | None:
    """Return the callbacks that decide at which epoch a training ends; None if there are none."""
    callbacks = getattr(estimator, "_skl_callbacks", None) or []
    return [each for each in callbacks if _is_part_of_training(each)] or None


def _is_part_of_training(callback: Any) -> bool:
    """Return False if kept trainings are the same with and without a callback.

    scikit-learn's own stop no training, and `OptunaPruning` ends one by an exception only. All others say so by the attribute
    `is_part_of_training`: it is False for loggers and `TimeBudget`, and True if a callback does not have it.
    """
    if type(callback).__module__.startswith("sklearn.callback") or getattr(callback, "ends_training_by_raising", False):
        return False
    return bool(getattr(callback, "is_part_of_training", True))


def checkpoint_of(estimator: Any) -> Checkpoint | None:
    """Return the estimator's checkpoint; a folder stands for `Checkpoint(folder)`. The perceptrons have none."""
    value = getattr(estimator, "checkpoint", None)
    return value if value is None or isinstance(value, Checkpoint) else Checkpoint(value)


def check_helps(estimator: Any) -> None:
    """Warn if no later fit would find the training again, because its seed is another one each time."""
    if getattr(estimator, "checkpoint", None) is not None and estimator.random_state is None:
        warn_caller(
            f"The checkpoint of {type(estimator).__name__} does not help with random_state=None: another fit has another seed, so it is "
            "another training. Give random_state an int.",
            CheckpointWarning,
        )
