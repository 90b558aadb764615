"""Losses: values against scikit-learn, SciPy and NumPy loops, gradients against finite differences."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, special, stats
from sklearn import metrics

from skdeep import DeepClassifier, losses
from skdeep.losses import (
    AbsoluteError,
    Bernoulli,
    CrossEntropy,
    Focal,
    FunctionLoss,
    GaussianNLL,
    Hinge,
    Huber,
    Poisson,
    Quantile,
    SquaredError,
)
from skdeep.records import Task

N_ROWS = 8
TASKS = {
    "binary": Task("binary", 2),
    "multiclass": Task("multiclass", 4),
    "multilabel": Task("multilabel", 3),
    "regression": Task("regression", 2),
}
LEVELS = (0.1, 0.5, 0.9)


def make_target(loss, kind, rng):
    task = TASKS[kind]
    if kind == "binary":
        return rng.permutation(np.arange(N_ROWS) % 2)
    if kind == "multiclass":
        return rng.permutation(np.arange(N_ROWS) % task.n_targets)
    if kind == "multilabel":
        return rng.integers(0, 2, (N_ROWS, task.n_targets)).astype(float)
    if loss.domain == "non-negative":
        return rng.poisson(1.5, (N_ROWS, task.n_targets)).astype(float)
    if loss.domain == "unit":
        return rng.uniform(size=(N_ROWS, task.n_targets)).round(1)
    return rng.normal(size=(N_ROWS, task.n_targets))


def make_rows(loss, kind, scale=2.0):
    rng = np.random.default_rng(0)
    raw = rng.normal(scale=scale, size=(N_ROWS, loss.n_raw(TASKS[kind])))
    return raw, make_target(loss, kind, rng)


def as_jax(raw, target):
    return jnp.asarray(raw, jnp.float32), jnp.asarray(target, jnp.int32 if target.ndim == 1 else jnp.float32)


def metric_of_rows(metric, target, prediction, **options):
    """Return a scikit-learn metric for each row, by giving this row all the weight."""
    return np.array([metric(target, prediction, sample_weight=weight, **options) for weight in np.eye(N_ROWS)])


def mean_over_columns(function, target, raw):
    return np.mean([function(target[:, j], raw[:, j]) for j in range(target.shape[1])], axis=0)


def probabilities(kind, raw):
    return special.softmax(raw, axis=1) if kind == "multiclass" else special.expit(raw)


def sklearn_log_loss(loss, kind, raw, target):
    if kind == "multilabel":
        return mean_over_columns(lambda t, z: metric_of_rows(metrics.log_loss, t, special.expit(z)), target, raw)
    p = probabilities(kind, raw)
    return metric_of_rows(metrics.log_loss, target, p if kind == "multiclass" else p[:, 0])


def sklearn_hinge_loss(loss, kind, raw, target):
    if kind == "multilabel":
        return mean_over_columns(lambda t, z: metric_of_rows(metrics.hinge_loss, t, z), target, raw)
    return metric_of_rows(metrics.hinge_loss, target, raw if kind == "multiclass" else raw[:, 0])


def smooth_log_loss(loss, kind, raw, target):
    """Smooth the targets, then take -sum(q log p), in loops."""
    a = loss.label_smoothing
    p = probabilities(kind, raw)
    values = []
    for i in range(N_ROWS):
        if kind == "multiclass":
            q = [(1 - a) * (k == target[i]) + a / raw.shape[1] for k in range(raw.shape[1])]
            values.append(-sum(q[k] * np.log(p[i, k]) for k in range(raw.shape[1])))
        else:
            smooth = [(1 - a) * t + a / 2 for t in np.atleast_1d(target[i])]
            terms = [-q * np.log(p[i, j]) - (1 - q) * np.log(1 - p[i, j]) for j, q in enumerate(smooth)]
            values.append(np.mean(terms))
    return values


def focal_loop(loss, kind, raw, target):
    p = probabilities(kind, raw)
    values = []
    for i in range(N_ROWS):
        is_true = np.atleast_1d(target[i]) > 0
        of_truth = p[i, [target[i]]] if kind == "multiclass" else np.where(is_true, p[i], 1 - p[i])
        values.append(np.mean([-((1 - q) ** loss.gamma) * np.log(q) for q in of_truth]))
    return values


def scipy_huber(loss, kind, raw, target):
    return special.huber(loss.delta, raw - target).mean(axis=1)


def sklearn_pinball(loss, kind, raw, target):
    per_level = raw.reshape(N_ROWS, target.shape[1], len(loss.levels))
    return np.mean(
        [
            metric_of_rows(metrics.mean_pinball_loss, target, per_level[:, :, k], alpha=level)
            for k, level in enumerate(loss.levels)
        ],
        axis=0,
    )


def half_poisson_deviance(loss, kind, raw, target):
    def of_column(t, z):
        return metric_of_rows(metrics.mean_poisson_deviance, t, np.exp(z)) / 2

    return mean_over_columns(of_column, target, raw)


def scipy_divergence(loss, kind, raw, target):
    """Cross-entropy equals the relative entropy of y and the prediction plus the entropy of y."""
    p = special.expit(raw)
    divergence = special.rel_entr(target, p) + special.rel_entr(1 - target, 1 - p)
    return (divergence + special.entr(target) + special.entr(1 - target)).mean(axis=1)


def natural_mean_and_std(loss, raw):
    """Return mean and std: the variance is the positive root v of v - 1/v = s, the mean is eta times the variance."""
    eta, s = np.split(raw, 2, axis=1)
    variance = np.reshape([max(np.roots([1.0, -b, -1.0])) for b in s.ravel()], s.shape)
    std = np.sqrt(variance) + loss.min_std
    return eta * std**2, std


def scipy_normal(loss, kind, raw, target):
    mean, std = natural_mean_and_std(loss, raw)
    return -stats.norm.logpdf(target, mean, std).mean(axis=1)


def sklearn_metric(metric):
    return lambda loss, kind, raw, target: metric_of_rows(metric, target, raw)


REFERENCES = [
    (CrossEntropy(), sklearn_log_loss),
    (CrossEntropy(label_smoothing=0.2), smooth_log_loss),
    (Focal(gamma=0.0), sklearn_log_loss),
    (Focal(gamma=2.0), focal_loop),
    (Focal(gamma=0.5), focal_loop),
    (Hinge(), sklearn_hinge_loss),
    (SquaredError(), sklearn_metric(metrics.mean_squared_error)),
    (AbsoluteError(), sklearn_metric(metrics.mean_absolute_error)),
    (Huber(), scipy_huber),
    (Huber(delta=0.3), scipy_huber),
    (Quantile(), sklearn_pinball),
    (Quantile(quantile=0.9), sklearn_pinball),
    (Quantile(quantile=LEVELS), sklearn_pinball),
    (Poisson(), half_poisson_deviance),
    (Bernoulli(), scipy_divergence),
    (GaussianNLL(), scipy_normal),
    (GaussianNLL(min_std=0.5), scipy_normal),
]
VALUES = [pytest.param(loss, kind, of, id=f"{loss}-{kind}") for loss, of in REFERENCES for kind in loss.tasks]
LOSSES = [pytest.param(loss, kind, id=f"{loss}-{kind}") for loss, _ in REFERENCES for kind in loss.tasks]


@functools.cache
def program(loss_class):
    """Return `(raw, loss, target) -> gradient with respect to raw, values`, compiled."""

    def total(raw, loss, target):
        values = loss(raw, target)
        return jnp.sum(values), values

    return jax.jit(jax.grad(total, has_aux=True))


def values_and_gradient(loss, raw, target):
    grad, values = program(type(loss))(raw, loss, target)
    return values, grad


def finite_differences(reference, raw, step=1e-5):
    """Return central differences of each row's value. Rows are independent, so all rows of a column change at once."""
    moves = step * np.eye(raw.shape[1])
    return np.stack([np.subtract(reference(raw + m), reference(raw - m)) / (2 * step) for m in moves], axis=1)


