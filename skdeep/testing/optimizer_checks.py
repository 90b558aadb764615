"""Checks for optimizers: the form of state and updates, and that they bring a loss down."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.contract import Optimizer, Params
from skdeep.core import as_traced
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite, expect_same_form

N_STEPS = 100
LEARNING_RATES = tuple(np.float32(rate) for rate in (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 10.0, 100.0))
SHAPES = {"hidden": {"kernel": (4, 3), "bias": (3,)}, "middle": {"kernel": (3, 3)}, "output": {"kernel": (3, 2)}}


def example_params(seed: int) -> Params:
    """Return parameters such as a small network has, in float32."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s: np.asarray(rng.normal(size=s), np.float32), SHAPES, is_leaf=lambda s: isinstance(s, tuple)
    )


def quadratic(params: Params) -> Any:
    """Return a convex loss whose curvature differs by a factor of ten between parameters."""
    best = example_params(1)
    curvature = jax.tree.map(lambda p: 10 ** np.tanh(p), example_params(2))
    terms = jax.tree.map(lambda c, p, b: jnp.sum(c * (p - b) ** 2), curvature, params, best)
    return sum(jax.tree.leaves(terms))


def step(optimizer: Optimizer, state: Any, params: Params, learning_rate: Any) -> tuple[Any, Params]:
    """Return state and parameters after one update on the quadratic."""
    value, grad = jax.value_and_grad(quadratic)(params)
    state, updates = optimizer.update(grad, state, params, learning_rate, value, quadratic)
    return state, jax.tree.map(lambda p, u: (p + u).astype(p.dtype), params, updates)


def _first_updates(optimizer: Optimizer, params: Params, learning_rate: Any) -> Any:
    state = optimizer.init(params)
    value, grad = jax.value_and_grad(quadratic)(params)
    return state, *optimizer.update(grad, state, params, learning_rate, value, quadratic)


@contract_check(
    "return `(state, updates)` from update, with updates of the tree, shapes and types of the parameters, and a state "
    "whose tree, shapes and types stay as `init` made them: it is carried through a compiled loop."
)
def check_forms(optimizer: Optimizer) -> None:
    """Updates have the form of the parameters, states keep the form that `init` gave, and evaluation parameters too."""
    params = example_params(0)
    rate = jax.ShapeDtypeStruct((), np.float32)
    state, new_state, updates = jax.eval_shape(_first_updates, as_traced(optimizer), params, rate)
    expect_same_form(updates, jax.eval_shape(lambda: params), "Updates do not have the form of the parameters.")
    expect_same_form(new_state, state, "The state changes its form.")
    judged = jax.eval_shape(lambda o, p, s: o.eval_params(p, s), as_traced(optimizer), params, new_state)
    expect_same_form(judged, jax.eval_shape(lambda: params), "eval_params does not have the form of the parameters.")


@contract_check("make the state from the shapes of the parameters alone, without looking at their values in Python.")
def check_init_gives_one_form(optimizer: Optimizer) -> None:
    """Two sets of parameters give states of one form, made of arrays only."""
    states = [optimizer.init(example_params(seed)) for seed in (0, 1)]
    for leaf in jax.tree.leaves(states[0]):
        expect(hasattr(leaf, "dtype"), f"The state holds {leaf!r}, a {type(leaf).__name__}, which is no array.")
    expect_same_form(states[0], states[1], "Other parameters give a state of another form.")


@contract_check(
    "use `jnp.where` or `lax.cond` instead of `if` on float fields and on the learning rate, and pass the rate on as it is: "
    "a function of it that Optax calls as a schedule is a schedule of our own."
)
def check_floats_are_traced(optimizer: Optimizer) -> None:
    """An update can be traced with learning rate and fields as abstract numbers, so that new ones need no compile."""
    rate = jax.ShapeDtypeStruct((), np.float32)
    jax.eval_shape(_first_updates, as_traced(optimizer), example_params(0), rate)


@contract_check("follow the negative gradient: updates are added to the parameters, so they point downhill.")
def check_descends(optimizer: Optimizer) -> None:
    """On a convex quadratic some learning rate of 100 to 0.001 brings the loss under a half within 100 steps."""

    @jax.jit
    def train(optimizer: Optimizer, learning_rate: Any) -> Any:
        def body(_: Any, carry: Any) -> Any:
            state, params = carry
            return step(optimizer, state, params, learning_rate)

        params = example_params(0)
        state, params = jax.lax.fori_loop(0, N_STEPS, body, (optimizer.init(params), params))
        return optimizer.eval_params(params, state)

    reached = {}
    for rate in LEARNING_RATES:
        params = train(as_traced(optimizer), rate)
        reached[float(rate)] = float(quadratic(params))
        if reached[float(rate)] < 0.5 * float(quadratic(example_params(0))):
            return
    start = float(quadratic(example_params(0)))
    raise AssertionError(f"The loss starts at {start:.3g} and is after {N_STEPS} steps, by learning rate, {reached}.")


@contract_check("keep all that the next step needs in the state, as arrays, and nothing outside of it.")
def check_resumes(optimizer: Optimizer) -> None:
    """Training that goes on from saved arrays takes the same steps, to the bit, as training that was not interrupted."""
    run = jax.jit(step)
    rate = np.float32(0.01)
    state, params = optimizer.init(example_params(0)), example_params(0)
    for _ in range(3):
        state, params = run(as_traced(optimizer), state, params, rate)
    saved = jax.tree.map(lambda leaf: np.array(leaf), (state, params))
    for _ in range(3):
        state, params = run(as_traced(optimizer), state, params, rate)
        saved = run(as_traced(optimizer), *saved, rate)
    expect_close((state, params), saved, "Resumed training went another way.", rtol=0, atol=0)
    expect_finite(params, "After 6 steps the parameters ")


OPTIMIZER_CHECKS = (
    check_forms,
    check_init_gives_one_form,
    check_floats_are_traced,
    check_descends,
    check_resumes,
)
