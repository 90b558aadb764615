"""Checks for optimizers: the form of state and updates, traced floats, descent on a quadratic, and resuming."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.contract import Optimizer, arguments_for
from skdeep.core import as_traced
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.records import Params
from skdeep.testing.component_checks import expect_each_used
from skdeep.testing.dataflow import dataflow_of
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite, expect_same_form

N_STEPS, N_FIRST_STEPS = np.int32(100), np.int32(10)
LEARNING_RATES = tuple(np.float32(rate) for rate in (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 10.0, 100.0))
SMALL_RATES = (np.float32(1e-5), np.float32(2e-5))
SHAPES = {"hidden": {"kernel": (4, 3), "bias": (3,)}, "middle": {"kernel": (3, 3)}, "output": {"kernel": (3, 2)}}


def example_params(seed: int) -> Params:
    """Return random float32 parameters with the tree and shapes of a small network."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s: np.asarray(rng.normal(size=s), np.float32), SHAPES, is_leaf=lambda s: isinstance(s, tuple)
    )


def quadratic(params: Params) -> Any:
    """Return a convex loss whose curvature differs by a factor of ten between parameters."""
    return sum(jax.tree.leaves(terms_of(params)))


def terms_of(params: Params) -> Any:
    """Return the part of the loss that each array of the parameters contributes; the loss is their sum."""
    best = example_params(1)
    curvature = jax.tree.map(lambda p: 10 ** np.tanh(p), example_params(2))
    return jax.tree.map(lambda c, p, b: jnp.sum(c * (p - b) ** 2), curvature, params, best)


def step(optimizer: Optimizer, state: Any, params: Params, learning_rate: Any, number: Any = 0) -> tuple[Any, Params]:
    """Return the state and the parameters after one update on the quadratic, step `number` of a training of `N_STEPS`."""
    return _step_and_updates(optimizer, state, params, learning_rate, number)[:2]


def _step_and_updates(
    optimizer: Optimizer, state: Any, params: Params, learning_rate: Any, number: Any
) -> tuple[Any, Params, Any]:
    state, updates = _update(optimizer, state, params, learning_rate, number)
    return state, jax.tree.map(lambda p, u: (p + u).astype(p.dtype), params, updates), updates


def _first_updates(optimizer: Optimizer, params: Params, learning_rate: Any) -> Any:
    state = optimizer.init(params)
    return state, *_update(optimizer, state, params, learning_rate, 0)


def _update(
    optimizer: Optimizer,
    state: Any,
    params: Params,
    learning_rate: Any,
    number: Any,
    words: Any = None,
    objective: Any = quadratic,
) -> Any:
    """Return what `update` returns, given what it names; the key of the step is made of `words`."""
    value, grad = jax.value_and_grad(quadratic)(params)
    number = jnp.asarray(number, jnp.int32)
    more = arguments_for(
        optimizer.update,
        progress=number.astype(jnp.float32) / np.float32(N_STEPS),
        step=number,
        key=jax.random.fold_in(wrap_key(key_of_seed(0) if words is None else words), number),
    )
    return optimizer.update(grad, state, params, learning_rate, value, objective, **more)


@contract_check(
    "return `(state, updates)` from update. Updates have the tree, shapes and dtypes of the parameters. The state keeps the "
    "tree, shapes and dtypes that `init` returned, since a compiled loop carries it."
)
def check_forms(optimizer: Optimizer) -> None:
    """Updates and `eval_params` have the form of the parameters, and the state keeps the form that `init` returned."""
    params = example_params(0)
    rate = jax.ShapeDtypeStruct((), np.float32)
    state, new_state, updates = jax.eval_shape(_first_updates, as_traced(optimizer), params, rate)
    expect_same_form(updates, jax.eval_shape(lambda: params), "Updates do not have the form of the parameters.")
    expect_same_form(new_state, state, "An update changes the form of the state.")
    judged = jax.eval_shape(lambda o, p, s: o.eval_params(p, s), as_traced(optimizer), params, new_state)
    expect_same_form(judged, jax.eval_shape(lambda: params), "eval_params does not have the form of the parameters.")


