"""One training in progress: its state, its history, its status, and the outcome that it ends with."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from skdeep.contract import Optimizer
from skdeep.core import as_traced, stopping
from skdeep.core.cpu.aligned import aligned_copy
from skdeep.core.feeds import Feed, feed_of
from skdeep.core.feeds.validation import Validation
from skdeep.core.step import evaluation_params
from skdeep.core.watcher import Watcher
from skdeep.records import Info, ModelState, Outcome, Params, Snapshot, TrainState


class Training:
    """One training in progress: its state, its history, and its status."""

    def __init__(self, job: Any, watcher: Watcher) -> None:
        self.job, self.watcher = job, watcher
        self.config = as_traced(job.config, job.placement.dtype)
        shape = job.config.model.in_shape
        self.feed: Any = self._feed(job)
        self.validation = None if job.validation is None else Validation(job.validation, shape)
        at: Snapshot = job.snapshot or Snapshot(job.start, {name: [] for name in job.columns}, 0.0)
        self.state: TrainState = at.state
        self.history = {name: list(at.history[name]) for name in job.columns}
        self.seconds = at.seconds
        self.n_told = len(self.history["epoch"])
        self.status = int(self.state.status)
        self.feed.seek(self.epoch, self.position)

    def _feed(self, job: Any) -> Any:
        feed: Feed = feed_of(job.rows, job.config.model.in_shape, job.batch_size, job.order)
        return feed

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return int(self.state.epoch)

    @property
    def position(self) -> int:
        """Number of finished steps of the current epoch."""
        return int(self.state.position)

    @property
    def is_judged_on_host(self) -> bool:
        """True if a loss or a score must be computed on the host between two epochs."""
        has_host_loss = self.validation is not None and self.validation.in_program is None
        return has_host_loss or self.job.scores is not None

    @property
    def is_epoch_wise(self) -> bool:
        """True if control must return to Python after each epoch."""
        return self.watcher.is_epoch_wise or self.is_judged_on_host

    def snapshot(self) -> Snapshot:
        """Return the current state and history, with copies of all arrays."""
        state = jax.tree.map(aligned_copy, self.state)
        return Snapshot(state, {name: list(values) for name, values in self.history.items()}, self.seconds)

    def current_params(self) -> tuple[Params, ModelState]:
        """Return the optimizer's evaluation parameters (`Optimizer.eval_params`) and the model state, on the host."""
        params, optimizer = self.state.params, self.config.optimizer
        if type(optimizer).eval_params is not Optimizer.eval_params:
            params = evaluation_params(self.config, self.state)
        return jax.tree.map(np.asarray, (params, self.state.model_state))  # type: ignore[no-any-return]


def record_epochs(training: Training, info: Info, position: int, n_steps: int, seconds_per_step: float) -> None:
    """Append the epochs that a block finished to the history. All steps of the block count as equally long."""
    has_validation = training.validation is not None and training.validation.in_program is not None
    n_epochs, last = int(info.n_epochs), training.epoch
    unknown = [math.nan] * n_epochs
    steps = [training.feed.steps_per_epoch] * n_epochs
    if n_epochs:
        steps[0] -= position
    seconds = [n * seconds_per_step for n in steps]
    if n_epochs:
        seconds[0] += training.seconds
        training.seconds = 0.0
    known = {
        "epoch": range(last - n_epochs + 1, last + 1),
        "train_loss": np.asarray(info.train_loss)[:n_epochs].tolist(),
        "learning_rate": np.asarray(info.learning_rate)[:n_epochs].tolist(),
        "seconds": seconds,
    }
    if has_validation:
        known["val_loss"] = np.asarray(info.val_loss)[:n_epochs].tolist()
    for name, values in training.history.items():
        values.extend(known.get(name, unknown))
    training.seconds += (n_steps - sum(steps)) * seconds_per_step


def outcome_of(training: Training) -> Outcome:
    """Return the outcome, with the best parameters if they were kept, else the last ones."""
    best = training.state.stopping
    keeps_best = training.config.keep_best and int(best.best_epoch) != 0
    if keeps_best:
        params, model_state = jax.tree.map(aligned_copy, (best.best_params, best.best_model_state))
    else:
        params, model_state = jax.tree.map(aligned_copy, training.current_params())
    status = training.status
    if not keeps_best and status != stopping.INTERRUPTED and not all_finite(params):
        status = stopping.NON_FINITE
    return Outcome(
        params=params,
        model_state=model_state,
        history=training.history,
        n_epochs=training.epoch,
        best_epoch=int(best.best_epoch) if keeps_best else training.epoch,
        has_best=keeps_best,
        status=status,
        state=training.state,
    )


def all_finite(params: Any) -> bool:
    """Return True if no parameter is NaN or infinite."""
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(params))
