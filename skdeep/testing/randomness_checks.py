"""Checks for layers and networks: all random numbers come from the given keys."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from skdeep.core.cpu.host import evaluate
from skdeep.core.random import key_of_seed
from skdeep.testing.dataflow import Dataflow, is_patternless
from skdeep.testing.module_programs import Made, Shape, flows_of, make
from skdeep.testing.running import contract_check, expect, expect_close

SHARE_DISTINCT = 0.5


@contract_check(
    "draw initial parameters with the key that `self.param` gives to the initializer, so that `random_state` decides them; use "
    "neither NumPy's random numbers nor a key that the module makes."
)
def check_init_follows_the_seed(component: Any, in_shape: Shape) -> None:
    """One seed always gives the same initial parameters; two seeds give different ones, except for values without randomness."""
    made = make(component, in_shape)
    flow = flows_of(component, in_shape).init
    expect(not _without_key(flow, made), "The initialisation has a random draw whose key does not depend on the seed.")
    leaves = jax.tree_util.tree_leaves_with_path((made.params, made.model_state))
    for (path, leaf), again, other in zip(leaves, _initial(flow, made, 0), _initial(flow, made, 1), strict=True):
        name = jax.tree_util.keystr(path[1:])
        expect_close(again, leaf, f"Two initialisations from one seed give different values of {name}.", rtol=0, atol=0)
        is_frozen = np.array_equal(other, leaf) and is_patternless(np.asarray(leaf), SHARE_DISTINCT)
        expect(not is_frozen, f"Two seeds give the same initial {name}, although its numbers look random.")


def _initial(flow: Dataflow, made: Made, seed: int) -> list[Any]:
    return evaluate(flow.traced[0], [*jax.tree.leaves(made.component), key_of_seed(seed), made.x])


@contract_check(
    "draw with a key from Flax (`self.make_rng('noise')`), or use `skdeep.layers.Dropout`: keys and random numbers that are "
    "made at tracing are the same in every step."
)
def check_noise_follows_the_key(component: Any, in_shape: Shape) -> None:
    """In training, each random draw depends on the step's key, and no random numbers that were drawn at tracing are used."""
    made = make(component, in_shape)
    _, training, prediction = flows_of(component, in_shape)
    n_own = _without_key(training, made)
    expect(
        n_own <= len(prediction.draws),  # random features that are fixed on purpose are drawn at prediction too
        f"In training it makes {n_own} random draws whose keys do not depend on the step's key.",
    )
    for constant in training.constants:
        is_shared = any(np.array_equal(constant, other) for other in prediction.constants)
        expect(
            is_shared or not is_patternless(constant),
            f"In training it uses random numbers of shape {constant.shape} that were drawn once, at tracing.",
        )


def _without_key(flow: Dataflow, made: Made) -> int:
    """Count the draws that depend neither on the key nor on the model state.

    Among the leaves of the arguments, the key follows the component's fields, and the model state comes last.
    """
    n_fields = len(jax.tree.leaves(made.component))
    n_leaves = n_fields + 2 + len(jax.tree.leaves((made.params, made.model_state)))
    state = range(n_leaves - len(jax.tree.leaves(made.model_state)), n_leaves)
    return sum(not (draw & {n_fields, *state}) for draw in flow.draws)


RANDOMNESS_CHECKS = (check_init_follows_the_seed, check_noise_follows_the_key)
