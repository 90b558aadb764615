"""What a later `partial_fit` or warm start goes on from, beside the weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skdeep.contract import FitConfig, TrainState
from skdeep.estimators.memory import OptimizerMemory, recalled, remembered


class Memory(NamedTuple):
    """The memory of the solver, and the state of the stopping rule as NumPy arrays."""

    solver: OptimizerMemory
    watched: str
    best: np.ndarray
    n_stale: np.ndarray
    rate_factor: np.ndarray


def memory_of(state: TrainState, config: FitConfig, params: Any) -> Memory:
    """Return the memory of training that ended in `state` and left `params` to predict with."""
    record = state.stopping
    return Memory(
        solver=remembered(config.optimizer, state, params),
        watched=_watched(config),
        best=np.array(record.best),
        n_stale=np.array(record.n_stale),
        rate_factor=np.array(record.rate_factor),
    )


def resumed(state: TrainState, memory: Memory | None, config: FitConfig, *, keeps_solver: bool) -> TrainState:
    """Return a new state that goes on from earlier training.

    The best loss or score so far counts on if the same is watched. The solver's memory and its learning rate
    go on only where `keeps_solver` (in `partial_fit`), and if they were made by a solver of this structure.
    """
    if memory is None:
        return state
    record: Any = state.stopping
    dtype = state.loss_sum.dtype
    if memory.watched == _watched(config):
        record = record._replace(best=memory.best.astype(dtype), n_stale=memory.n_stale)
        if config.keep_best:
            record = record._replace(best_epoch=np.int32(-1))  # of an earlier fit
    if keeps_solver:
        state, is_same_solver = recalled(state, memory.solver, config.optimizer)
        if is_same_solver:
            record = record._replace(rate_factor=memory.rate_factor.astype(dtype))
    return state._replace(stopping=record)


def _watched(config: FitConfig) -> str:
    return "train" if config.monitor == "train" else "validation"