@contract_check(
    "let the form of the state depend on the shapes of the parameters only, and let the state hold arrays only."
)
def check_init_gives_one_form(optimizer: Optimizer) -> None:
    """Two sets of parameters give states of equal form that hold arrays only."""
    states = [optimizer.init(example_params(seed)) for seed in (0, 1)]
    for leaf in jax.tree.leaves(states[0]):
        expect(hasattr(leaf, "dtype"), f"The state holds {leaf!r}, a {type(leaf).__name__}, which is not an array.")
    expect_same_form(states[0], states[1], "Other values of the parameters give a state of another form.")


@contract_check(
    "use `jnp.where` or `lax.cond` instead of `if` on float fields and on the learning rate, and pass the learning rate on as a "
    "number, not as an Optax schedule: the estimator has its own `schedule`."
)
def check_floats_are_traced(optimizer: Optimizer) -> None:
    """An update can be traced with abstract numbers for the learning rate and all float fields; new ones compile nothing."""
    rate = jax.ShapeDtypeStruct((), np.float32)
    jax.eval_shape(_first_updates, as_traced(optimizer), example_params(0), rate)


@jax.jit
def _train(optimizer: Optimizer, learning_rate: Any, n_steps: Any) -> tuple[Params, Params]:
    """Return the evaluation parameters after `n_steps` on the quadratic, and the sums of the updates."""

    def body(number: Any, carry: Any) -> Any:
        state, params, moved = carry
        state, after, updates = _step_and_updates(optimizer, state, params, learning_rate, number)
        return state, after, jax.tree.map(jnp.add, moved, updates)

    params = example_params(0)
    carry = (optimizer.init(params), params, jax.tree.map(jnp.zeros_like, params))
    state, params, moved = jax.lax.fori_loop(0, n_steps, body, carry)
    return optimizer.eval_params(params, state), moved


@contract_check(
    "return updates that decrease the loss in every array, kernels and biases: they are added to the parameters, so they "
    "contain the minus sign."
)
def check_descends(optimizer: Optimizer) -> None:
    """On a convex quadratic, some learning rate from 0.001 to 100 halves the loss within 100 steps.

    The part that each array of the parameters contributes must fall too.
    """
    start = terms_of(example_params(0))
    reached = {}
    for rate in LEARNING_RATES:
        terms = terms_of(_train(as_traced(optimizer), rate, N_STEPS)[0])
        reached[float(rate)] = _total(terms)
        if reached[float(rate)] < 0.5 * _total(start) and not _risen(terms, start):
            return
    best = LEARNING_RATES[int(np.nanargmin([*map(_finite, reached.values())]))]
    risen = _risen(terms_of(_train(as_traced(optimizer), best, N_STEPS)[0]), start)
    where = f" At {best:g} the part of {', '.join(risen)} does not fall." if risen else ""
    raise AssertionError(
        f"The loss starts at {_total(start):.3g}. After {N_STEPS} steps it is, by learning rate, {reached}.{where}"
    )


def _total(terms: Any) -> float:
    return float(sum(jax.tree.leaves(terms)))


def _finite(value: float) -> float:
    return value if np.isfinite(value) else np.inf


def _risen(terms: Any, start: Any) -> list[str]:
    """Return the names of the arrays whose part of the loss did not fall by 1 percent or more."""
    pairs = zip(jax.tree_util.tree_leaves_with_path(terms), jax.tree.leaves(start), strict=True)
    return [jax.tree_util.keystr(path) for (path, after), before in pairs if not after < 0.99 * before]


