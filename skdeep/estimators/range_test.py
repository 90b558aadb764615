"""A training whose learning rate grows at each step, with the loss of each step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdeep.config import Objective
from skdeep.core.job import Job
from skdeep.core.run import run
from skdeep.core.stopping import Patience
from skdeep.core.watcher import Course, Watcher
from skdeep.estimators.diagnose import traced_fields_named
from skdeep.estimators.prepare import prepare
from skdeep.estimators.streaming import streamed
from skdeep.estimators.supervised import SupervisedEstimator
from skdeep.estimators.training import FitData
from skdeep.schedules import Exponential


class MeanOfBatch(Objective):
    """Minimises what another objective does, and reports the weighted mean of the batch's losses.

    Parameters
    ----------
    objective : Objective
    """

    objective: Objective

    def __call__(self, losses: Any, batch: Any, params: Any, n_rows: Any) -> Any:
        value, _ = self.objective(losses, batch, params, n_rows)
        total = jnp.sum(batch.weight)
        return value, jnp.sum(losses * batch.weight) / jnp.maximum(total, jnp.finfo(total.dtype).tiny)


class StepLosses(Watcher):
    """Notes the loss of each step, and stops after `n_steps` steps, or if `has_diverged(losses)` is True.

    Parameters
    ----------
    n_rows : int
    n_steps : int
    has_diverged : callable
    """

    seconds_per_block = 0.0  # one step per block

    def __init__(self, n_rows: int, n_steps: int, has_diverged: Callable[[list[float]], bool]) -> None:
        self._n_rows, self._n_steps, self._has_diverged = n_rows, n_steps, has_diverged
        self._sum = 0.0  # of the current epoch
        self.losses: list[float] = []

    def end_block(self, course: Course) -> bool:
        """Note the loss of the step that ends here: the growth of the epoch's sum."""
        if course.position == 0:  # the step ended an epoch, whose sum is in the history
            total = course.history["train_loss"][-1] * self._n_rows
            before, self._sum = self._sum, 0.0
        else:
            total = float(course.snapshot().state.loss_sum)
            before, self._sum = self._sum, total
        self.losses.append(total - before)
        return len(self.losses) >= self._n_steps or self._has_diverged(self.losses)


def losses_at_rates(
    estimator: Any,
    data: FitData,
    start: float,
    stop: float,
    n_steps: int,
    has_diverged: Callable[[list[float]], bool],
) -> tuple[np.ndarray, np.ndarray]:
    """Return learning rates and the losses of the steps with them; a clone is trained, the estimator does not change.

    The rate of step i is `start * (stop / start) ** (i / (n_steps - 1))`. The factor is a schedule whose numbers are traced, so the
    program is compiled once for all rates, and further calls with other rates or numbers of steps do not compile it again.

    Parameters
    ----------
    estimator : DeepClassifier, DeepRegressor, a tabular estimator, or a Pipeline that ends with one
    data : FitData
    start, stop : float
    n_steps : int
    has_diverged : callable
        Called with the losses so far; True ends the test.

    Raises
    ------
    TypeError
        If the estimator is none of these.
    ValueError
        If the optimizer does not use a learning rate.
    """
    estimator, data = _last_step(clone(estimator), data)
    if not isinstance(estimator, SupervisedEstimator):
        raise TypeError(
            "find_learning_rate needs a DeepClassifier, a DeepRegressor, a tabular estimator, or a Pipeline that ends with one. "
            f"Got {type(estimator).__name__} instead."
        )
    estimator.set_params(checkpoint=None)
    with traced_fields_named():
        job = prepare(estimator, streamed(estimator, data))
        _check_has_rate(job)
        watcher = StepLosses(job.rows.n, n_steps, has_diverged)
        run(_with_rates(job, start, stop, n_steps), watcher)
    rates = start * (stop / start) ** (np.arange(len(watcher.losses)) / (n_steps - 1))
    return rates, np.array(watcher.losses)


def _last_step(estimator: Any, data: FitData) -> tuple[Any, FitData]:
    """Return the last step of a pipeline, and the data with X transformed by the steps before it."""
    if not isinstance(estimator, Pipeline):
        return estimator, data
    X = estimator[:-1].fit_transform(data.X, data.y) if len(estimator) > 1 else data.X
    return _last_step(estimator[-1], FitData(X, data.y, data.sample_weight))


def _check_has_rate(job: Job) -> None:
    if job.config.optimizer.full_batch:
        raise ValueError(
            f"find_learning_rate varies the learning rate, which has no effect with the optimizer {type(job.config.optimizer).__name__}: "
            "a line search finds each step."
        )


def _with_rates(job: Job, start: float, stop: float, n_steps: int) -> Job:
    """Return the job with rates from start to stop, and without validation rows, early stopping and a scorer."""
    steps_per_epoch = int(job.start.steps_per_epoch)
    config = job.config.replace(
        learning_rate=start,
        schedule=Exponential(final=stop / start),
        max_epochs=(n_steps - 1) / steps_per_epoch,
        objective=MeanOfBatch(job.config.objective),
        stopping=Patience(),
        monitor="train",
    )
    n_epochs = math.ceil(n_steps / steps_per_epoch)
    return job.replace(config=config, last_epoch=n_epochs, validation=None, scores=None)
