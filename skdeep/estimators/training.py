"""Drives the core's loop for one fit: how long blocks are, the history, callbacks, validation on the host, Ctrl-C."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from skdeep.contract import FitConfig, FitResult, Info, Optimizer, Rows, TrainState
from skdeep.core import stopping
from skdeep.core.arrays import aligned_copy
from skdeep.core.batch import Feed
from skdeep.core.loop import training_blocks
from skdeep.core.step import evaluation_params, judge_score
from skdeep.estimators.callbacks import EpochReporter
from skdeep.estimators.interrupts import held_back_interrupt

SECONDS_PER_BLOCK = 0.25
# A guess for the first block, on the slow side; later blocks go by the clock.
GUESSED_SECONDS_PER_STEP = 5e-5
GUESSED_SECONDS_PER_PRODUCT = 3e-10

COLUMNS = ("epoch", "train_loss", "val_loss", "val_score", "learning_rate", "seconds")


def joined_history(earlier: dict[str, list[float]] | None, history: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return earlier lines and those of a run, counted on; columns that the run does not have are filled with NaN."""
    unknown = [math.nan] * len(history["epoch"])
    joined = {name: (earlier[name] if earlier else []) + history.get(name, unknown) for name in COLUMNS}
    joined["epoch"] = list(range(1, len(joined["epoch"]) + 1))
    return joined


@dataclass
class Plan:
    """All that one run of the loop needs.

    `host_val_loss` and `host_score` are functions of `(params, model_state)`, called after each
    epoch where given; the score is what early stopping watches if `config.monitor` is "host".
    `print_epoch` gets each finished epoch's line of the history, in order. `earlier` is the history that
    this run extends.
    """

    config: FitConfig
    state: TrainState
    feed: Feed
    validation: Rows | None
    n_epochs: int
    reporter: EpochReporter
    host_val_loss: Callable[[Any, Any], float] | None = None
    host_score: Callable[[Any, Any], float] | None = None
    print_epoch: Callable[[dict[str, float]], None] | None = None
    earlier: dict[str, list[float]] | None = None

    @property
    def is_epoch_wise(self) -> bool:
        """Whether control must return to Python after each epoch."""
        return self.reporter.is_active or self.host_val_loss is not None or self.host_score is not None


@dataclass
class Run:
    """The course of one training: its state, its history, and what ended it."""

    plan: Plan
    state: TrainState
    history: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    status: int = stopping.RUNNING
    first_epoch: int = 0
    n_printed: int = 0
    position: int = 0
    epoch_seconds: float = 0.0

    @property
    def n_done(self) -> int:
        """Epochs finished in this run."""
        return len(self.history["epoch"])


class Pace:
    """Chooses how many steps a block has, so that control returns about four times a second."""

    def __init__(self, feed: Feed, params: Any) -> None:
        n_products = sum(leaf.size for leaf in jax.tree.leaves(params)) * feed.batch_size
        self._seconds_per_step = GUESSED_SECONDS_PER_STEP + GUESSED_SECONDS_PER_PRODUCT * n_products
        if len(feed.row_shape) > 1:  # images, sequences: a weight may serve any number of times, so one step tells
            self._seconds_per_step = SECONDS_PER_BLOCK
        self._feed = feed

    def n_steps(self, remaining: int) -> int:
        """Return the length of the next block."""
        affordable = math.ceil(SECONDS_PER_BLOCK / self._seconds_per_step)
        return max(1, min(remaining, affordable, self._feed.max_steps))

    def note(self, seconds_per_step: float) -> None:
        """Learn from a block."""
        self._seconds_per_step = max(seconds_per_step, 1e-7)


def run_training(plan: Plan) -> tuple[FitResult, TrainState]:
    """Train until the plan's epochs are done, early stopping or a callback says stop, or Ctrl-C."""
    run = Run(plan, plan.state, first_epoch=int(plan.state.epoch))
    try:
        _run_blocks(run)
    except KeyboardInterrupt:
        run.status = stopping.INTERRUPTED
    return _result(run), run.state


def _run_blocks(run: Run) -> None:
    plan, pace = run.plan, Pace(run.plan.feed, run.plan.state.params)
    blocks = training_blocks(plan.config, run.state, plan.feed, plan.validation)
    next(blocks)
    plan.reporter.begin_epoch()
    while run.status == stopping.RUNNING:
        n_epochs_left = 1 if plan.is_epoch_wise else plan.n_epochs - run.n_done
        n_steps = pace.n_steps(n_epochs_left * plan.feed.steps_per_epoch - run.position)
        start = time.perf_counter()
        with held_back_interrupt():
            run.state, info = blocks.send((run.state, n_steps))
            info = jax.device_get(jax.block_until_ready(info))
        seconds_per_step = (time.perf_counter() - start) / n_steps
        pace.note(seconds_per_step)
        run.status = int(run.state.status)
        _record(run, info, n_steps, seconds_per_step)
        if info.n_epochs:
            _end_epoch(run)


