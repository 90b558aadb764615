"""The state of an optimizer outside of `init`, `update` and `eval_params`: a tuple of its arrays.

Optax's records stay inside traced functions. So a state can be pickled, and a compiled program loaded, without importing Optax.
"""

from __future__ import annotations

from typing import Any

import jax

from skdeep.contract import Optimizer
from skdeep.records import OptimizerState, Params


def initial_state(optimizer: Optimizer, params: Params) -> OptimizerState:
    """Return the arrays of the state before the first step."""
    return tuple(jax.tree.leaves(optimizer.init(params)))


def as_record(optimizer: Optimizer, params: Params, state: OptimizerState) -> Any:
    """Return the state in the form that the optimizer's functions take; call it inside a traced function only."""
    tree = jax.tree.structure(jax.eval_shape(optimizer.init, params))
    return jax.tree.unflatten(tree, state)


def as_arrays(optimizer: Optimizer, before: Any, after: Any) -> OptimizerState:
    """Return the arrays of a state that `update` returned.

    Raises
    ------
    TypeError
        If it has another form than the state that `update` was given.
    """
    found: Any = jax.tree.structure(after)
    wanted: Any = jax.tree.structure(before)
    if found != wanted:
        raise TypeError(
            f"The update of {optimizer} must keep the structure of the state that its init returned. It was given {wanted}, and "
            f"returned {found}."
        )
    return tuple(jax.tree.leaves(after))


def params_for_evaluation(optimizer: Optimizer, params: Params, state: OptimizerState) -> Params:
    """Return the parameters that the optimizer wants to be judged by."""
    if type(optimizer).eval_params is Optimizer.eval_params:
        return params
    return optimizer.eval_params(params, as_record(optimizer, params, state))
