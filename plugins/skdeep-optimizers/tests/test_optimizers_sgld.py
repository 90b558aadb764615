"""SGLD against the variance of its stationary distribution, in closed form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skdeep_optimizers import SAM, SGLD

import skdeep
from skdeep.testing import check_optimizer

GRAD = {"kernel": np.full((300, 40), 2.0, np.float32), "bias": np.full((300, 40), 2.0, np.float32)}


def updates(optimizer, key, progress=1.0, rate=0.01):
    return optimizer.update(GRAD, (), GRAD, rate, 0.0, None, progress=progress, key=key)[1]


def test_one_step():
    first, other = (updates(SGLD(temperature=0.5), jax.random.key(seed)) for seed in (0, 1))
    noise = {name: (np.asarray(first[name]) + 0.02) / np.sqrt(2 * 0.01 * 0.5) for name in first}
    for values in noise.values():
        assert abs(values.mean()) < 0.04
        assert_allclose(values.std(), 1.0, atol=0.03)
    assert abs(np.corrcoef(noise["kernel"].ravel(), noise["bias"].ravel())[0, 1]) < 0.04
    assert not np.any(first["kernel"] == other["kernel"])
    assert_array_equal(updates(SGLD(temperature=0.5), jax.random.key(0))["kernel"], first["kernel"])


@pytest.mark.parametrize(("optimizer", "progress"), [(SGLD(temperature=0.0), 1.0), (SGLD(burn_in=0.5), 0.49)])
def test_without_noise_it_is_gradient_descent(optimizer, progress):
    assert_allclose(updates(optimizer, jax.random.key(0), progress)["kernel"], -0.02, rtol=1e-6)


def test_the_stationary_variance():
    """The steps on k x^2 / 2 are an autoregression, (1 - h k) x + sqrt(2 h T) noise, of variance T / (k (1 - h k / 2))."""
    curvature, temperature, rate = 3.0, 0.2, 0.1

    def step(x, key):
        args = {"progress": jnp.float32(1.0), "key": key}
        _, moved = SGLD(temperature).update(curvature * x, (), x, rate, 0.0, None, **args)
        return x + moved, x + moved

    keys = jax.random.split(jax.random.key(0), 300)
    _, walk = jax.jit(lambda: jax.lax.scan(step, jnp.zeros(2000), keys))()
    wanted = temperature / (curvature * (1 - rate * curvature / 2))
    assert_allclose(np.asarray(walk)[100:].var(), wanted, rtol=0.03)


def test_inside_estimators():
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = X @ [1.0, -1.0, 0.5] + 0.1 * np.random.default_rng(1).normal(size=60)
    shared = {"network": "linear", "learning_rate": 0.1, "max_epochs": 40, "tol": None, "batch_size": 20}

    def fitted(optimizer, seed=0, **changes):
        return skdeep.DeepRegressor(optimizer=optimizer, random_state=seed, **{**shared, **changes}).fit(X, y)

    cold, warm, again, other = (
        fitted(SGLD(temperature=t), seed).predict(X) for t, seed in ((0, 0), (0.01, 0), (0.01, 0), (0.01, 1))
    )
    assert_allclose(cold, fitted("sgd").predict(X), rtol=1e-4, atol=1e-5)
    assert_array_equal(warm, again)
    assert np.abs(warm - cold).max() > 0.01
    assert np.abs(warm - other).max() > 0.01
    assert fitted(SAM(base=SGLD(temperature=1e-3))).score(X, y) > 0.9


def test_the_contract_with_a_burn_in():
    """The contract checks of the default fields are in test_optimizers_contract.py."""
    assert all(result.passed for result in check_optimizer(SGLD(burn_in=0.5)))
