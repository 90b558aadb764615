"""The divergence, compared with an integral by SciPy, and codes, which are drawn in training only."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats

from skdeep.core import as_traced
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.core.variational import LARGEST_EXPONENT, VariationalAutoencoder, VariationalLoss
from skdeep.losses import GaussianNLL, Poisson, SquaredError
from skdeep.networks import Linear
from skdeep.records import Task

X = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)


def apply(functions, params, state, train, key):
    call = jax.jit(lambda params, state, x, key: functions.apply(params, state, x, train, key, jnp.ones(len(x))))
    return call(params, state, jnp.asarray(X), key)


def divergence(mean, log_variance):
    """Integrate p log(p / q) numerically, for p = N(mean, variance) and q = N(0, 1)."""
    p, q = stats.norm(mean, np.exp(log_variance / 2)), stats.norm()
    near = [mean + k * p.std() for k in (-12, 0, 12)]
    value, error = integrate.quad(lambda z: p.pdf(z) * (p.logpdf(z) - q.logpdf(z)), near[0], near[2], points=[near[1]])
    assert error < 1e-6
    return value


def named(reconstruction, mean, log_variance):
    values = {"reconstruction": reconstruction, "mean": mean, "log_variance": log_variance}
    return {name: jnp.asarray(value, jnp.float32) for name, value in values.items()}


def test_the_divergence_equals_the_integral():
    rng = np.random.default_rng(0)
    mean, log_variance = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    rebuilt, target = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    divergences = [sum(map(divergence, m, s)) for m, s in zip(mean, log_variance, strict=True)]
    raw = named(rebuilt, mean, log_variance)
    run = jax.jit(lambda loss, raw, target: loss(raw, target))
    for beta in (0.0, 0.7, 3.0):
        loss = as_traced(VariationalLoss(SquaredError(), n_components=2, beta=beta))
        expected = np.mean((rebuilt - target) ** 2, axis=1) + beta / 3 * np.array(divergences)
        assert_allclose(run(loss, raw, jnp.asarray(target, jnp.float32)), expected, rtol=1e-5, atol=1e-6)


def test_above_the_largest_exponent_the_divergence_continues_on_a_tangent():
    s, top = np.array([-200.0, 0.0, 9.999, 10.0, 10.001, 12.0, 1e4]), LARGEST_EXPONENT
    loss = VariationalLoss(SquaredError(), n_components=1)
    zero = np.zeros((7, 1, 1))
    value_and_slope = jax.value_and_grad(lambda row: loss(row, jnp.zeros((1, 1)))[0])
    values, slopes = jax.jit(jax.vmap(value_and_slope))(named(zero, zero, s[:, None, None]))
    exponential = np.where(s <= top, np.exp(np.minimum(s, top)), np.exp(top) * (1 + s - top))
    assert_allclose(values, 0.5 * (exponential - s - 1), rtol=1e-4)
    is_smooth = s != top
    expected = 0.5 * (np.exp(np.minimum(s, top)) - 1)
    assert_allclose(slopes["log_variance"][is_smooth, 0, 0], expected[is_smooth], rtol=1e-4, atol=1e-6)


def test_the_divergence_of_a_standard_normal_code_is_0():
    loss = VariationalLoss(SquaredError(), n_components=3)
    rebuilt = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    raw = named(rebuilt, np.zeros((6, 3)), np.zeros((6, 3)))
    assert_array_equal(jax.jit(lambda raw, target: loss(raw, target))(raw, rebuilt), np.zeros(6))


@pytest.mark.parametrize(
    "reconstruction", [SquaredError(), Poisson(), GaussianNLL()], ids=lambda loss: type(loss).__name__
)
def test_predictions_equal_those_of_the_reconstruction_loss(reconstruction):
    task, loss = Task("regression", 3), VariationalLoss(reconstruction, n_components=2)
    n_raw = reconstruction.n_raw(task)
    assert loss.n_raw(task) == {"reconstruction": n_raw, "mean": 2, "log_variance": 2}
    raw = np.random.default_rng(0).normal(size=(6, n_raw))
    expected = reconstruction.link(raw, task, np)
    found = loss.link({"reconstruction": raw, "mean": np.ones((6, 2)), "log_variance": np.ones((6, 2))}, task, np)
    assert_array_equal(found, expected)
    assert_array_equal(loss.point(found), reconstruction.point(expected))


def test_codes_are_drawn_in_training_and_the_mean_in_prediction():
    """The decoder is linear and invertible, so the test computes the code from the decoder's output."""
    network = VariationalAutoencoder(Linear(), Linear(), 3)
    assert network.n_codes == 6
    functions = functions_of(as_traced(network), (5,), {"reconstruction": 3, "mean": 3, "log_variance": 3})
    params, state = jax.jit(functions.init)(wrap_key(np.array([1, 2], np.uint32)), jnp.asarray(X))
    assert jax.tree.map(np.shape, params) == {
        "encoder": {"output": {"kernel": (5, 6), "bias": (6,)}},
        "decoder": {"output": {"kernel": (3, 3), "bias": (3,)}},
    }
    rng = np.random.default_rng(1)  # variances of many sizes
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) * (leaf.ndim > 1), params)
    encoder, decoder = (params[part]["output"]["kernel"].astype(float) for part in ("encoder", "decoder"))
    codes = X @ encoder
    mean, std = codes[:, :3], np.exp(codes[:, 3:] / 2)
    predicted, _ = apply(functions, params, state, False, None)
    assert_allclose(predicted["reconstruction"], mean @ decoder, rtol=1e-3, atol=1e-4)
    assert_allclose(np.hstack([predicted["mean"], predicted["log_variance"]]), codes, rtol=1e-3, atol=1e-4)
    draws = []
    for seed in (3, 4):
        raw, _ = apply(functions, params, state, True, wrap_key(np.array([seed, 0], np.uint32)))
        assert_allclose(np.hstack([raw["mean"], raw["log_variance"]]), codes, rtol=1e-3, atol=1e-4)
        draws.append(((np.asarray(raw["reconstruction"]) @ np.linalg.inv(decoder)) - mean) / std)
        for is_wide in (std > 1, std < 1):
            assert stats.kstest(draws[-1][is_wide], "norm").pvalue > 1e-3
    assert abs(np.corrcoef(*map(np.ravel, draws))[0, 1]) < 4 / np.sqrt(1200)
