"""Losses for regression against scikit-learn's deviances, SciPy's Student t, and the papers' formulas in float64."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from skdeep_robust import EvidentialRegression, Tweedie
from skdeep_robust.regression import SMALLEST, bounded_exp
from sklearn.metrics import mean_gamma_deviance, mean_tweedie_deviance

from skdeep.contract import Task
from skdeep.losses import Poisson

TWO_OUTPUTS = Task("regression", 2)
POWERS = (1.001, 1.2, 1.5, 1.8, 1.999)
RAW = np.array([-200.0, -50.0, -3.0, -0.5, 0.0, 0.5, 3.0, 50.0, 200.0])
REPRESENTED = np.array(
    [-30.0, -3.0, -0.5, 0.0, 0.5, 3.0, 30.0]
)  # in float32 no exponential is replaced by its tangent here
AMOUNTS = np.array([0.0, 1e-6, 0.3, 1.0, 7.0, 1e4])


@functools.cache
def program(loss_class):
    """Return `(raw, loss, target) -> gradient with respect to raw, values`, compiled."""

    def total(raw, loss, target):
        values = loss(raw, target)
        return jnp.sum(values), values

    return jax.jit(jax.grad(total, has_aux=True))


def values_and_gradient(loss, raw, target, dtype):
    """Evaluate in blocks of 64 rows, filled up with repeated rows, so that few shapes are compiled."""
    n = len(raw)
    rows = np.arange(64) % n
    raw, target = np.asarray(raw, dtype)[rows], np.asarray(target, dtype)[rows]
    grad, values = program(type(loss))(raw, jax.tree.map(dtype, loss), target)
    return np.asarray(values)[:n], np.asarray(grad)[:n]


def in_double(loss, raw, target):
    with jax.enable_x64(True):
        return values_and_gradient(loss, raw, target, np.float64)


def in_single(loss, raw, target):
    return values_and_gradient(loss, raw, target, np.float32)


def slopes(function, raw, step=1e-4):
    """Return central differences of each row's value. Rows are independent, so all rows of a column change at once."""
    moves = step * np.eye(raw.shape[1])
    return np.stack([(function(raw + m) - function(raw - m)) / (2 * step) for m in moves], axis=1)


def every_pair(raw=RAW, target=AMOUNTS):
    """Return each raw output with each target, as `(n, 1)` columns."""
    return tuple(column.reshape(-1, 1) for column in np.meshgrid(raw, target))


def of_each(metric, target, prediction, **options):
    """Return a scikit-learn metric of each number alone, in the shape of target."""
    values = [metric([t], [p], **options) for t, p in zip(target.ravel(), prediction.ravel(), strict=True)]
    return np.reshape(values, target.shape)


def half_deviance(loss, raw, target):
    return of_each(mean_tweedie_deviance, target, np.exp(raw), power=loss.power).mean(axis=1) / 2


def tweedie_slope(loss, raw, target):
    """Return mu^(2-p) - y mu^(1-p), divided by the number of outputs."""
    return (np.exp((2 - loss.power) * raw) - target * np.exp((1 - loss.power) * raw)) / raw.shape[1]


