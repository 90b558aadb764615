"""Losses for classification: values and gradients against the papers' formulas in float64, limits against skdeep's losses."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special
from skdeep_robust import Asymmetric, GeneralizedCrossEntropy, SymmetricCrossEntropy

from skdeep.losses import CrossEntropy, Focal

POINTS = np.array([-200.0, -50.0, -3.0, -0.5, 0.0, 0.5, 3.0, 50.0, 200.0])
N_ROWS = 40


def make_rows(kind, points=POINTS):
    """Return raw outputs and targets: each point with each target, or random combinations of points."""
    rng = np.random.default_rng(0)
    if kind == "binary":
        return np.repeat(points, 2)[:, None], np.tile([0, 1], len(points))
    if kind == "multiclass":
        return rng.choice(points, (N_ROWS, 4)), rng.integers(0, 4, N_ROWS)
    return rng.choice(points, (N_ROWS, 3)), rng.integers(0, 2, (N_ROWS, 3)).astype(float)


def probability_of_truth(raw, target):
    """Return the probability of the true class `(n, 1)`, or of the state of each label `(n, labels)`."""
    if raw.shape[1] == 1 or target.ndim == 2:
        return special.expit(np.where(target.reshape(raw.shape) > 0, raw, -raw))
    return special.softmax(raw, axis=1)[np.arange(len(raw)), target][:, None]


def generalized(loss, raw, target):
    """Zhang and Sabuncu, equation 6."""
    return ((1 - probability_of_truth(raw, target) ** loss.q) / loss.q).mean(axis=1)


def symmetric(loss, raw, target):
    """Wang et al., equation 7: both entropies summed over one-hot labels, with log 0 = A."""
    if raw.shape[1] == 1 or target.ndim == 2:
        t = target.reshape(raw.shape) > 0
        p, one_hot = np.stack([special.expit(-raw), special.expit(raw)]), np.stack([~t, t]).astype(float)
    else:
        p = special.softmax(raw, axis=1).T[:, :, None]
        one_hot = (target == np.arange(raw.shape[1])[:, None]).astype(float)[:, :, None]
    log_label = np.where(one_hot > 0, 0.0, loss.log_zero)
    cross, reverse = -special.xlogy(one_hot, p).sum(axis=0), -(p * log_label).sum(axis=0)
    return (loss.alpha * cross + loss.beta * reverse).mean(axis=1)


def asymmetric(loss, raw, target):
    """Ben-Baruch et al., equations 4 to 6; 1 - p_m is written 1 - p + m, which avoids cancellation."""
    p, rest = special.expit(raw), special.expit(-raw)
    shifted = np.maximum(p - loss.margin, 0.0)
    of_present = -(rest**loss.gamma_pos) * np.log(p)
    of_absent = -(shifted**loss.gamma_neg) * np.where(shifted > 0, np.log(rest + loss.margin), 0.0)
    return np.where(target.reshape(raw.shape) > 0, of_present, of_absent).mean(axis=1)


LOSSES = [
    (GeneralizedCrossEntropy(), generalized),
    (GeneralizedCrossEntropy(q=0.2), generalized),
    (GeneralizedCrossEntropy(q=1.0), generalized),
    (SymmetricCrossEntropy(), symmetric),
    (SymmetricCrossEntropy(alpha=6.0, beta=0.1, log_zero=-9.21), symmetric),
    (SymmetricCrossEntropy(alpha=0.0), symmetric),
    (Asymmetric(), asymmetric),
    (Asymmetric(gamma_pos=1.0, gamma_neg=2.0, margin=0.2), asymmetric),
    (Asymmetric(gamma_pos=0.5, gamma_neg=0.5, margin=0.0), asymmetric),
    (Asymmetric(gamma_pos=0.0, gamma_neg=0.0, margin=0.3), asymmetric),
]
CASES = [pytest.param(loss, of, kind, id=f"{loss}-{kind}") for loss, of in LOSSES for kind in loss.tasks]


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
    target = np.asarray(target, np.int32 if np.ndim(target) == 1 else dtype)
    grad, values = program(type(loss))(np.asarray(raw, dtype)[rows], jax.tree.map(dtype, loss), target[rows])
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


@pytest.mark.parametrize(("loss", "reference", "kind"), CASES)
def test_values_and_gradients_in_float64(loss, reference, kind):
    raw, target = make_rows(kind)
    values, grad = in_double(loss, raw, target)
    assert values.dtype == grad.dtype == np.float64
    assert_allclose(values, reference(loss, raw, target), rtol=1e-10, atol=1e-13)
    assert_allclose(grad, slopes(lambda z: reference(loss, z, target), raw), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("loss", "reference", "kind"), CASES)
def test_values_and_gradients_in_float32(loss, reference, kind):
    raw, target = make_rows(kind)
    values, grad = in_single(loss, raw, target)
    assert values.dtype == grad.dtype == np.float32
    assert_allclose(values, reference(loss, raw, target), rtol=1e-5, atol=1e-6)
    assert_allclose(grad, slopes(lambda z: reference(loss, z, target), raw), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(("loss", "reference", "kind"), [case for case in CASES if case.values[2] != "multiclass"])
def test_finite_in_float32_at_large_raw_outputs(loss, reference, kind):
    raw, target = make_rows(kind, np.array([-1e4, -104.0, -103.0, -95.0, -88.0, -87.0, 17.0, 88.0, 89.0, 1e4]))
    values, grad = in_single(loss, raw, target)
    assert np.isfinite(values).all()
    assert np.isfinite(grad).all()
    assert (values >= 0).all()


EQUALS = [
    (GeneralizedCrossEntropy(q=1e-9), CrossEntropy(), 1e-6),
    (SymmetricCrossEntropy(alpha=1.0, beta=0.0), CrossEntropy(), 1e-12),
    (Asymmetric(0.0, 0.0, 0.0), CrossEntropy(), 1e-12),
    (Asymmetric(2.0, 2.0, 0.0), Focal(gamma=2.0), 1e-12),
    (Asymmetric(0.3, 0.3, 0.0), Focal(gamma=0.3), 1e-12),
]


@pytest.mark.parametrize(
    ("loss", "other", "rtol", "kind"),
    [(*case, kind) for case in EQUALS for kind in case[0].tasks],
)
def test_special_cases_are_losses_of_skdeep(loss, other, rtol, kind):
    for got, wanted in zip(in_double(loss, *make_rows(kind)), in_double(other, *make_rows(kind)), strict=True):
        assert_allclose(got, wanted, rtol=rtol, atol=1e-13)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_absolute_error_of_the_probabilities_is_a_special_case_of_both(kind):
    raw, target = make_rows(kind)
    # The sum over classes of |p - one-hot| is 1 - p_y for the true class, and 1 - p_y for all others together.
    absolute_error = 2 * (1 - probability_of_truth(raw, target)).mean(axis=1)
    mae, rce = GeneralizedCrossEntropy(q=1.0), SymmetricCrossEntropy(alpha=0.0, beta=1.0, log_zero=-2.0)
    assert_allclose(2 * in_double(mae, raw, target)[0], absolute_error, rtol=1e-12, atol=1e-15)
    assert_allclose(in_double(rce, raw, target)[0], absolute_error, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_gradient_is_that_of_cross_entropy_times_a_power_of_the_probability(kind):
    raw, target = make_rows(kind)
    wanted = in_double(CrossEntropy(), raw, target)[1] * probability_of_truth(raw, target) ** 0.7
    assert_allclose(in_double(GeneralizedCrossEntropy(q=0.7), raw, target)[1], wanted, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("loss", [GeneralizedCrossEntropy(), SymmetricCrossEntropy()])
def test_binary_is_softmax_of_two_classes(loss):
    raw, target = make_rows("binary")
    of_two = np.concatenate([np.zeros_like(raw), raw], axis=1)
    assert_allclose(in_double(loss, raw, target)[0], in_double(loss, of_two, target)[0], rtol=1e-12, atol=1e-15)


def test_only_the_product_of_beta_and_log_zero_matters():
    rows = make_rows("multiclass")
    first, second = SymmetricCrossEntropy(0.3, 1.0, -4.0), SymmetricCrossEntropy(0.3, 0.5, -8.0)
    assert_allclose(in_double(first, *rows)[0], in_double(second, *rows)[0], rtol=1e-12)


@pytest.mark.parametrize("dtype", [in_single, in_double])
@pytest.mark.parametrize("gamma_neg", [0.0, 0.1, 1.0, 4.0])
@pytest.mark.parametrize("margin", [0.05, 0.5, 0.9])
def test_absent_labels_at_the_margin(margin, gamma_neg, dtype):
    """Below the margin the gradient is 0; above it, it is p (1-p) times the derivative of -p_m^g log(1 - p_m)."""
    loss = Asymmetric(gamma_neg=gamma_neg, margin=margin)
    edge = special.logit(margin)
    offsets = np.array([-1e-3, -1e-6, 0.0, 1e-6, 1e-3, 1.0])
    raw = edge + offsets[:, None]
    values, grad = dtype(loss, raw, np.zeros(len(raw), int))
    assert np.isfinite(values).all()
    assert_allclose(values[0], 0.0, atol=0)
    assert_allclose(grad[0], 0.0, atol=0)
    p = special.expit(raw[4:])
    over = p - margin
    by_p = over**gamma_neg / (1 - over) - gamma_neg * over ** (gamma_neg - 1) * np.log1p(-over)
    assert_allclose(grad[4:], by_p * p * (1 - p), rtol=2e-3 if dtype is in_single else 1e-8)
    # Close to the margin, where rounding decides on the side, the gradient is between the two.
    largest = 1.01 * (1 + gamma_neg) * margin * (1 - margin)
    assert (grad >= -1e-6).all()
    assert (grad[1:4] <= largest).all()


@pytest.mark.parametrize(
    ("loss", "of_present", "of_absent"),
    [
        (GeneralizedCrossEntropy(), 0.0, 0.0),
        (SymmetricCrossEntropy(alpha=0.0), 0.0, 0.0),
        (SymmetricCrossEntropy(alpha=0.1), -0.1, 0.1),
        (Asymmetric(margin=0.0), -1.0, 1.0),
        (Asymmetric(), -1.0, 0.0),  # with a margin, -log(1 - p + m) is bounded
    ],
)
def test_gradient_if_the_label_looks_wrong(loss, of_present, of_absent):
    _, grad = in_single(loss, np.array([[-50.0], [50.0]]), np.array([1, 0]))
    assert_allclose(grad[:, 0], [of_present, of_absent], rtol=1e-5, atol=1e-12)
