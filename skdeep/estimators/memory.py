"""Optimizer state and stopping state that a fit keeps, so that a later `partial_fit` or warm start can continue."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from skdeep.config import FitConfig
from skdeep.contract import Optimizer
from skdeep.core.cpu.aligned import aligned_copy
from skdeep.core.fingerprint import fingerprint
from skdeep.core.job import Job
from skdeep.estimators.continuing import structural_difference
from skdeep.estimators.missing import Missing
from skdeep.records import Outcome, TrainState


class OptimizerMemory(NamedTuple):
    """An optimizer and the leaves of its state as NumPy arrays.

    `trained` and `predicting` are the leaves of the parameters that the optimizer updates, and of those that predictions
    use. Both are None unless the optimizer overrides `eval_params`, as schedule-free optimizers do.
    """

    optimizer: Optimizer
    state: list[np.ndarray]
    trained: list[np.ndarray] | None
    predicting: list[np.ndarray] | None


class StoppingMemory(NamedTuple):
    """The state of the stopping rule as NumPy arrays. `watched` is the loss that it compared: "train" or "validation"."""

    watched: str
    best: np.ndarray
    n_stale: np.ndarray
    rate_factor: np.ndarray


class Memory(NamedTuple):
    """The part of a training that a later one continues from, beside parameters and history.

    `key` is its random key, and `largest_batch` the number of rows of its largest batch so far. `optimizer` and `stopping`
    are None if the later training does not use them. `optimizer` is `Missing` if a model file was loaded without its package.
    """

    key: np.ndarray
    largest_batch: int
    optimizer: OptimizerMemory | Missing | None = None
    stopping: StoppingMemory | None = None


def memory_of(job: Job, outcome: Outcome, *, keeps_optimizer: bool, keeps_stopping: bool) -> Memory:
    """Return the memory of a training, with the optimizer's and the stopping rule's parts if asked for."""
    record = outcome.state.stopping
    largest = max(int(job.start.largest_batch), min(job.batch_size, job.rows.n))
    seen = [np.array(value) for value in (record.best, record.n_stale, record.rate_factor)]
    return Memory(
        key=np.array(job.start.key),
        largest_batch=largest,
        optimizer=remembered(job.config.optimizer, outcome.state, outcome.params) if keeps_optimizer else None,
        stopping=StoppingMemory(_watched(job.config), *seen) if keeps_stopping else None,
    )


def remembered(optimizer: Optimizer, state: TrainState, params: Any) -> OptimizerMemory:
    """Return the optimizer's memory after training that ended in `state`; `params` are the parameters for predictions."""
    memory = [aligned_copy(leaf) for leaf in jax.tree.leaves(state.optimizer_state)]
    if type(optimizer).eval_params is Optimizer.eval_params:
        return OptimizerMemory(optimizer, memory, None, None)
    trained = [aligned_copy(leaf) for leaf in jax.tree.leaves(state.params)]
    predicting = [aligned_copy(leaf) for leaf in jax.tree.leaves(params)]
    return OptimizerMemory(optimizer, memory, trained, predicting)


def recalled(
    state: TrainState, memory: OptimizerMemory | Missing | None, optimizer: Optimizer
) -> tuple[TrainState, bool]:
    """Return the state with the optimizer's memory put in, and True; or the unchanged state, and False.

    The memory is used if `optimizer` has the same structure as the optimizer that made it; its traced numbers may
    differ. If training and prediction use different parameters (`memory.trained`), the parameters for predictions must
    be unchanged too. Otherwise training restarts from the parameters for predictions.
    """
    if not isinstance(memory, OptimizerMemory) or not _is_same_optimizer(memory.optimizer, optimizer):
        return state, False
    leaves, tree = jax.tree.flatten(state.optimizer_state)
    if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in memory.state]:
        return state, False
    if memory.trained is not None:
        now, params_tree = jax.tree.flatten(state.params)
        if not _all_equal(now, memory.predicting):
            return state, False
        state = state._replace(params=jax.tree.unflatten(params_tree, _in_types_of(now, memory.trained)))
    return state._replace(optimizer_state=jax.tree.unflatten(tree, _in_types_of(leaves, memory.state))), True


def resumed(state: TrainState, memory: Memory | None, config: FitConfig, *, keeps_optimizer: bool) -> TrainState:
    """Return the state with the earlier state of the stopping rule, if the rule watches the same loss as before.

    With `keeps_optimizer` (in `partial_fit`), the state also gets the optimizer's memory and the factor of its learning
    rate, if an optimizer of the same structure made them.
    """
    if memory is None or memory.stopping is None:
        return state
    record: Any = state.stopping
    seen, dtype = memory.stopping, state.loss_sum.dtype
    if seen.watched == _watched(config):
        record = record._replace(best=seen.best.astype(dtype), n_stale=seen.n_stale)
        if config.keep_best:
            record = record._replace(best_epoch=np.int32(-1))  # the best epoch belongs to an earlier fit
    if keeps_optimizer:
        state, is_same = recalled(state, memory.optimizer, config.optimizer)
        if is_same:
            record = record._replace(rate_factor=seen.rate_factor.astype(dtype))
    return state._replace(stopping=record)


def _watched(config: FitConfig) -> str:
    return "train" if config.monitor == "train" else "validation"


def _is_same_optimizer(before: Optimizer, now: Optimizer) -> bool:
    """Return True if two optimizers differ in traced numbers only.

    The fingerprints are compared too, because two functions in a notebook can have the same name.
    """
    return structural_difference(before, now) is None and fingerprint([before]) == fingerprint([now])


def _all_equal(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def _in_types_of(leaves: Any, values: list[np.ndarray]) -> list[np.ndarray]:
    return [value.astype(leaf.dtype, copy=False) for leaf, value in zip(leaves, values, strict=True)]