@pytest.mark.parametrize(("loss", "kind", "reference"), VALUES)
def test_values_and_gradient(loss, kind, reference):
    raw, target = make_rows(loss, kind)
    values, grad = values_and_gradient(loss, *as_jax(raw, target))
    assert_allclose(values, reference(loss, kind, raw, target), rtol=2e-5, atol=1e-6)
    expected = finite_differences(lambda z: reference(loss, kind, z, target), raw)
    assert_allclose(grad, expected, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(("loss", "kind"), LOSSES)
def test_one_value_per_row_that_depends_on_no_other_row(loss, kind):
    raw, target = map(np.array, as_jax(*make_rows(loss, kind)))
    values = np.asarray(values_and_gradient(loss, raw, target)[0])
    raw[1:] += 1.0
    target[1:] = target[0]
    of_changed = np.asarray(values_and_gradient(loss, raw, target)[0])
    assert values.shape == (N_ROWS,)
    assert values.dtype == jnp.float32
    assert values[0] == of_changed[0]
    assert (values[1:] != of_changed[1:]).any()


@pytest.mark.parametrize("magnitude", [0.0, 80.0])
@pytest.mark.parametrize(("loss", "kind"), LOSSES)
def test_finite_at_extreme_raw_outputs(loss, kind, magnitude):
    raw, target = make_rows(loss, kind)
    values, grad = values_and_gradient(loss, *as_jax(magnitude * np.sign(raw), target))
    assert np.isfinite(values).all()
    assert np.isfinite(grad).all()


@pytest.mark.parametrize("loss", [SquaredError(), Huber(), Quantile(LEVELS), GaussianNLL()])
def test_random_initial_outputs_give_no_extreme_losses_or_gradients(loss):
    """Among 10,000 random raw outputs with standard deviations of 1 and 3, no row may dominate the first steps.

    The bound on gradients is that of the squared error with a residual of 20: larger ones would spoil Adam's moments.
    """
    rng = np.random.default_rng(0)
    for scale in (1.0, 3.0):
        raw = rng.normal(scale=scale, size=(10_000, loss.n_raw(Task("regression", 1))))
        values, grad = values_and_gradient(loss, *as_jax(raw, rng.normal(size=(10_000, 1))))
        assert np.mean(values) < 20 * scale**2
        assert np.abs(grad).max() < 40 * scale**2


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (CrossEntropy(), "binary"),
        (CrossEntropy(), "multiclass"),
        (Focal(), "multilabel"),
        (Quantile(LEVELS), "regression"),
        (GaussianNLL(), "regression"),
    ],
)
def test_a_row_has_the_same_value_alone_and_in_a_batch(loss, kind):
    raw, target = map(np.asarray, as_jax(*make_rows(loss, kind)))
    alone, _ = values_and_gradient(loss, raw[:1], target[:1])
    assert_allclose(alone, np.asarray(values_and_gradient(loss, raw, target)[0])[:1], rtol=1e-6)


