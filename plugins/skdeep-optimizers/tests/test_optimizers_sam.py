"""SAM: the point where it takes the gradient, the minima that it leaves, and the inner optimizer."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from skdeep_optimizers import SAM, SOAP

from skdeep.optimizers import SGD, AdamW, ScheduleFreeAdamW

RNG = np.random.default_rng(0)
START = {"bias": RNG.normal(size=3).astype(np.float32), "kernel": RNG.normal(size=(4, 3)).astype(np.float32)}
GRAD = {"bias": RNG.normal(size=3).astype(np.float32), "kernel": RNG.normal(size=(4, 3)).astype(np.float32)}
close = functools.partial(jax.tree.map, functools.partial(assert_allclose, rtol=1e-5, atol=1e-6))


def objective(params):
    return jnp.sum(jnp.log(jnp.cosh(params["kernel"] - 1.0))) + jnp.sum((params["bias"] + 1.0) ** 4)


def path_of(optimizer, objective, start, learning_rate, n_steps):
    def body(carry, _):
        state, params = carry
        value, grad = jax.value_and_grad(objective)(params)
        state, updates = optimizer.update(grad, state, params, learning_rate, value, objective)
        params = jax.tree.map(jnp.add, params, updates)
        return (state, params), optimizer.eval_params(params, state)

    return jax.lax.scan(body, (optimizer.init(start), start), length=n_steps)[1]


@pytest.mark.parametrize("base", [SGD(momentum=0.9), AdamW(weight_decay=0.1), SOAP()])
def test_without_a_radius_it_is_the_inner_optimizer(base):
    got = path_of(SAM(rho=0.0, base=base), objective, START, 0.01, 6)
    close(got, path_of(base, objective, START, 0.01, 6))


@functools.partial(jax.jit, static_argnames="adaptive")
def point_of_gradient(params, grad, rho=0.7, eta=0.01, adaptive=False):
    """Return the point where SAM takes the gradient. Half the sum of squares is the objective: its gradient is the point."""

    def half_square(params):
        return sum(0.5 * jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))

    optimizer = SAM(rho=rho, eta=eta, adaptive=adaptive, base=SGD())
    _, updates = optimizer.update(grad, optimizer.init(params), params, 1.0, 0.0, half_square)
    return jax.tree.map(jnp.negative, updates)


def worst_of_many(size):
    """Return the largest linearised increase over random points e on the surface `|e / size| = 0.7`."""
    grad = np.concatenate([np.ravel(g) for g in GRAD.values()])
    draws = np.random.default_rng(1).normal(size=(200_000, grad.size))
    draws *= 0.7 * size / np.linalg.norm(draws, axis=1, keepdims=True)
    return (draws @ grad).max()


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_gradient_is_taken_at_the_worst_point_of_the_ball(adaptive):
    point = point_of_gradient(START, GRAD, eta=0.1, adaptive=adaptive)
    offset = jax.tree.map(np.subtract, point, START)
    size = jax.tree.map(lambda p: np.abs(p) + 0.1 if adaptive and p.ndim == 2 else np.ones_like(p), START)
    radius = np.sqrt(sum(np.sum((o / s) ** 2) for o, s in zip(*map(jax.tree.leaves, (offset, size)), strict=True)))
    rise = sum(np.sum(o * g) for o, g in zip(*map(jax.tree.leaves, (offset, GRAD)), strict=True))
    best_drawn = worst_of_many(np.concatenate([np.ravel(s) for s in jax.tree.leaves(size)]))
    assert_allclose(radius, 0.7, rtol=1e-5)
    assert best_drawn < rise < 1.5 * best_drawn


def test_asam_does_not_depend_on_the_scale_of_kernels():
    """With weights 10 times as large, and thus gradients 10 times as small, the point is 10 times as large."""
    kernel, grad = START["kernel"], GRAD["kernel"]
    for adaptive, is_same in ((True, True), (False, False)):
        point = point_of_gradient(kernel, grad, eta=0.0, adaptive=adaptive)
        scaled = point_of_gradient(10 * kernel, grad / 10, eta=0.0, adaptive=adaptive)
        assert np.allclose(scaled, 10 * point, rtol=1e-5) == is_same


def two_minima(params):
    """A function with a narrow minimum of -1 at 0, and a wide one of -0.9 at 2."""
    x = params["x"]
    return -jnp.exp(-((x / 0.1) ** 2)) - 0.9 * jnp.exp(-((x - 2.0) ** 2))


@pytest.mark.parametrize(("rho", "stays"), [(0.0, True), (0.01, True), (0.4, False)])
def test_leaves_a_minimum_that_is_narrower_than_its_radius(rho, stays):
    path = path_of(SAM(rho=rho, base=SGD()), two_minima, {"x": jnp.asarray(0.05)}, 0.002, 4000)
    assert (abs(path["x"][-1]) < 0.02) == stays
    assert path["x"][-1] > 0.3 or stays


def test_a_gradient_of_zero_gives_the_same_point():
    zero = jax.tree.map(jnp.zeros_like, GRAD)
    close(point_of_gradient(START, zero), START)


def test_evaluates_as_the_inner_optimizer_does():
    optimizer = SAM(base=ScheduleFreeAdamW())
    state = optimizer.init(START)
    params = jax.tree.map(lambda leaf: leaf + 1.0, START)
    close(optimizer.eval_params(params, state), ScheduleFreeAdamW().eval_params(params, state))
    assert np.abs(optimizer.eval_params(params, state)["bias"] - params["bias"]).max() > 0.1