def _record(run: Run, info: Info, n_steps: int, seconds_per_step: float) -> None:
    """Append the epochs that a block finished to the history; its time is shared evenly by its steps."""
    has_validation = run.plan.validation is not None
    steps_per_epoch = run.plan.feed.steps_per_epoch
    for i in range(int(info.n_epochs)):
        steps_here = steps_per_epoch - run.position
        line = (
            run.first_epoch + run.n_done + 1,
            float(info.train_loss[i]),
            float(info.val_loss[i]) if has_validation else math.nan,
            math.nan,
            float(info.learning_rate[i]),
            run.epoch_seconds + steps_here * seconds_per_step,
        )
        for name, value in zip(COLUMNS, line, strict=True):
            run.history[name].append(value)
        run.position, run.epoch_seconds = 0, 0.0
        n_steps -= steps_here
    run.position += n_steps
    run.epoch_seconds += n_steps * seconds_per_step


def _end_epoch(run: Run) -> None:
    """Do what the host has to do between two epochs, and decide whether there is another one."""
    plan = run.plan
    if plan.is_epoch_wise:
        _judge_on_host(run)
    if plan.print_epoch is not None:
        for i in range(run.n_printed, run.n_done):
            plan.print_epoch({name: values[i] for name, values in run.history.items()})
        run.n_printed = run.n_done
    wants_stop = plan.reporter.end_epoch(lambda: _attributes_so_far(run))
    if run.status != stopping.RUNNING:
        return
    if wants_stop:
        run.status = stopping.STOPPED_BY_CALLBACK
    elif run.n_done >= plan.n_epochs:
        run.status = stopping.OUT_OF_EPOCHS
    else:
        plan.reporter.begin_epoch()


def _attributes_so_far(run: Run) -> dict[str, Any]:
    """Return what the estimator would hold if training had stopped here."""
    params, model_state = current_params(run)
    return {
        "params_": params,
        "model_state_": model_state,
        "n_iter_": run.first_epoch + run.n_done,
        "_history": joined_history(run.plan.earlier, run.history),
    }


def _judge_on_host(run: Run) -> None:
    plan, history = run.plan, run.history
    if run.status == stopping.NON_FINITE:
        return
    params, model_state = current_params(run)
    if not _all_finite(params):  # the epoch's last step diverged, and a scorer would say that X has NaN
        run.status = stopping.NON_FINITE
        return
    loss = score = None
    if plan.host_val_loss is not None:
        loss = history["val_loss"][-1] = plan.host_val_loss(params, model_state)
    if plan.host_score is not None:
        score = history["val_score"][-1] = plan.host_score(params, model_state)
    if plan.config.monitor == "host":
        watched = loss if score is None else -score
        with held_back_interrupt():
            run.state = judge_score(plan.config, run.state, run.state.loss_sum.dtype.type(watched))
        run.status = int(run.state.status)


def current_params(run: Run) -> tuple[Any, Any]:
    """Return the parameters that the optimizer wants to be judged by, and the model state, on the host."""
    params, optimizer = run.state.params, run.plan.config.optimizer
    if type(optimizer).eval_params is not Optimizer.eval_params:
        params = evaluation_params(run.plan.config, run.state)
    return jax.tree.map(np.asarray, (params, run.state.model_state))


def _result(run: Run) -> FitResult:
    """Return the best parameters if they were kept, else the last ones."""
    best = run.state.stopping
    last_epoch = run.first_epoch + run.n_done
    keeps_best = run.plan.config.keep_best and int(best.best_epoch) != 0
    if keeps_best:
        params, model_state = jax.tree.map(aligned_copy, (best.best_params, best.best_model_state))
    else:
        params, model_state = jax.tree.map(aligned_copy, current_params(run))
    status = run.status
    if not keeps_best and status != stopping.INTERRUPTED and not _all_finite(params):
        status = stopping.NON_FINITE
    return FitResult(
        params=params,
        model_state=model_state,
        history=run.history,
        n_epochs=last_epoch,
        best_epoch=int(best.best_epoch) if keeps_best else last_epoch,
        has_best=keeps_best,
        status=status,
    )


def _all_finite(params: Any) -> bool:
    return all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(params))
