"""Sample weights: a weight of k equals k rows, with and without merging of equal rows."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_classification, make_regression

from skdeep import DeepClassifier, DeepRegressor
from skdeep.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_classification(n_samples=60, n_features=5, random_state=0)
COUNTS = np.random.default_rng(0).integers(0, 4, 60)
REPEATED = np.repeat(X, COUNTS, axis=0), np.repeat(y, COUNTS)
SMALL = {"network": MLP(widths=(8,)), "learning_rate": 0.02, "max_epochs": 20, "tol": None, "random_state": 0}


def probability(weight=None, data=(X, y), **params):
    return DeepClassifier(**{**SMALL, **params}).fit(*data, weight).predict_proba(X)[:, 1]


def test_weights_move_predictions_in_the_expected_direction():
    towards_one = probability(np.where(y == 1, 10.0, 1.0))
    towards_zero = probability(np.where(y == 0, 10.0, 1.0))
    assert towards_one.mean() > probability().mean() > towards_zero.mean()


@pytest.mark.parametrize(
    "params", [{}, {"batch_size": 16}, {"early_stopping": True}, {"network": MLP((8,), dropout_rate=0.3)}]
)
def test_a_weight_is_a_row_given_as_often(params):
    np.testing.assert_array_equal(probability(COUNTS, **params), probability(data=REPEATED, **params))


def test_without_merging_a_full_batch_still_agrees():
    params = {"coalesce": False, "batch_size": 1000, "shuffle": False}
    np.testing.assert_allclose(
        probability(COUNTS, **params), probability(data=REPEATED, **params), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("params", [{}, {"l2": 0.1}, {"optimizer": "adamw"}, {"coalesce": False, "batch_size": 16}])
def test_the_scale_of_weights_does_not_matter(params):
    weight = np.linspace(0.1, 2, 60)
    np.testing.assert_allclose(probability(weight, **params), probability(3 * weight, **params), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("factor", [10.0, 1 / 3, 7e-300, 1e300])
def test_the_scale_of_weights_does_not_decide_the_order_of_merged_rows(factor):
    """Three weights of 0.1 sum to 0.3 only up to rounding, which depends on the scale."""
    data = X[np.r_[0:60, 0:20, 0:20]], y[np.r_[0:60, 0:20, 0:20]]
    weight = np.r_[np.full(20, 0.1), np.full(40, 0.3), np.full(40, 0.1)]
    params = {"batch_size": 16, "max_epochs": 5}
    unweighted = probability(**params)
    np.testing.assert_array_equal(probability(weight, data, **params), unweighted)
    np.testing.assert_array_equal(probability(factor * weight, data, **params), unweighted)


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"batch_size": 16}])
def test_weight_zero_equals_absence(params):
    kept = COUNTS > 0
    weight = kept.astype(float)
    np.testing.assert_array_equal(probability(weight, **params), probability(data=(X[kept], y[kept]), **params))


@pytest.mark.parametrize(
    "params", [{"coalesce": False}, {"shuffle": False}, {"shuffle": False, "early_stopping": True}]
)
def test_weight_zero_equals_absence_without_merging(params):
    kept = COUNTS > 0
    left, right = probability(kept.astype(float), **params), probability(data=(X[kept], y[kept]), **params)
    np.testing.assert_array_equal(left, right)


LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "gaussian_nll", "poisson"]


# One loss of each scaling of y, and one with a deviation.
QUICK = ("squared_error", "gaussian_nll", "poisson")


@pytest.mark.parametrize(
    "loss", [pytest.param(loss, marks=() if loss in QUICK else pytest.mark.campaign) for loss in LOSSES]
)
def test_weight_zero_equals_absence_for_every_loss(loss):
    X, y = make_regression(n_samples=50, n_features=3, random_state=0)
    y, kept = np.abs(y), np.arange(50) % 3 > 0
    outlier = np.where(kept, y, 1e5)
    model = DeepRegressor(**SMALL, loss=loss, coalesce=False)
    left = model.fit(X, outlier, kept.astype(float)).predict(X)
    right = model.fit(X[kept], y[kept]).predict(X)
    np.testing.assert_allclose(left, right, rtol=1e-3)


def test_score_uses_weights():
    model = DeepClassifier(**SMALL).fit(X, y)
    wrong = model.predict(X) != y
    assert model.score(X, y, sample_weight=np.where(wrong, 1e-9, 1)) == pytest.approx(1)


def ignores_weights(raw, target):
    """A wrong loss, which returns the mean over rows for each row, so that weights have no effect."""
    losses = jnp.logaddexp(0.0, raw[:, 0]) - target * raw[:, 0]
    return jnp.full_like(losses, 1.0) * jnp.mean(losses)


def keeps_weights(raw, target):
    return jnp.logaddexp(0.0, raw[:, 0]) - target * raw[:, 0]


def p_value(loss):
    """Kolmogorov-Smirnov p-value of one prediction over seeds, weighted rows against repeated rows.

    Repeated rows give more steps per epoch, so weighted rows are trained for proportionally more epochs.
    """
    counts = np.where(y == 1, 4, 1)
    repeated = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    params = {**SMALL, "loss": loss, "coalesce": False, "batch_size": 16}
    more = len(repeated[0]) // len(X)

    def sample(weight, data, epochs):
        seeds = range(40)
        return [probability(weight, data, **params | {"random_state": s, "max_epochs": epochs}).mean() for s in seeds]

    return stats.ks_2samp(sample(counts, (X, y), 8 * more), sample(None, repeated, 8)).pvalue


def test_weighted_and_repeated_rows_agree_in_distribution():
    assert p_value(keeps_weights) > 0.01


def test_that_test_has_the_power_to_reject():
    assert p_value(ignores_weights) < 1e-6


@pytest.mark.parametrize("weight", [np.zeros(60), -np.ones(60), np.ones(59), np.full(60, np.nan)])
def test_bad_weights_are_refused(weight):
    with pytest.raises(ValueError, match=r"[Ww]eight"):
        DeepClassifier(**SMALL).fit(X, y, weight)
