"""y with more columns than are predicted, structured y, and scores that a loss defines."""

from __future__ import annotations

import re

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score

import skdeep
from skdeep import DeepAutoencoder, DeepRegressor, MLPRegressor
from skdeep.testing import check_loss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
VARIANCE = RNG.uniform(0.1, 4.0, size=80)
VALUE = X @ [1.0, -2.0, 0.5] + 3.0 + np.sqrt(VARIANCE) * RNG.normal(size=80)
Y = np.column_stack([VALUE, VARIANCE])
RECORDS = np.array(list(zip(VALUE, VARIANCE, strict=True)), dtype=[("value", float), ("variance", float)])
SETTINGS = {"network": "linear", "tol": None, "random_state": 0}


class KnownVariance(skdeep.Loss):
    """Squared error in units of a variance that y brings along; the score is minus its weighted mean."""

    tasks = ("regression",)
    plugin_api = (1, 1)

    def n_raw(self, task):
        if task.n_targets != 2:
            raise ValueError("y must have two columns, the value and its variance.")
        return 1

    def n_predicted(self, task):
        return 1

    def check_target(self, y):
        if not (y[:, 1] > 0).all():
            raise ValueError("variances must be positive.")

    def example_target(self, values):
        return np.column_stack([values[:, 0], np.exp(values[:, 1])])

    def __call__(self, raw, target):
        return (raw[:, 0] - target[:, 0]) ** 2 / target[:, 1]

    def score(self, prediction, y, sample_weight=None):
        assert prediction.shape == (len(y), 1)
        assert prediction.dtype == y.dtype == np.float64
        return -np.average((prediction[:, 0] - y[:, 0]) ** 2 / y[:, 1], weights=sample_weight)


class Unscored(KnownVariance):
    score = skdeep.Loss.score


def weighted_least_squares():
    design = np.column_stack([X, np.ones(80)]) / np.sqrt(VARIANCE)[:, None]
    return np.linalg.lstsq(design, VALUE / np.sqrt(VARIANCE), rcond=None)[0]


@pytest.mark.parametrize("y", [Y, RECORDS, RECORDS.view(np.recarray)], ids=["columns", "structured", "records"])
def test_a_variance_beside_the_value_gives_weighted_least_squares(y):
    model = DeepRegressor(loss=KnownVariance(), optimizer="lbfgs", max_epochs=100, **SETTINGS).fit(X, y)
    expected = np.column_stack([X, np.ones(80)]) @ weighted_least_squares()
    prediction = model.predict(X)
    assert prediction.shape == (80,)
    assert_allclose(prediction, expected, rtol=1e-3, atol=2e-3)
    assert_allclose(model.score(X, y), -np.mean((prediction - VALUE) ** 2 / VARIANCE), rtol=1e-6)
    weight = RNG.uniform(size=80)
    weighted = -np.average((prediction - VALUE) ** 2 / VARIANCE, weights=weight)
    assert_allclose(model.score(X, y, weight), weighted, rtol=1e-6)


def test_fields_of_other_types_are_numbers():
    mixed = RECORDS.astype([("value", np.float32), ("variance", np.float64)])
    one, other = (DeepRegressor(loss=KnownVariance(), max_epochs=2, **SETTINGS).fit(X, y) for y in (mixed, Y))
    assert_allclose(one.predict(X), other.predict(X), rtol=1e-5)


def test_early_stopping_by_the_score_of_the_loss():
    model = DeepRegressor(loss=KnownVariance(), early_stopping=True, scoring=None, max_epochs=5, learning_rate=0.05)
    model.set_params(**SETTINGS).fit(X[:60], RECORDS[:60], X_val=X[60:], y_val=RECORDS[60:])
    scores = model.history_["val_score"]
    assert model.best_epoch_ == 1 + np.argmax(scores)
    assert_allclose(model.score(X[60:], Y[60:]), scores.max(), rtol=1e-5)


def test_searches_compare_models_by_the_score_of_the_loss():
    model = DeepRegressor(loss=KnownVariance(), max_epochs=20, **SETTINGS)
    search = GridSearchCV(model, {"learning_rate": [1e-4, 0.1]}, cv=2).fit(X, RECORDS)
    assert search.best_params_ == {"learning_rate": 0.1}
    assert search.best_score_ < 0
    assert_array_equal(cross_val_score(search.best_estimator_, X, RECORDS, cv=2) < 0, True)


class OwnScore(skdeep.Loss):
    """Squared error, whose score is minus the largest error."""

    tasks = ("regression",)
    scaling = "standard"

    def __call__(self, raw, target):
        return jnp.mean((raw - target) ** 2, axis=1)

    def score(self, prediction, y, sample_weight=None):
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        return -np.max(np.abs(prediction - y)[weight > 0])


