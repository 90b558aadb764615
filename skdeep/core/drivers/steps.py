"""The driver that trains on batches, by blocks of compiled steps."""

from __future__ import annotations

import math
import time
from typing import Any

import jax
import numpy as np

from skdeep.component import Component
from skdeep.contract import Optimizer
from skdeep.core import as_traced, stopping
from skdeep.core.cpu.aligned import aligned_copy
from skdeep.core.drivers.interrupts import held_back_interrupt
from skdeep.core.drivers.pace import Pace
from skdeep.core.feeds import Feed, feed_of
from skdeep.core.feeds.validation import Validation
from skdeep.core.history import COLUMNS, new_history
from skdeep.core.step import evaluation_params, judge_score, train_block
from skdeep.core.watcher import Watcher
from skdeep.records import Info, ModelState, Outcome, Params, Snapshot, TrainState


class Steps(Component):
    """Trains by blocks of compiled steps until the last epoch, or until early stopping, a watcher or Ctrl-C ends it."""

    def drive(self, job: Any, watcher: Watcher) -> Outcome:
        """Train a job; see `skdeep.core.run.run`."""
        course = _Course(job, watcher)
        try:
            _run_blocks(course)
        except KeyboardInterrupt:
            course.status = stopping.INTERRUPTED
        return _outcome(course)


class _Course:
    """One training in progress: its state, its history, and its status."""

    def __init__(self, job: Any, watcher: Watcher) -> None:
        self.job, self.watcher = job, watcher
        self.config = as_traced(job.config, job.placement.dtype)
        shape = job.config.model.in_shape
        self.feed: Feed = feed_of(job.rows, shape, job.batch_size, job.order)
        self.validation = None if job.validation is None else Validation(job.validation, shape)
        at: Snapshot = job.snapshot or Snapshot(job.start, new_history(), 0.0)
        self.state: TrainState = at.state
        self.history = {name: list(at.history[name]) for name in COLUMNS}
        self.seconds = at.seconds
        self.n_told = len(self.history["epoch"])
        self.status = int(self.state.status)
        self.feed.seek(self.epoch, self.position)
        self.pace = Pace(self.state.params, job.batch_size, shape, watcher.seconds_per_block)

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
        return has_host_loss or self.job.score is not None

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


def _run_blocks(course: _Course) -> None:
    if course.status == stopping.RUNNING and course.epoch >= course.job.last_epoch:
        course.status = stopping.OUT_OF_EPOCHS
    if course.status != stopping.RUNNING:  # the snapshot is of a training that had ended
        return
    run = _compiled(course)
    course.watcher.begin_epoch()
    while course.status == stopping.RUNNING:
        n_epochs_left = 1 if course.is_epoch_wise else course.job.last_epoch - course.epoch
        n_steps_left = n_epochs_left * course.feed.steps_per_epoch - course.position
        n_steps = course.pace.n_steps(n_steps_left, course.feed.max_steps)
        with held_back_interrupt():  # so that state and history are of the same step
            info = _run_block(course, run, n_steps)
        if info.n_epochs:
            _end_epochs(course)
        if course.watcher.end_block(course) and course.status == stopping.RUNNING:
            course.status = stopping.STOPPED_BY_CALLBACK


def _run_block(course: _Course, run: Any, n_steps: int) -> Info:
    position, start = course.position, time.perf_counter()
    course.state, info = run(course.config, course.state, *_arguments(course, n_steps))
    info = jax.device_get(jax.block_until_ready(info))
    seconds_per_step = (time.perf_counter() - start) / n_steps
    course.pace.note(seconds_per_step)
    course.status = int(course.state.status)
    _record(course, info, position, n_steps, seconds_per_step)
    return info  # type: ignore[no-any-return]


def _compiled(course: _Course) -> Any:
    """Return the compiled block of steps, so that the first timed block does not include compiling.

    If the network is too slow inside a loop on a CPU, blocks are limited to one step.
    """
    run = train_block.prepared(course.config, course.state, *_arguments(course, 0))
    if run is None:
        course.feed.max_steps = 1
        run = train_block.prepared(course.config, course.state, *_arguments(course, 0))
    return run


def _arguments(course: _Course, n_steps: int) -> tuple[Any, ...]:
    rows, order = course.feed.next_block(n_steps)
    return rows, course.validation and course.validation.in_program, order, np.int32(n_steps)


def _record(course: _Course, info: Info, position: int, n_steps: int, seconds_per_step: float) -> None:
    """Append the epochs that a block finished to the history. All steps of the block count as equally long."""
    has_validation = course.validation is not None and course.validation.in_program is not None
    n_epochs = int(info.n_epochs)
    for i in range(n_epochs):
        steps_here = course.feed.steps_per_epoch - position
        line = (
            course.epoch - n_epochs + i + 1,
            float(info.train_loss[i]),
            float(info.val_loss[i]) if has_validation else math.nan,
            math.nan,
            float(info.learning_rate[i]),
            course.seconds + steps_here * seconds_per_step,
        )
        for name, value in zip(COLUMNS, line, strict=True):
            course.history[name].append(value)
        position, course.seconds = 0, 0.0
        n_steps -= steps_here
    course.seconds += n_steps * seconds_per_step


def _end_epochs(course: _Course) -> None:
    """Judge finished epochs on the host if needed, tell the watcher, and set the status if training ends here."""
    if course.is_epoch_wise:
        _judge_on_host(course)
    n_done = len(course.history["epoch"])
    wants_stop = course.watcher.end_epochs(course, n_done - course.n_told)
    course.n_told = n_done
    if course.status != stopping.RUNNING:
        return
    if wants_stop:
        course.status = stopping.STOPPED_BY_CALLBACK
    elif course.epoch >= course.job.last_epoch:
        course.status = stopping.OUT_OF_EPOCHS
    else:
        course.watcher.begin_epoch()


def _judge_on_host(course: _Course) -> None:
    if course.status == stopping.NON_FINITE:
        return
    params, model_state = course.current_params()
    if not _all_finite(params):  # the epoch's last step diverged; a scorer would raise a misleading error about NaN
        course.status = stopping.NON_FINITE
        return
    watched = None
    if course.validation is not None and course.validation.in_program is None:
        watched = course.history["val_loss"][-1] = course.validation.loss(course.config, params, model_state)
    if course.job.score is not None:
        course.history["val_score"][-1] = course.job.score(params, model_state)
        watched = -course.history["val_score"][-1]
    if course.config.monitor == "host":
        with held_back_interrupt():
            course.state = judge_score(course.config, course.state, course.state.loss_sum.dtype.type(watched))
        course.status = int(course.state.status)


def _outcome(course: _Course) -> Outcome:
    """Return the outcome, with the best parameters if they were kept, else the last ones."""
    best = course.state.stopping
    keeps_best = course.config.keep_best and int(best.best_epoch) != 0
    if keeps_best:
        params, model_state = jax.tree.map(aligned_copy, (best.best_params, best.best_model_state))
    else:
        params, model_state = jax.tree.map(aligned_copy, course.current_params())
    status = course.status
    if not keeps_best and status != stopping.INTERRUPTED and not _all_finite(params):
        status = stopping.NON_FINITE
    return Outcome(
        params=params,
        model_state=model_state,
        history=course.history,
        n_epochs=course.epoch,
        best_epoch=int(best.best_epoch) if keeps_best else course.epoch,
        has_best=keeps_best,
        status=status,
        state=course.state,
    )


def _all_finite(params: Any) -> bool:
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(params))