@pytest.mark.parametrize("power", POWERS)
def test_twice_tweedie_is_the_deviance_of_scikit_learn(power):
    loss, (raw, target) = Tweedie(power=power), every_pair()
    values, grad = in_double(loss, raw, target)
    assert values.dtype == grad.dtype == np.float64
    assert_allclose(values, half_deviance(loss, raw, target), rtol=1e-9, atol=1e-8)
    assert_allclose(grad, tweedie_slope(loss, raw, target), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("power", POWERS)
def test_tweedie_in_float32(power):
    loss, (raw, target) = Tweedie(power=power), every_pair(REPRESENTED)
    loss = jax.tree.map(np.float32, loss)
    values, grad = in_single(loss, raw, target)
    exact = Tweedie(power=float(loss.power))
    raw, target = raw.astype(np.float32).astype(float), target.astype(np.float32).astype(float)
    assert_allclose(values, in_double(exact, raw, target)[0], rtol=2e-5, atol=1e-6)
    assert_allclose(grad, tweedie_slope(exact, raw, target), rtol=2e-5, atol=1e-6)


def test_tweedie_gradient_equals_finite_differences_of_the_deviance():
    rng = np.random.default_rng(0)
    raw, target = rng.choice(RAW[2:7], (30, 2)), rng.choice(AMOUNTS, (30, 2))
    for power in POWERS[1:-1]:  # scikit-learn's formula loses too many digits at the other powers
        loss = Tweedie(power=power)
        expected = slopes(lambda z, loss=loss: half_deviance(loss, z, target), raw)
        assert_allclose(in_double(loss, raw, target)[1], expected, rtol=1e-6, atol=1e-6)


def test_tweedie_averages_outputs():
    rng = np.random.default_rng(0)
    raw, target = rng.normal(size=(20, 3)), rng.poisson(1.0, (20, 3)) * 0.7
    assert_allclose(in_double(Tweedie(), raw, target)[0], half_deviance(Tweedie(), raw, target), rtol=1e-12)


@pytest.mark.parametrize("target", AMOUNTS[1:])
@pytest.mark.parametrize("power", POWERS)
def test_tweedie_value_and_gradient_are_zero_at_the_target(power, target):
    values, grad = in_single(Tweedie(power=power), [[np.log(target)]], [[target]])
    scale = target ** (2 - power)
    assert_allclose(values, 0.0, atol=1e-6 * scale)
    assert_allclose(grad, 0.0, atol=2e-6 * scale)


@pytest.mark.parametrize("apply", [in_single, in_double])
@pytest.mark.parametrize("power", [1 + 1e-9, 1 + 1e-15])
def test_tweedie_towards_one_is_poisson(power, apply):
    raw, target = every_pair(REPRESENTED, AMOUNTS)
    values, grad = apply(Tweedie(power=power), raw, target)
    of_poisson, slope_of_poisson = in_double(Poisson(), raw, target)
    rtol = 1e-5 if apply is in_single else 1e-6
    assert_allclose(values, of_poisson, rtol=rtol, atol=rtol)
    assert_allclose(grad, slope_of_poisson, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("apply", [in_single, in_double])
@pytest.mark.parametrize("power", [2 - 1e-9, 2 - 1e-15])
def test_tweedie_towards_two_is_the_gamma_deviance(power, apply):
    raw, target = every_pair(RAW[2:-2], AMOUNTS[1:])
    expected = of_each(mean_gamma_deviance, target, np.exp(raw)).mean(axis=1) / 2
    rtol = 2e-5 if apply is in_single else 1e-6
    assert_allclose(apply(Tweedie(power=power), raw, target)[0], expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("power", [1 + 1e-9, *POWERS, 2 - 1e-9])
def test_tweedie_is_finite_in_float32_at_any_raw_output(power):
    raw, target = every_pair([-1e4, -200.0, -104.0, -88.0, 88.0, 104.0, 200.0, 1e4], [0.0, 1e-37, 1e-6, 1.0, 1e6])
    values, grad = in_single(Tweedie(power=power), raw, target)
    assert np.isfinite(values).all()
    assert np.isfinite(grad).all()
    assert (grad[(raw > 0)[:, 0]] > 0).all()
    assert (grad[((raw < 0) & (target >= 1))[:, 0]] < 0).all()


def test_bounded_exp_is_the_exponential_and_then_its_tangent():
    limit = 0.5 * np.log(np.finfo(np.float32).max)
    x = np.float32([-200.0, 0.0, 44.0, limit, 45.0, 200.0])
    end = np.float32(limit).astype(float)
    expected = np.where(x <= end, np.exp(np.minimum(x.astype(float), end)), np.exp(end) * (1 + x - end))
    assert_allclose(bounded_exp(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-37)
    slope = jax.grad(lambda x: jnp.sum(bounded_exp(x)))(jnp.asarray(x))
    assert_allclose(slope, np.exp(np.minimum(x.astype(float), end)), rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])
def test_tweedie_link(xp):
    raw = xp.asarray([[0.5, -1.0]], np.float32)
    assert_allclose(Tweedie().link(raw, TWO_OUTPUTS, xp), np.exp([[0.5, -1.0]]), rtol=1e-6)
    assert Tweedie().n_raw(TWO_OUTPUTS) == 2


def parameters(raw):
    """Return gamma, nu, alpha and beta of Amini et al., with the constant that the loss adds to positive parameters."""
    eta, *others = np.split(raw, 4, axis=1)
    # h(z) is the positive root of h - 1/h = z; the form for negative z avoids cancellation.
    nu, above_one, variance = (np.where(z < 0, 2 / (np.hypot(z, 2) - z), (np.hypot(z, 2) + z) / 2) for z in others)
    nu, alpha, variance = nu + SMALLEST, 1 + above_one + SMALLEST, variance + SMALLEST
    return eta * variance, nu, alpha, variance * alpha


def evidential(loss, raw, target):
    """Amini et al., equations 8 to 10, term by term."""
    gamma, nu, alpha, beta = parameters(raw)
    omega = 2 * beta * (1 + nu)
    likelihood = (
        0.5 * np.log(np.pi / nu)
        - alpha * np.log(omega)
        + (alpha + 0.5) * np.log((target - gamma) ** 2 * nu + omega)
        + special.gammaln(alpha)
        - special.gammaln(alpha + 0.5)
    )
    return (likelihood + loss.coefficient * np.abs(target - gamma) * (2 * nu + alpha)).mean(axis=1)


def student_t(raw):
    gamma, nu, alpha, beta = parameters(raw)
    return stats.t(2 * alpha, gamma, np.sqrt(beta * (1 + nu) / (nu * alpha)))


def evidential_rows(points):
    """Return raw outputs and targets of two outputs. Residuals are often exactly zero, but never close to zero."""
    rng = np.random.default_rng(0)
    return rng.choice(points, (60, 8)), rng.choice([-20.0, -0.6, 0.0, 0.6, 3.1], (60, 2))


@pytest.mark.parametrize("points", [RAW[2:7], RAW[1:-1], RAW], ids=["moderate", "50", "200"])
@pytest.mark.parametrize("coefficient", [0.0, 0.01, 1.0])
def test_evidential_values_and_gradients(coefficient, points):
    loss, (raw, target) = EvidentialRegression(coefficient=coefficient), evidential_rows(points)
    values, grad = in_double(loss, raw, target)
    assert values.dtype == grad.dtype == np.float64
    assert_allclose(values, evidential(loss, raw, target), rtol=1e-9, atol=1e-9)
    expected = slopes(lambda z: evidential(loss, z, target), raw)
    assert_allclose(grad, expected, rtol=1e-5, atol=1e-5)
    values_32, grad_32 = in_single(loss, raw, target)
    assert_allclose(values_32, values, rtol=1e-5, atol=1e-4 if points is RAW else 1e-5)
    assert_allclose(grad_32, grad, rtol=1e-3, atol=1e-4)


def test_evidential_likelihood_is_that_of_student_t():
    raw, target = evidential_rows(RAW[2:7])
    expected = -student_t(raw).logpdf(target).mean(axis=1)
    assert_allclose(in_double(EvidentialRegression(coefficient=0.0), raw, target)[0], expected, rtol=1e-11)


def test_evidential_with_much_evidence_is_a_normal_distribution():
    """With large nu and alpha, and h(0) = 1, the variance is 1; float32 must not lose digits."""
    raw = np.array([[0.3, -0.5, 1e5, 1e5, 1e5, 1e5, 0.0, 0.0]])
    values, _ = in_single(EvidentialRegression(coefficient=0.0), raw, np.array([[1.1, 0.2]]))
    assert_allclose(values, -np.mean(stats.norm.logpdf([1.1, 0.2], [0.3, -0.5])), rtol=1e-3)


@pytest.mark.parametrize("apply", [in_single, in_double])
def test_evidential_gradient_where_the_residual_is_zero(apply):
    raw = np.array([[0.0, 0.0, -1.0, 50.0, 0.3, -50.0, 2.0, -200.0]])
    _, grad = apply(EvidentialRegression(coefficient=0.5), raw, np.zeros((1, 2)))
    assert_array_equal(grad[:, :2], 0.0)
    assert np.isfinite(grad).all()


@pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])
def test_evidential_link_and_std(xp):
    loss, raw = EvidentialRegression(), evidential_rows(RAW[2:7])[0]
    given = xp.asarray(raw, np.float32)
    assert loss.n_raw(TWO_OUTPUTS) == 8
    assert_allclose(loss.link(given, TWO_OUTPUTS, xp), parameters(raw)[0], rtol=1e-5)
    assert_allclose(loss.std(given, TWO_OUTPUTS, xp), student_t(raw).std(), rtol=1e-5)


def test_evidential_std_is_positive_and_finite_without_evidence():
    raw = np.array([[0.0, -800.0, -800.0, -800.0], [0.0, 800.0, 800.0, -800.0], [0.0, -800.0, -800.0, 800.0]])
    std = EvidentialRegression().std(raw, Task("regression", 1), np)
    assert np.isfinite(std).all()
    assert (std > 0).all()
