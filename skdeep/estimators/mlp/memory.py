"""What a later `partial_fit` or warm start goes on from, beside the weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from skdeep.contract import FitConfig, TrainState


class Memory(NamedTuple):
    """The solver's memory, and how far early stopping is, as NumPy arrays."""

    solver: Any
    optimizer_leaves: list[np.ndarray]
    watched: str
    best: np.ndarray
    n_stale: np.ndarray
    rate_factor: np.ndarray


def memory_of(state: TrainState, config: FitConfig, solver: Any) -> Memory:
    """Return what is worth keeping of the state that training ended in."""
    record = state.stopping
    return Memory(
        solver=solver,
        optimizer_leaves=[np.array(leaf) for leaf in jax.tree.leaves(state.optimizer_state)],
        watched=_watched(config),
        best=np.array(record.best),
        n_stale=np.array(record.n_stale),
        rate_factor=np.array(record.rate_factor),
    )


def resumed(
    state: TrainState, memory: Memory | None, config: FitConfig, solver: Any, *, keeps_solver: bool
) -> TrainState:
    """Return a new state that goes on from earlier training.

    The best loss or score so far counts on if the same is watched. The solver's memory and its learning rate
    go on only where `keeps_solver` (in `partial_fit`), and if they are of the same solver and form.
    """
    if memory is None:
        return state
    record: Any = state.stopping
    dtype = state.loss_sum.dtype
    if memory.watched == _watched(config):
        record = record._replace(best=memory.best.astype(dtype), n_stale=memory.n_stale)
        if config.keep_best:
            record = record._replace(best_epoch=np.int32(-1))  # of an earlier fit
    leaves, tree = jax.tree.flatten(state.optimizer_state)
    same_form = [leaf.shape for leaf in leaves] == [leaf.shape for leaf in memory.optimizer_leaves]
    if keeps_solver and memory.solver == solver and same_form:
        kept = [old.astype(new.dtype) for old, new in zip(memory.optimizer_leaves, leaves, strict=True)]
        state = state._replace(optimizer_state=jax.tree.unflatten(tree, kept))
        record = record._replace(rate_factor=memory.rate_factor.astype(dtype))
    return state._replace(stopping=record)


def _watched(config: FitConfig) -> str:
    return "train" if config.monitor == "train" else "validation"