@pytest.mark.parametrize("loss", [CrossEntropy(), Focal(gamma=0.0), Hinge()])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_a_confident_wrong_row_has_a_gradient_towards_the_truth(loss, kind):
    _, target = make_rows(loss, kind)
    truth = target[:, None] == np.arange(4) if kind == "multiclass" else target.reshape(N_ROWS, -1) > 0
    _, grad = values_and_gradient(loss, *as_jax(np.where(truth, -80.0, 80.0), target))
    assert (np.asarray(grad)[truth] < -0.3).all()


TRACED = [
    (CrossEntropy(0.1), CrossEntropy(0.3), "multiclass", smooth_log_loss),
    (CrossEntropy(0.0), CrossEntropy(0.3), "binary", smooth_log_loss),
    (Focal(0.0), Focal(3.0), "multiclass", focal_loop),
    (Focal(1.0), Focal(3.0), "multilabel", focal_loop),
    (Huber(0.5), Huber(2.0), "regression", scipy_huber),
    (Quantile(0.1), Quantile(0.8), "regression", sklearn_pinball),
    (Quantile((0.1, 0.5)), Quantile((0.2, 0.7)), "regression", sklearn_pinball),
    (GaussianNLL(1e-3), GaussianNLL(0.1), "regression", scipy_normal),
]


@pytest.mark.parametrize(("first", "second", "kind", "reference"), TRACED)
def test_fields_are_traced(first, second, kind, reference):
    raw, target = make_rows(first, kind)
    n_traces = []

    @jax.jit
    def values(loss, raw, target):
        n_traces.append(1)
        return loss(raw, target)

    for loss in (first, second):
        got = values(jax.tree.map(np.float32, loss), *as_jax(raw, target))
        assert_allclose(got, reference(loss, kind, raw, target), rtol=2e-5, atol=1e-6)
    assert len(n_traces) == 1


PROBABILISTIC = [
    pytest.param(loss, kind, id=f"{loss}-{kind}")
    for loss in (CrossEntropy(), Focal(), FunctionLoss(abs))
    for kind in ("binary", "multiclass", "multilabel")
]


@pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])
@pytest.mark.parametrize(("loss", "kind"), PROBABILISTIC)
def test_link_returns_the_probabilities(loss, kind, xp):
    raw, _ = make_rows(loss, kind)
    p = loss.link(xp.asarray(raw, np.float32), TASKS[kind], xp)
    assert p.shape == raw.shape
    assert_allclose(p, probabilities(kind, raw), rtol=1e-5, atol=1e-7)


def test_multiclass_link_sums_to_one_at_any_raw_output():
    raw = np.array([[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, -1000.0], [0.1, 0.2, 0.3]])
    p = CrossEntropy().link(raw, Task("multiclass", 3), np)
    assert_allclose(p.sum(axis=1), 1.0, rtol=1e-15)
    assert_allclose(p[:2], [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])


def test_sigmoid_link_is_exact_at_any_raw_output():
    p = CrossEntropy().link(np.array([[-800.0], [0.0], [800.0]]), TASKS["binary"], np)
    assert_array_equal(p, [[0.0], [0.5], [1.0]])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (SquaredError(), [[0.5, -1.0]]),
        (FunctionLoss(abs), [[0.5, -1.0]]),
        (Poisson(), np.exp([[0.5, -1.0]])),
        (Quantile(0.9), [[0.5, -1.0]]),
    ],
)
def test_link_of_regression(loss, expected):
    raw = np.array([[0.5, -1.0]])
    assert_allclose(loss.link(raw, TASKS["regression"], np), expected, rtol=1e-15)
    assert_allclose(loss.point(loss.link(raw, TASKS["regression"], np)), expected, rtol=1e-15)


def test_hinge_has_no_probabilities():
    raw = np.array([[0.5], [-2.0]])
    assert not Hinge().probabilistic
    assert_array_equal(Hinge().link(raw, TASKS["binary"], np), raw)


@pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])
def test_quantile_link_never_crosses(xp):
    loss = Quantile(LEVELS)
    raw = xp.asarray([[3.0, 1.0, 2.0, -1.0, -3.0, -2.0]], np.float32)
    prediction = loss.link(raw, TASKS["regression"], xp)
    assert_array_equal(prediction, [[[1, 2, 3], [-3, -2, -1]]])
    assert_array_equal(loss.point(prediction), [[2, -2]])


def test_gaussian_link_and_std():
    loss, task = GaussianNLL(min_std=0.25), TASKS["regression"]
    raw = np.array([[1.0, 2.0, 0.0, -1e12]])
    assert_allclose(loss.std(raw, task, np), [[1.25, 0.25 + 1e-6]], rtol=1e-12)
    assert_allclose(loss.link(raw, task, np), [[1.25**2, 2 * (0.25 + 1e-6) ** 2]], rtol=1e-12)
    assert_array_equal(loss.std(raw, task, np) >= loss.min_std, True)


def test_gaussian_gradient_by_the_natural_parameter_is_mean_minus_target():
    raw = np.array([[3.0, -2.0, 40.0, -40.0], [50.0, 0.5, -8.0, 0.0]])
    mean, _ = natural_mean_and_std(GaussianNLL(), raw)
    target = np.array([[1.0, 1.0], [0.0, 5.0]])
    _, grad = values_and_gradient(GaussianNLL(), *as_jax(raw, target))
    assert_allclose(grad[:, :2], (mean - target) / 2, rtol=1e-4)


def test_gaussian_loss_is_smallest_at_the_weighted_mean_and_std():
    """The maximum likelihood has a closed form: mean and standard deviation of the values."""
    y = np.random.default_rng(0).normal(3.0, 0.2, size=(50, 1))
    loss = GaussianNLL(min_std=1e-6)

    def total(raw):
        return scipy_normal(loss, "regression", np.repeat(raw[None], 50, axis=0), y).mean()

    raw = optimize.minimize(total, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "maxiter": 4000}).x
    assert_allclose(loss.link(raw[None], Task("regression", 1), np), [[y.mean()]], rtol=1e-6)
    assert_allclose(loss.std(raw[None], Task("regression", 1), np), [[y.std()]], rtol=1e-5)
    _, grad = values_and_gradient(loss, *as_jax(np.repeat(raw[None], 50, axis=0), y))
    assert_allclose(np.mean(grad, axis=0), 0.0, atol=1e-4)