@contract_check(
    "multiply the updates by the learning rate once, as the last operation: users and schedules scale the steps by it. An "
    "optimizer that finds its step length itself, without calling the objective, declares that it fails this check."
)
def check_learning_rate_scales_steps(optimizer: Optimizer) -> None:
    """Doubling a small learning rate makes the steps about twice as long, unless a line search finds their length."""
    lengths = []
    for rate in SMALL_RATES:
        moved = _train(as_traced(optimizer), rate, N_FIRST_STEPS)[1]
        lengths.append(float(np.sqrt(sum(np.vdot(leaf, leaf) for leaf in jax.tree.leaves(jax.device_get(moved))))))
    message = f"In {N_FIRST_STEPS} steps at the learning rates {SMALL_RATES[0]:g} and {SMALL_RATES[1]:g} the parameters move by"
    moves = f"{message} {lengths[0]:.3g} and {lengths[1]:.3g}"
    expect(min(lengths) > 0 and np.isfinite(lengths).all(), f"{moves}.")
    power = np.log2(lengths[1] / lengths[0])
    if abs(power) < 0.1 and _searches_along_the_objective(optimizer):
        return
    expect(0.7 < power < 1.4, f"{moves}: in proportion to the learning rate to the power of {power:.2f}, not 1.")


def _searches_along_the_objective(optimizer: Optimizer) -> bool:
    calls = []

    def objective(params: Params) -> Any:
        calls.append(params)
        return quadratic(params)

    params = example_params(0)
    jax.eval_shape(
        lambda o: _update(o, o.init(params), params, SMALL_RATES[0], 0, objective=objective), as_traced(optimizer)
    )
    return bool(calls)


@contract_check("use the field, or remove it: a search over it would compare equal models.")
def check_float_fields_matter(optimizer: Optimizer) -> None:
    """Each float field changes the state, the updates, or the evaluation parameters."""

    def update(optimizer: Optimizer, params: Params, learning_rate: Any) -> Any:
        _, state, updates = _first_updates(optimizer, params, learning_rate)
        return state, updates, optimizer.eval_params(params, state)

    def used_by(optimizer: Optimizer) -> frozenset[int]:
        return dataflow_of(update, as_traced(optimizer), example_params(0), np.float32(0.01)).used

    expect_each_used(optimizer, used_by, "neither the updates nor the state")


@contract_check("keep everything that the next step needs as arrays in the state, and nowhere else.")
def check_resumes(optimizer: Optimizer) -> None:
    """Training resumed from saved arrays takes exactly the same steps as training that was not interrupted."""
    run = jax.jit(step)
    rate = np.float32(0.01)
    state, params = optimizer.init(example_params(0)), example_params(0)
    for number in range(3):
        state, params = run(as_traced(optimizer), state, params, rate, np.int32(number))
    saved = jax.tree.map(lambda leaf: np.array(leaf), (state, params))
    for number in range(3, 6):
        state, params = run(as_traced(optimizer), state, params, rate, np.int32(number))
        saved = run(as_traced(optimizer), *saved, rate, np.int32(number))
    expect_close((state, params), saved, "Resumed training gives other parameters.", rtol=0, atol=0)
    expect_finite(params, "After 6 steps the parameters ")


@contract_check(
    "draw with the key that `update` is given where it names `key`: a key or numbers made at tracing are the same in every "
    "step. A key in the state cannot be saved."
)
def check_noise_follows_the_key(optimizer: Optimizer) -> None:
    """Each random draw depends on the key of the step or on the state."""
    params = example_params(0)
    flow = dataflow_of(
        lambda words, state: _update(optimizer, state, params, np.float32(0.01), 0, words),
        key_of_seed(0),
        optimizer.init(params),
    )
    n_own = sum(not draw for draw in flow.draws)
    expect(n_own == 0, f"It makes {n_own} random draws whose keys are not made of the step's key.")


OPTIMIZER_CHECKS = (
    check_forms,
    check_init_gives_one_form,
    check_floats_are_traced,
    check_float_fields_matter,
    check_descends,
    check_learning_rate_scales_steps,
    check_resumes,
    check_noise_follows_the_key,
)
