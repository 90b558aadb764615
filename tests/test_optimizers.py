"""Optimizers: updates compared with the formulas of their papers in NumPy, and minimisation of a quadratic."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeep.optimizers import (
    LBFGS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Lamb,
    Lion,
    Muon,
    NAdam,
    OptaxFactory,
    RMSProp,
    ScheduleFreeAdamW,
)
from skdeep.optimizers.muon import is_hidden_matrix

SHAPES = {"a": {"kernel": (4, 4), "bias": (4,)}, "b": {"kernel": (4, 4)}, "output": {"kernel": (4, 2)}}
LEARNING_RATES = (0.1, 0.1, 0.05, 0.2, 0.01)


def make_params(seed, shapes=SHAPES):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda s: rng.normal(size=s).astype(np.float32), shapes, is_leaf=lambda s: isinstance(s, tuple))


START, OPTIMUM = make_params(0), make_params(1)
CURVATURE = jax.tree.map(lambda p: 0.5 + 1.5 / (1 + np.exp(p)), make_params(2))
ZERO = jax.tree.map(np.zeros_like, START)


def quadratic(params):
    terms = jax.tree.map(lambda c, p, best: 0.5 * jnp.sum(c * (p - best) ** 2), CURVATURE, params, OPTIMUM)
    return sum(jax.tree.leaves(terms))


def step(optimizer, carry, learning_rate):
    state, params = carry
    value, grad = jax.value_and_grad(quadratic)(params)
    state, updates = optimizer.update(grad, state, params, learning_rate, value, quadratic)
    return state, jax.tree.map(jnp.add, params, updates)


def given_gradients(grad, optimizer, state, params, learning_rate):
    """Take one step with a given gradient."""
    return optimizer.update(grad, state, params, jnp.float32(learning_rate), jnp.float32(0.0), quadratic)


MINIMISES = [
    (SGD(), SGD(momentum=0.5), 0.3),
    (SGD(nesterov=True), SGD(momentum=0.5, nesterov=True), 0.3),
    (Adam(), Adam(b1=0.5), 0.2),
    (AdamW(), AdamW(b1=0.5, weight_decay=0.0), 0.2),
    (NAdam(), NAdam(b2=0.9), 0.2),
    (RMSProp(), RMSProp(momentum=0.5), 0.1),
    (Adagrad(), Adagrad(initial_accumulator=1.0), 1.0),
    (Lion(), Lion(b1=0.5, weight_decay=0.0), 0.05),
    (Lamb(), Lamb(b1=0.5), 0.1),
    (ScheduleFreeAdamW(), ScheduleFreeAdamW(b1=0.5), 0.5),
    (Muon(), Muon(momentum=0.5), 0.2),
    (LBFGS(), LBFGS(), 1.0),
]


@pytest.mark.parametrize(("first", "second", "learning_rate"), MINIMISES)
def test_minimises_a_quadratic_in_one_program(first, second, learning_rate):
    n_traces = []

    @jax.jit
    def minimise(optimizer, learning_rate):
        n_traces.append(1)

        def body(i, carry):
            return step(optimizer, carry, learning_rate * (1 - i / 300))

        state, params = jax.lax.fori_loop(0, 300, body, (optimizer.init(START), START))
        return quadratic(optimizer.eval_params(params, state))

    for optimizer, rate in ((first, learning_rate), (second, 0.8 * learning_rate)):
        reached = minimise(jax.tree.map(np.float32, optimizer), np.float32(rate))
        assert reached < 2e-3 * quadratic(START)
    assert len(n_traces) == 1


def sgd(grads, rates, params, momentum=0.0, nesterov=False):
    velocity = 0.0
    for g, rate in zip(grads, rates, strict=True):
        velocity = momentum * velocity + g
        yield -rate * (g + momentum * velocity if nesterov else velocity)


def adam_directions(grads, b1, b2, eps, nesterov=False):
    """Kingma and Ba, algorithm 1; with Nesterov momentum as in Dozat's algorithm 2 at constant momentum."""
    m = v = 0.0
    for t, g in enumerate(grads, 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        if nesterov:
            m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        yield m_hat / (np.sqrt(v / (1 - b2**t)) + eps)


def adam(grads, rates, params, b1=0.9, b2=0.999, eps=1e-8, nesterov=False):
    for rate, direction in zip(rates, adam_directions(grads, b1, b2, eps, nesterov), strict=True):
        yield -rate * direction


def adamw(grads, rates, params, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    for rate, direction in zip(rates, adam_directions(grads, b1, b2, eps), strict=True):
        update = -rate * (direction + weight_decay * params * (params.ndim >= 2))
        params = params + update
        yield update


def lamb(grads, rates, params, b1=0.9, b2=0.999, eps=1e-6, weight_decay=0.0):
    for rate, direction in zip(rates, adam_directions(grads, b1, b2, eps), strict=True):
        direction = direction + weight_decay * params * (params.ndim >= 2)
        update = -rate * direction * np.linalg.norm(params) / np.linalg.norm(direction)
        params = params + update
        yield update


def lion(grads, rates, params, b1=0.9, b2=0.99, weight_decay=1e-3):
    m = 0.0
    for g, rate in zip(grads, rates, strict=True):
        update = -rate * (np.sign(b1 * m + (1 - b1) * g) + weight_decay * params * (params.ndim >= 2))
        m = b2 * m + (1 - b2) * g
        params = params + update
        yield update


def rmsprop(grads, rates, params, decay=0.9, eps=1e-8, momentum=0.0):
    v = velocity = 0.0
    for g, rate in zip(grads, rates, strict=True):
        v = decay * v + (1 - decay) * g**2
        velocity = momentum * velocity - rate * g / np.sqrt(v + eps)
        yield velocity


def adagrad(grads, rates, params, initial_accumulator=0.1, eps=1e-7):
    total = initial_accumulator
    for g, rate in zip(grads, rates, strict=True):
        total = total + g**2
        yield -rate * g / np.sqrt(total + eps)


FORMULAS = [
    (SGD(), sgd),
    (SGD(momentum=0.9), sgd),
    (SGD(momentum=0.9, nesterov=True), sgd),
    (Adam(), adam),
    (Adam(b1=0.5, b2=0.9, eps=0.1), adam),
    (AdamW(), adamw),
    (AdamW(b1=0.5, b2=0.9, eps=0.1, weight_decay=0.3), adamw),
    (NAdam(), functools.partial(adam, nesterov=True)),
    (NAdam(b1=0.5, b2=0.9, eps=0.1), functools.partial(adam, nesterov=True)),
    (RMSProp(), rmsprop),
    (RMSProp(decay=0.5, eps=0.1, momentum=0.9), rmsprop),
    (Adagrad(), adagrad),
    (Adagrad(initial_accumulator=1.0, eps=0.1), adagrad),
    (Lion(), lion),
    (Lion(b1=0.5, b2=0.8, weight_decay=0.3), lion),
    (Lamb(), lamb),
    (Lamb(b1=0.5, b2=0.9, eps=0.1, weight_decay=0.3), lamb),
]


@pytest.mark.parametrize(("optimizer", "formula"), FORMULAS)
def test_first_five_updates(optimizer, formula):
    grads = [make_params(seed) for seed in range(10, 15)]
    update = jax.jit(functools.partial(given_gradients, optimizer=optimizer))
    state, params, got = optimizer.init(START), START, []
    for grad, rate in zip(grads, LEARNING_RATES, strict=True):
        state, updates = update(grad, state=state, params=params, learning_rate=rate)
        params = jax.tree.map(jnp.add, params, updates)
        got.append(updates)
    options = optimizer.get_params()
    for leaves in zip(*map(jax.tree.leaves, (START, *grads, *got)), strict=True):
        start, grads_of_leaf, updates_of_leaf = leaves[0], leaves[1:6], leaves[6:]
        as_float64 = [np.asarray(g, np.float64) for g in grads_of_leaf]
        expected = list(formula(as_float64, LEARNING_RATES, np.asarray(start, np.float64), **options))
        assert_allclose(updates_of_leaf, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "decays"),
    [
        (AdamW(weight_decay=0.5), {"a", "b", "output"}),
        (Lion(weight_decay=0.5), {"a", "b", "output"}),
        (ScheduleFreeAdamW(weight_decay=0.5), {"a", "b", "output"}),
        (Muon(weight_decay=0.5), {"b"}),
        (Adam(), set()),
        (SGD(momentum=0.9), set()),
    ],
)
def test_weight_decay_applies_to_kernels_only(optimizer, decays):
    """Without a gradient the update is `-learning_rate * weight_decay * kernel`."""
    _, updates = given_gradients(ZERO, optimizer, optimizer.init(START), START, 0.1)
    expected = {k: {**ZERO[k], "kernel": -0.05 * START[k]["kernel"]} if k in decays else ZERO[k] for k in START}
    jax.tree.map(functools.partial(assert_allclose, rtol=1e-5, atol=1e-6), updates, expected)


def matrices(*names, **others):
    return {**{name: {"kernel": np.zeros((3, 3)), "bias": np.zeros(3)} for name in names}, **others}


@pytest.mark.parametrize(
    ("params", "hidden"),
    [
        (matrices("Dense_0", "Dense_1", "Dense_2", "Dense_10", "output"), {"Dense_1", "Dense_2", "Dense_10"}),
        (matrices("Dense_10", "Dense_2", "Dense_1"), {"Dense_2"}),
        (matrices("Dense_0", "output"), set()),
        (matrices("output"), set()),
        (matrices("Dense_0", "Dense_1", "output", BatchNorm_0={"scale": np.zeros(3)}), {"Dense_1"}),
        (matrices("Dense_0", "Dense_1", "output", Conv_0={"kernel": np.zeros((2, 2, 3, 3))}), {"Dense_1"}),
    ],
)
def test_is_hidden_matrix(params, hidden):
    marks = is_hidden_matrix(params)
    assert jax.tree.structure(marks) == jax.tree.structure(params)
    assert {name for name in params if marks[name].get("kernel")} == hidden
    assert not any(mark for part in marks.values() for leaf, mark in part.items() if leaf != "kernel")


@pytest.mark.parametrize("shape", [(4, 4), (4, 16), (16, 4)])
def test_muon_orthogonalises_hidden_matrices(shape):
    shapes = {"Dense_0": {"kernel": (4, 4), "bias": (4,)}, "Dense_1": {"kernel": shape}, "output": {"kernel": (4, 2)}}
    params, grad = make_params(0, shapes), make_params(1, shapes)
    _, updates = given_gradients(grad, Muon(), Muon().init(params), params, 0.1)
    singular_values = np.linalg.svd(updates["Dense_1"]["kernel"] / (-0.1 * 0.2 * 4**0.5), compute_uv=False)
    singular_values *= 2 / max(shape) ** 0.5
    assert np.linalg.cond(grad["Dense_1"]["kernel"]) > 1.4
    assert singular_values.max() < 1.3
    assert singular_values.min() > 0.6


def test_muon_trains_all_other_parameters_by_adam():
    grad = make_params(1)
    _, updates = given_gradients(grad, Muon(b1=0.5), Muon().init(START), START, 0.1)
    _, of_adam = given_gradients(grad, Adam(b1=0.5), Adam().init(START), START, 0.1)
    for name, leaf in (("a", "kernel"), ("a", "bias"), ("output", "kernel")):
        assert_allclose(updates[name][leaf], of_adam[name][leaf], rtol=1e-5)
    assert np.abs(updates["b"]["kernel"] - of_adam["b"]["kernel"]).max() > 0.01


def test_schedule_free_evaluates_the_mean_of_the_base_iterates():
    """Defazio et al., equations 2 to 4 at a constant learning rate: x is the mean of z, y lies between them."""
    optimizer = ScheduleFreeAdamW(b1=0.7)
    one_step = jax.jit(functools.partial(step, optimizer))
    carry, iterates = (optimizer.init(START), START), []
    for _ in range(4):
        carry = one_step(carry, jnp.float32(0.1))
        iterates.append(carry[0].z)
    state, params = carry
    evaluated = optimizer.eval_params(params, state)
    mean = jax.tree.map(lambda *z: np.mean(z, axis=0), *iterates)
    between = jax.tree.map(lambda x, z: 0.7 * x + 0.3 * z, mean, iterates[-1])
    jax.tree.map(functools.partial(assert_allclose, rtol=1e-4, atol=1e-5), evaluated, mean)
    jax.tree.map(functools.partial(assert_allclose, rtol=1e-4, atol=1e-5), params, between)
    assert np.abs(evaluated["a"]["kernel"] - params["a"]["kernel"]).max() > 0.01


@pytest.mark.parametrize("optimizer", [pair[0] for pair in MINIMISES if pair[0] != ScheduleFreeAdamW()])
def test_eval_params_of_other_optimizers_are_the_parameters(optimizer):
    assert optimizer.eval_params(START, None) is START


@pytest.mark.parametrize("b1", [0.0, 1.0, float("nan")])
def test_schedule_free_with_b1_outside_0_to_1_raises(b1):
    message = rf"The 'b1' field of ScheduleFreeAdamW must be in \(0, 1\). Got {b1!r} instead."
    with pytest.raises(ValueError, match=message):
        ScheduleFreeAdamW(b1=b1).check_fields()


def valley(params):
    """A quadratic of condition number 100."""
    return 0.5 * jnp.sum(jnp.array([1.0, 10.0, 100.0]) * (params["w"] - jnp.array([1.0, -2.0, 3.0])) ** 2)


@functools.cache
def lbfgs_path():
    optimizer = LBFGS()

    @jax.jit
    def run(learning_rate):
        def body(carry, _):
            state, params = carry
            value, grad = jax.value_and_grad(valley)(params)
            state, updates = optimizer.update(grad, state, params, learning_rate, value, valley)
            params = jax.tree.map(jnp.add, params, updates)
            return (state, params), params["w"]

        start = {"w": jnp.zeros(3)}
        return jax.lax.scan(body, (optimizer.init(start), start), None, length=15)[1]

    return run


def test_lbfgs_reaches_the_optimum_in_few_steps():
    assert_allclose(lbfgs_path()(jnp.float32(1.0))[-1], [1.0, -2.0, 3.0], rtol=1e-4)
    assert LBFGS.full_batch
    assert not SGD.full_batch


def test_lbfgs_does_not_depend_on_the_learning_rate():
    assert_array_equal(lbfgs_path()(jnp.float32(1.0)), lbfgs_path()(jnp.float32(1e-3)))


PARTIALS = {
    "plain": optax.adam,
    "partial": functools.partial(optax.adam, b1=0.8, eps=1e-3),
    "another value": functools.partial(optax.adam, b1=0.7, eps=1e-3),
    "positional": functools.partial(optax.adam, b1=0.8),
    "another function": functools.partial(optax.nadam, b1=0.8, eps=1e-3),
}


def test_equal_partials_are_equal_factories():
    again = functools.partial(functools.partial(optax.adam, eps=1e-3), b1=0.8)
    first, second = OptaxFactory.of(PARTIALS["partial"]), OptaxFactory.of(again)
    assert first == second
    assert hash(first) == hash(second)
    assert jax.tree.structure(first) == jax.tree.structure(second)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(PARTIALS, 2)))
def test_unequal_partials_are_unequal_factories(first, second):
    assert OptaxFactory.of(PARTIALS[first]) != OptaxFactory.of(PARTIALS[second])


def needs_value(learning_rate):
    """A transformation that needs value and objective, as line searches do."""

    def update(updates, state, params=None, *, value, grad, value_fn, **_):
        return jax.tree.map(lambda g: -learning_rate * value * g, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (optax.sgd, -0.5 * 3.0),
        (functools.partial(optax.sgd, momentum=0.9, nesterov=True), -0.5 * 1.9 * 3.0),
        (needs_value, -0.5 * 2.0 * 3.0),
    ],
    ids=["function", "partial", "extra arguments"],
)
def test_factory_makes_the_transformation(factory, expected):
    optimizer, params = OptaxFactory.of(factory), {"w": jnp.ones(2)}
    grad = {"w": jnp.full(2, 3.0)}
    _, updates = optimizer.update(grad, optimizer.init(params), params, 0.5, 2.0, None)
    assert_allclose(updates["w"], [expected, expected], rtol=1e-6)
