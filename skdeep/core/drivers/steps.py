"""The driver that trains on batches, by blocks of compiled steps."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import jax
import numpy as np

from skdeep.component import Component
from skdeep.core import stopping
from skdeep.core.drivers.in_step import all_have_rows, in_step
from skdeep.core.drivers.interrupts import held_back_interrupt
from skdeep.core.drivers.pace import Pace
from skdeep.core.drivers.training import Training, all_finite, outcome_of, record_epochs
from skdeep.core.step import judge_score, train_block
from skdeep.core.watcher import Watcher
from skdeep.records import Info, Outcome


class Steps(Component):
    """Trains by blocks of compiled steps until the last epoch, or until early stopping, a watcher or Ctrl-C ends it."""

    def drive(self, job: Any, watcher: Watcher) -> Outcome:
        """Train a job; see `skdeep.core.run.run`."""
        training = Training(job, watcher)
        try:
            _run_blocks(training)
        except KeyboardInterrupt:
            training.status = stopping.INTERRUPTED
        finally:
            training.feed.close()
        return outcome_of(training)


def _run_blocks(training: Training) -> None:
    if training.status == stopping.RUNNING and training.epoch >= training.job.last_epoch:
        training.status = stopping.OUT_OF_EPOCHS
    if training.status != stopping.RUNNING:  # the snapshot is of a training that had ended
        return
    job, watcher = training.job, training.watcher
    pace = Pace(training.state.params, job.batch_size, job.config.model.in_shape, watcher.seconds_per_block)
    run = _compiled(training)
    watcher.begin_epoch()
    if job.placement.spans_processes:
        pace.note(
            watcher.seconds_per_block
        )  # how long exchanges take is not known, so measure a block of one step first
        in_step(training, partial(_next_steps, training, pace), partial(_one_block, training, pace, run))
    while training.status == stopping.RUNNING:
        _one_block(training, pace, run, _next_steps(training, pace))


def _next_steps(training: Training, pace: Pace) -> int:
    """Return the number of steps of the next block."""
    n_epochs_left = 1 if training.is_epoch_wise else training.job.last_epoch - training.epoch
    n_steps_left = n_epochs_left * training.feed.steps_per_epoch - training.position
    return pace.n_steps(n_steps_left, training.feed.max_steps)


def _one_block(training: Training, pace: Pace, run: Any, n_steps: int) -> None:
    """Run one block of steps, then what follows it on the host."""
    with held_back_interrupt():  # so that state and history are of the same step
        info, seconds_per_step = _run_block(training, run, n_steps)
    pace.note(seconds_per_step)
    if info.n_epochs:
        _end_epochs(training)
    if training.watcher.end_block(training) and training.status == stopping.RUNNING:
        training.status = stopping.STOPPED_BY_CALLBACK


def _run_block(training: Training, run: Any, n_steps: int) -> tuple[Info, float]:
    position, start = training.position, time.perf_counter()
    arguments = _arguments(training, n_steps)
    if training.job.placement.spans_processes:
        all_have_rows()
    training.state, info = run(training.config, training.state, *arguments)
    info = jax.device_get(jax.block_until_ready(info))
    seconds_per_step = (time.perf_counter() - start) / n_steps
    training.status = int(training.state.status)
    record_epochs(training, info, position, n_steps, seconds_per_step)
    return info, seconds_per_step


def _compiled(training: Training) -> Any:
    """Return the compiled block of steps, so that the first timed block does not include compiling.

    If the network is too slow inside a loop on a CPU, blocks are limited to one step.
    """
    run = train_block.prepared(training.config, training.state, *_arguments(training, 0))
    if run is None:
        training.feed.max_steps = 1
        run = train_block.prepared(training.config, training.state, *_arguments(training, 0))
    return run


def _arguments(training: Training, n_steps: int) -> tuple[Any, ...]:
    rows, order = training.feed.next_block(n_steps)
    return rows, training.validation and training.validation.in_program, order, np.int32(n_steps)


def _end_epochs(training: Training) -> None:
    """Judge finished epochs on the host if needed, tell the watcher, and set the status if training ends here."""
    if training.is_epoch_wise:
        _judge_on_host(training)
    n_done = len(training.history["epoch"])
    wants_stop = training.watcher.end_epochs(training, n_done - training.n_told)
    training.n_told = n_done
    if training.status != stopping.RUNNING:
        return
    if wants_stop:
        training.status = stopping.STOPPED_BY_CALLBACK
    elif training.epoch >= training.job.last_epoch:
        training.status = stopping.OUT_OF_EPOCHS
    else:
        training.watcher.begin_epoch()


def _judge_on_host(training: Training) -> None:
    if training.status == stopping.NON_FINITE:
        return
    params, model_state = training.current_params()
    if not all_finite(params):  # the epoch's last step diverged; a scorer would raise a misleading error about NaN
        training.status = stopping.NON_FINITE
        return
    watched = None
    if training.validation is not None and training.validation.in_program is None:
        watched = training.history["val_loss"][-1] = training.validation.loss(training.config, params, model_state)
    if training.job.scores is not None:
        scores = training.job.scores(params, model_state)
        for name, value in scores.items():
            training.history[name][-1] = value
        watched = -scores["val_score"] if "val_score" in scores else watched
    if training.config.monitor == "host":
        with held_back_interrupt():
            training.state = judge_score(training.config, training.state, training.state.loss_sum.dtype.type(watched))
        training.status = int(training.state.status)