@pytest.mark.parametrize(
    ("loss", "kind", "expected"),
    [
        (CrossEntropy(), "binary", 1),
        (CrossEntropy(), "multiclass", 4),
        (CrossEntropy(), "multilabel", 3),
        (CrossEntropy(binary_outputs=2), "binary", 2),
        (CrossEntropy(binary_outputs=2), "multilabel", 3),
        (Hinge(), "binary", 1),
        (SquaredError(), "regression", 2),
        (Quantile(0.3), "regression", 2),
        (Quantile(LEVELS), "regression", 6),
        (GaussianNLL(), "regression", 4),
        (FunctionLoss(abs), "multiclass", 4),
    ],
)
def test_n_raw(loss, kind, expected):
    assert loss.n_raw(TASKS[kind]) == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: CrossEntropy(1.0),
            r"The 'label_smoothing' field of CrossEntropy must be in \[0, 1\). Got 1.0 instead.",
        ),
        (lambda: CrossEntropy(-0.1), r"'label_smoothing'.* Got -0.1 instead."),
        (lambda: CrossEntropy(float("nan")), r"'label_smoothing'.* Got nan instead."),
        (
            lambda: CrossEntropy(binary_outputs=3),
            r"The 'binary_outputs' field of CrossEntropy must be one of \[1, 2\]. Got 3",
        ),
        (lambda: Focal(-1.0), "The 'gamma' field of Focal must be at least 0. Got -1.0 instead."),
        (lambda: Focal(float("nan")), "'gamma'.* Got nan instead."),
        (lambda: Huber(0.0), "The 'delta' field of Huber must be positive. Got 0.0 instead."),
        (lambda: Huber(float("nan")), "'delta'.* Got nan instead."),
        (
            lambda: Quantile(1.0),
            r"The 'quantile' field of Quantile must be a float in \(0, 1\), or a tuple of them in increasing order. Got 1.0 instead.",
        ),
        (lambda: Quantile(0), "'quantile'.* Got 0 instead."),
        (lambda: Quantile((0.9, 0.1)), r"'quantile'.* Got \(0.9, 0.1\) instead."),
        (lambda: Quantile((0.5, 0.5)), "'quantile'"),
        (lambda: Quantile((0.5, 1.5)), "'quantile'"),
        (lambda: Quantile(()), r"'quantile'.* Got \(\) instead."),
        (lambda: GaussianNLL(0.0), "The 'min_std' field of GaussianNLL must be positive. Got 0.0 instead."),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", sorted(set(losses.__all__) - {"FunctionLoss"}))
def test_defaults_pass_check_fields(name):
    getattr(losses, name)().check_fields()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_two_outputs_of_a_binary_task_have_the_softmax_loss(smoothing):
    raw, codes = np.random.RandomState(0).randn(7, 2), np.arange(7) % 2
    log_probability = special.log_softmax(raw, axis=1)
    smooth = (1 - smoothing) * np.eye(2)[codes] + smoothing / 2
    loss = CrossEntropy(label_smoothing=smoothing, binary_outputs=2)
    assert_allclose(loss(*as_jax(raw, codes)), -(smooth * log_probability).sum(1), rtol=1e-5)
    assert_allclose(loss.link(raw, TASKS["binary"], np), special.softmax(raw, axis=1)[:, 1:], rtol=1e-6)


def test_one_and_two_outputs_have_the_same_minimum():
    rng = np.random.RandomState(0)
    X = rng.randn(200, 3)
    y = np.where(X[:, 0] + rng.randn(200) > 0, "yes", "no")
    one, two = (
        DeepClassifier(network="linear", loss=loss, optimizer="lbfgs", max_epochs=100, tol=None).fit(X, y)
        for loss in (CrossEntropy(), CrossEntropy(binary_outputs=2))
    )
    assert_allclose(two.predict_proba(X), one.predict_proba(X), atol=1e-4)
    assert (two.predict(X) == one.predict(X)).all()
    assert two.decision_function(X).shape == (200,)


def test_function_loss_passes_raw_and_target_to_the_function():
    loss = FunctionLoss(lambda raw, target: raw[:, 0] - target)
    assert_array_equal(loss(jnp.array([[3.0], [5.0]]), jnp.array([1.0, 2.0])), [2.0, 3.0])
