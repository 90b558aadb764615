"""What a later `partial_fit` or warm start goes on from, beside the parameters: the memory of an optimizer, of stopping."""

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
from skdeep.records import Outcome, TrainState


class OptimizerMemory(NamedTuple):
    """The state of an optimizer as NumPy arrays, and the optimizer.

    `trained` and `predicting` are the leaves of the parameters that it trains and of those that it predicts with.
    Both are None unless the optimizer has `eval_params` of its own, as schedule-free optimizers do.
    """

    optimizer: Optimizer
    state: list[np.ndarray]
    trained: list[np.ndarray] | None
    predicting: list[np.ndarray] | None


class StoppingMemory(NamedTuple):
    """What the stopping rule had seen, as NumPy arrays; `watched` is "train" or "validation"."""

    watched: str
    best: np.ndarray
    n_stale: np.ndarray
    rate_factor: np.ndarray


class Memory(NamedTuple):
    """What training leaves for a later one: its key, the rows of its largest batch, and more where that goes on."""

    key: np.ndarray
    largest_batch: int
    optimizer: OptimizerMemory | None = None
    stopping: StoppingMemory | None = None


def memory_of(job: Job, outcome: Outcome, *, keeps_optimizer: bool, keeps_stopping: bool) -> Memory:
    """Return the memory of a training."""
    record = outcome.state.stopping
    largest = max(int(job.start.largest_batch), min(job.batch_size, len(job.rows.target)))
    seen = [np.array(value) for value in (record.best, record.n_stale, record.rate_factor)]
    return Memory(
        key=np.array(job.start.key),
        largest_batch=largest,
        optimizer=remembered(job.config.optimizer, outcome.state, outcome.params) if keeps_optimizer else None,
        stopping=StoppingMemory(_watched(job.config), *seen) if keeps_stopping else None,
    )


def remembered(optimizer: Optimizer, state: TrainState, params: Any) -> OptimizerMemory:
    """Return the memory of the optimizer after training that ended in `state` and left `params` to predict with."""
    memory = [aligned_copy(leaf) for leaf in jax.tree.leaves(state.optimizer_state)]
    if type(optimizer).eval_params is Optimizer.eval_params:
        return OptimizerMemory(optimizer, memory, None, None)
    trained = [aligned_copy(leaf) for leaf in jax.tree.leaves(state.params)]
    predicting = [aligned_copy(leaf) for leaf in jax.tree.leaves(params)]
    return OptimizerMemory(optimizer, memory, trained, predicting)


def recalled(state: TrainState, memory: OptimizerMemory | None, optimizer: Optimizer) -> tuple[TrainState, bool]:
    """Return the state with the optimizer's memory, and whether the memory could be used.

    It can be used if this optimizer has the structure of the one that made it: its numbers may have changed. If
    training and prediction have parameters of their own, those of prediction must be unchanged too: training
    otherwise restarts from them.
    """
    if memory is None or not _is_same_optimizer(memory.optimizer, optimizer):
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
    """Return a new state in which the stopping rule goes on from what it had seen, if it watches the same.

    The optimizer's memory and its learning rate go on only where `keeps_optimizer` (in `partial_fit`), and if they were
    made by an optimizer of this structure.
    """
    if memory is None or memory.stopping is None:
        return state
    record: Any = state.stopping
    seen, dtype = memory.stopping, state.loss_sum.dtype
    if seen.watched == _watched(config):
        record = record._replace(best=seen.best.astype(dtype), n_stale=seen.n_stale)
        if config.keep_best:
            record = record._replace(best_epoch=np.int32(-1))  # of an earlier fit
    if keeps_optimizer:
        state, is_same = recalled(state, memory.optimizer, config.optimizer)
        if is_same:
            record = record._replace(rate_factor=seen.rate_factor.astype(dtype))
    return state._replace(stopping=record)


def _watched(config: FitConfig) -> str:
    return "train" if config.monitor == "train" else "validation"


def _is_same_optimizer(before: Optimizer, now: Optimizer) -> bool:
    """Tell whether two optimizers differ in numbers only; functions of one name may be two, in a notebook."""
    return structural_difference(before, now) is None and fingerprint([before]) == fingerprint([now])


def _all_equal(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def _in_types_of(leaves: Any, values: list[np.ndarray]) -> list[np.ndarray]:
    return [value.astype(leaf.dtype, copy=False) for leaf, value in zip(leaves, values, strict=True)]
