"""Differences of ADOPT, AdEMAMix and Prodigy from Adam."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skdeep_optimizers import ADOPT, AdEMAMix, Prodigy

from skdeep.optimizers import Adam, AdamW

RNG = np.random.default_rng(0)
START = {"bias": RNG.normal(size=3).astype(np.float32), "kernel": RNG.normal(size=(4, 3)).astype(np.float32)}
CURVATURE = jax.tree.map(lambda leaf: np.geomspace(0.1, 1, leaf.size, dtype=np.float32).reshape(leaf.shape), START)
close = functools.partial(jax.tree.map, functools.partial(assert_allclose, rtol=1e-5, atol=1e-7))


ORIGIN = jax.tree.map(np.zeros_like, START)


def bowl(params, centre=3.0):
    return sum(jax.tree.leaves(jax.tree.map(lambda c, p: 0.5 * jnp.sum(c * (p - centre) ** 2), CURVATURE, params)))


@jax.jit
def states_of(optimizer, start, rates, centre=3.0):
    """Return parameters and states after each step on the quadratic `bowl`."""

    def objective(params):
        return bowl(params, centre)

    def body(carry, rate):
        state, params = carry
        value, grad = jax.value_and_grad(objective)(params)
        state, updates = optimizer.update(grad, state, params, rate, value, objective)
        params = jax.tree.map(jnp.add, params, updates)
        return (state, params), (params, state)

    return jax.lax.scan(body, (optimizer.init(start), start), rates)[1]


def constant(rate, n_steps):
    return np.full(n_steps, rate, np.float32)


@pytest.mark.parametrize("b2", [0.1, 0.5])
def test_adopt_converges_where_adam_diverges(b2):
    """Gradients are rarely 10 and mostly -1 (Reddi et al., arXiv 1904.09237). Their mean is 0.65, so x must decrease."""
    grads = jnp.asarray(np.where(np.random.default_rng(0).random(5000) < 0.15, 10.0, -1.0), jnp.float32)

    def end(optimizer):
        def body(carry, grad):
            state, x = carry
            state, update = optimizer.update(grad, state, x, 1e-3, 0.0, None)
            return (state, x + update), None

        return jax.lax.scan(body, (optimizer.init(jnp.zeros(())), jnp.zeros(())), grads)[0][1]

    assert end(Adam(b1=0.0, b2=b2)) > 0.5
    assert end(ADOPT(b1=0.0, b2=b2, clip_exponent=None)) < -0.5


def test_first_step_of_adopt_does_not_change_parameters():
    optimizer = ADOPT()
    step = jax.jit(lambda state: optimizer.update(START, state, START, 0.1, 0.0, None))
    state, updates = step(optimizer.init(START))
    close(updates, ORIGIN)
    _, updates = step(state)
    close(updates, jax.tree.map(lambda g: -0.1 * 0.1 * np.sign(g), START))


@pytest.mark.parametrize("warmup_steps", [0.0, 10.0])
def test_ademamix_without_a_slow_mean_is_adamw(warmup_steps):
    shared = {"b1": 0.8, "b2": 0.9, "eps": 1e-4, "weight_decay": 0.1}
    got, _ = states_of(AdEMAMix(alpha=0.0, warmup_steps=warmup_steps, **shared), START, constant(0.1, 20))
    close(got, states_of(AdamW(**shared), START, constant(0.1, 20))[0])


def test_ademamix_takes_longer_steps_along_a_constant_gradient():
    """After the warm-up, a constant gradient moves parameters 1 + alpha times as far as with Adam."""
    ones = {"kernel": jnp.ones((2, 2))}
    optimizer = AdEMAMix(b3=0.9, alpha=3.0, warmup_steps=10.0)
    state = optimizer.init(ones)
    step = jax.jit(lambda state: optimizer.update(ones, state, ones, 0.1, 0.0, None))
    for _ in range(100):
        state, updates = step(state)
    assert_allclose(updates["kernel"], np.full((2, 2), -0.4), rtol=1e-3)


def test_prodigy_equals_optax_without_weight_decay():
    path, states = states_of(Prodigy(), START, constant(1.0, 200)[:40])
    peer = optax.contrib.prodigy(1.0)

    def body(carry, _):
        state, params = carry
        updates, state = peer.update(jax.grad(bowl)(params), state, params)
        params = optax.apply_updates(params, updates)
        return (state, params), (params, state.estim_lr)

    expected, estimates = jax.lax.scan(body, (peer.init(START), START), length=40)[1]
    jax.tree.map(functools.partial(assert_allclose, rtol=1e-3, atol=1e-4), path, expected)
    assert_allclose(states.d, estimates, rtol=1e-3)


@pytest.mark.parametrize("d0", [1e-6, 1e-3])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_prodigy_finds_the_distance(d0, scale):
    """For convex losses the estimate is a lower bound of the distance (Mishchenko and Defazio, theorem 1)."""
    path, states = states_of(Prodigy(d0=d0), ORIGIN, constant(1.0, 200), scale)
    d = np.asarray(states.d)
    assert (np.diff(d) >= 0).all()
    assert 0.1 * scale < d[-1] < 1.1 * scale
    end = jax.tree.map(lambda leaf: leaf[-1], path)
    assert bowl(end, scale) < 1e-2 * bowl(ORIGIN, scale)


@pytest.mark.parametrize(
    ("start", "rates"),
    [
        (START, np.float32([0.0, 0.0, 1.0, 1.0])),
        (jax.tree.map(lambda leaf: np.full_like(leaf, 3.0), START), constant(1.0, 4)),
    ],
    ids=["no learning rate at first", "no gradient"],
)
def test_prodigy_keeps_its_estimate_without_gradient_or_learning_rate(start, rates):
    path, states = states_of(Prodigy(), start, rates)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((path, states)))
    assert_array_equal(states.d[:2], np.full(2, np.float32(1e-6)))
    jax.tree.map(lambda leaf, first: assert_array_equal(leaf[0], first), path, start)


def test_prodigy_needs_a_learning_rate_near_one():
    """With the estimators' default of 1e-3, training makes no progress, as the docstring says."""
    ends = {
        rate: jax.tree.map(lambda leaf: leaf[-1], states_of(Prodigy(), START, constant(rate, 200))[0])
        for rate in (1.0, 1e-3)
    }
    assert bowl(ends[1.0]) < 0.05 * bowl(START)
    assert bowl(ends[1e-3]) > 0.99 * bowl(START)