@pytest.mark.parametrize("y", [VALUE, VALUE[:, None], Y], ids=["1-D", "one column", "two columns"])
def test_a_score_of_plain_targets_is_in_their_units(y):
    model = DeepRegressor(loss=OwnScore(), max_epochs=3, **SETTINGS).fit(X, y)
    assert_allclose(model.score(X, y), -np.abs(model.predict(X) - y).max(), rtol=1e-6)
    plain = DeepRegressor(max_epochs=3, **SETTINGS).fit(X, y)
    assert_array_equal(plain.predict(X), model.predict(X))
    assert_allclose(plain.score(X, y), r2_score(y, plain.predict(X)), rtol=1e-6)


class Spread(Unscored):
    """Predicts two bounds of the value and their distance as a deviation."""

    has_std = True

    def link(self, raw, task, xp):
        return xp.stack([raw - 1, raw + 1], axis=2)

    def point(self, prediction):
        return prediction.mean(axis=2)

    def std(self, raw, task, xp):
        return 0 * raw + 2.0


def test_several_numbers_and_a_deviation_of_one_output():
    model = DeepRegressor(loss=Spread(), max_epochs=2, **SETTINGS).fit(X, Y)
    bounds, std = model.predict(X, return_std=True)
    assert bounds.shape == (80, 2)
    assert_allclose(bounds[:, 1] - bounds[:, 0], 2.0, rtol=1e-5)
    assert_array_equal(std, np.full(80, 2.0))


class Wider(skdeep.Loss):
    """Predicts two numbers for a y of one column."""

    tasks = ("regression",)

    def n_raw(self, task):
        if task.n_targets != 1:
            raise ValueError("y must have one column.")
        return 2

    def n_predicted(self, task):
        return 2

    def __call__(self, raw, target):
        return (raw[:, 0] - target[:, 0]) ** 2 + (raw[:, 1] + target[:, 0]) ** 2


def test_more_numbers_than_columns():
    model = DeepRegressor(loss=Wider(), optimizer="lbfgs", max_epochs=50, **SETTINGS).fit(X, VALUE)
    prediction = model.predict(X)
    assert prediction.shape == (80, 2)
    assert_allclose(prediction[:, 1], -prediction[:, 0], rtol=1e-2, atol=1e-2)


# Errors.


class Scaled(KnownVariance):
    scaling = "standard"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: DeepRegressor(loss=Unscored(), max_epochs=1, **SETTINGS).fit(X, Y).score(X, Y),
         "predicts 1 outputs of a y of 2 columns, so there is no R^2. Define 'score' in the loss"),
        (lambda: DeepRegressor(loss=Scaled()).fit(X, Y),
         "predictions cannot be brought back to the scale of y. Set scaling = 'none' in the class, which is 'standard'"),
        (lambda: MLPRegressor(loss=KnownVariance()).fit(X, Y), "which MLPRegressor cannot use. Choose another loss, or use DeepRegressor."),
        (lambda: DeepAutoencoder(loss=KnownVariance()).fit(X), "which DeepAutoencoder cannot use."),
        (lambda: DeepRegressor(loss=KnownVariance()).fit(X, VALUE), "y must have two columns, the value and its variance."),
        (lambda: DeepRegressor(loss=KnownVariance()).fit(X, -Y), "variances must be positive."),
        (lambda: DeepRegressor(loss=KnownVariance()).fit(X, Y, X_val=X, y_val=-Y), "variances must be positive."),
        (lambda: DeepRegressor(loss=KnownVariance()).fit(X, RECORDS[:, None]),
         "A structured y must have one dimension, one record per row. Got shape (80, 1)."),
        (lambda: DeepRegressor(loss=KnownVariance()).fit(X, np.array([(1.0, "a")] * 80, [("v", float), ("w", "U1")])),
         "could not convert string to float"),
        (lambda: DeepRegressor(loss=KnownVariance(), max_epochs=1, **SETTINGS).fit(X, Y).score(X, VALUE),
         "y has 1 outputs, but DeepRegressor was fitted on 2."),
        (lambda: DeepRegressor(loss=KnownVariance(), max_epochs=1, **SETTINGS).fit(X, Y).score(X, Y[:50]),
         "inconsistent numbers of samples"),
    ],
)  # fmt: skip
def test_what_cannot_be(run, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        run()


# The kit.


@pytest.mark.parametrize("loss", [KnownVariance(), pytest.param(Wider(), marks=pytest.mark.campaign)])
def test_such_losses_pass_the_checks(loss):
    assert all(result.passed for result in check_loss(loss))


class Flipped(KnownVariance):
    def score(self, prediction, y, sample_weight=None):
        return -super().score(prediction, y, sample_weight)


class Unweighted(KnownVariance):
    def score(self, prediction, y, sample_weight=None):
        return super().score(prediction, y)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Flipped(), "Where the loss is least the score is"),
        (Unweighted(), "Rows of weight 0 change the score."),
    ],
)
def test_the_kit_finds_scores_that_mislead(loss, message):
    failed = {result.check_name: str(result.error) for result in check_loss(loss, on_fail=None) if not result.passed}
    assert list(failed) == ["check_score"]
    assert message in failed["check_score"]
