"""The memory of an optimizer between two calls of `partial_fit`: it belongs to the optimizer that made it."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from skdeep.contract import Optimizer, TrainState
from skdeep.core.arrays import aligned_copy
from skdeep.core.fingerprint import fingerprint
from skdeep.estimators.continuing import structural_difference


class OptimizerMemory(NamedTuple):
    """The state of an optimizer as NumPy arrays, and the optimizer.

    `trained` and `predicting` are the leaves of the parameters that it trains and of those that it predicts with.
    Both are None unless the optimizer has `eval_params` of its own, as schedule-free optimizers do.
    """

    optimizer: Optimizer
    state: list[np.ndarray]
    trained: list[np.ndarray] | None
    predicting: list[np.ndarray] | None


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


def _is_same_optimizer(before: Optimizer, now: Optimizer) -> bool:
    """Tell whether two optimizers differ in numbers only; functions of one name may be two, in a notebook."""
    return structural_difference(before, now) is None and fingerprint([before]) == fingerprint([now])


def _all_equal(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def _in_types_of(leaves: Any, values: list[np.ndarray]) -> list[np.ndarray]:
    return [value.astype(leaf.dtype, copy=False) for leaf, value in zip(leaves, values, strict=True)]
