"""Early stopping: held-out rows, the arguments of a scorer, scores that are NaN, and weights."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, make_scorer

from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPRegressor
from skdeep.errors import NonFiniteLossError
from skdeep.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
y = (X[:, 0] + 0.3 * RNG.normal(size=60) > 0).astype(int)
SMALL = {"network": MLP((8,)), "max_epochs": 2, "tol": None, "random_state": 0, "early_stopping": True}


class Seen:
    """A scorer that records its arguments, without and with `sample_weight`."""

    def __init__(self):
        self.calls = []

    def plain(self, estimator, X, y):
        self.calls.append((X, y, None))
        return float((estimator.predict(X) == y).mean())

    def weighted(self, estimator, X, y, sample_weight=None):
        self.calls.append((X, y, sample_weight))
        return float(np.average(estimator.predict(X) == y, weights=sample_weight))


REPEATED = np.r_[0:60, 0:30, 0:30]  # the first rows three times


@pytest.mark.parametrize("params", [{}, {"class_weight": {0: 1, 1: 50}}, {"class_weight": "balanced"}])
def test_scorers_without_weights_work_whatever_the_data(params):
    seen = Seen()
    model = DeepClassifier(**SMALL, **params, scoring=seen.plain).fit(X[REPEATED], y[REPEATED])
    rows, labels, _ = seen.calls[-1]
    # All copies of a held-out row are there, with their labels, as often as in X.
    given = [tuple(row) for row in X[REPEATED].astype(np.float32)]
    counts = {row: given.count(row) for row in set(given)}
    held_out = [tuple(row) for row in rows]
    assert {row: held_out.count(row) for row in held_out} == {row: counts[row] for row in held_out}
    label_of = dict(zip(given, y[REPEATED], strict=True))
    assert [label_of[row] for row in held_out] == labels.tolist()
    assert model.history_.val_score.iloc[-1] == pytest.approx((model.predict(rows) == labels).mean())


@pytest.mark.parametrize("class_weight", [None, {0: 1, 1: 50}])
@pytest.mark.parametrize("index", [np.arange(60), REPEATED])
def test_val_score_is_the_accuracy_on_the_held_out_rows(class_weight, index):
    seen = Seen()
    params = SMALL | {"max_epochs": 1}
    DeepClassifier(**params, class_weight=class_weight, scoring=seen.plain).fit(X[index], y[index])
    model = DeepClassifier(**params, class_weight=class_weight, scoring="accuracy").fit(X[index], y[index])
    rows, labels, _ = seen.calls[-1]
    assert model.history_.val_score.iloc[-1] == pytest.approx(model.score(rows, labels))
    assert model.history_.val_score.iloc[-1] == pytest.approx(accuracy_score(labels, model.predict(rows)))


def test_the_users_weights_reach_the_scorer_as_they_were():
    seen = Seen()
    weight = np.where(np.arange(120) % 5 == 0, 0.0, RNG.uniform(0.1, 30, 120))
    DeepClassifier(**SMALL, class_weight={0: 1, 1: 50}, scoring=seen.weighted).fit(X[REPEATED], y[REPEATED], weight)
    rows, _, got = seen.calls[-1]
    known = {(*row, w) for row, w in zip(X[REPEATED].astype(np.float32), weight, strict=True)}
    assert {(*row, w) for row, w in zip(rows, got, strict=True)} <= known
    assert (got > 0).all()


@pytest.mark.parametrize("weight_val", [None, np.linspace(1, 9, 20)])
def test_given_validation_rows_are_scored_with_their_own_weights(weight_val):
    seen = Seen()
    model = DeepClassifier(**SMALL, class_weight="balanced", scoring=seen.weighted)
    model.fit(X[:40], y[:40], np.arange(1.0, 41), X_val=X[40:], y_val=y[40:], sample_weight_val=weight_val)
    rows, labels, got = seen.calls[-1]
    np.testing.assert_array_equal(rows, X[40:].astype(np.float32))
    np.testing.assert_array_equal(labels, y[40:])
    assert got is None if weight_val is None else np.array_equal(got, weight_val)


def test_a_regressor_is_scored_in_units_of_y():
    targets = []

    def scorer(estimator, X, y):
        targets.append(y)
        return -float(np.abs(estimator.predict(X) - y).mean())

    y = 1e6 + X[:, 0]
    DeepRegressor(**SMALL, scoring=scorer).fit(np.r_[X, X], np.r_[y, y])
    assert set(targets[-1]) <= set(y)
    assert len(targets[-1]) == 12


def test_an_autoencoder_is_scored_on_rows():
    seen = []
    params = {name: value for name, value in SMALL.items() if name != "network"}
    model = DeepAutoencoder(n_components=2, **params)
    model.set_params(scoring=lambda e, X, y: seen.append((X, y)) or e.score(X)).fit(np.r_[X, X])
    np.testing.assert_array_equal(*seen[-1])
    assert len(seen[-1][0]) == 12


# Rows held out in order.


def held_out_rows(model, *data):
    seen = []
    model.set_params(scoring=lambda e, X, y: seen.append(X) or 0.5).fit(*data)
    return seen[-1]


@pytest.mark.parametrize("make", [DeepClassifier, DeepRegressor, DeepAutoencoder])
@pytest.mark.parametrize("params", [{}, {"coalesce": True}, {"validation_fraction": 6}])
def test_without_shuffling_the_last_rows_are_held_out(make, params):
    small = {name: v for name, v in SMALL.items() if name != "network" or make is not DeepAutoencoder}
    labels = np.arange(60) // 30  # stratified, half of them would be of class 0
    rows = held_out_rows(make(**small, **params, shuffle=False), X, labels)
    np.testing.assert_array_equal(rows, X[-6:].astype(np.float32))


def test_rows_of_weight_zero_are_not_held_out():
    weight = (np.arange(60) < 50).astype(float)
    seen = []
    model = DeepRegressor(**SMALL, shuffle=False, scoring=lambda e, X, y, sample_weight: seen.append(X) or 0.5)
    model.fit(X, X[:, 0], weight)
    np.testing.assert_array_equal(seen[-1], X[45:50].astype(np.float32))


def test_a_repeated_row_is_held_out_by_its_first_occurrence():
    index = np.r_[0:20, 0:5, 20:25]
    rows = held_out_rows(DeepRegressor(**SMALL, shuffle=False, coalesce=True, validation_fraction=7), X[index], index)
    np.testing.assert_array_equal(rows, X[np.r_[18:20, 20:25]].astype(np.float32))


# Scores that are NaN.


def test_roc_auc_works_where_a_class_is_rare():
    labels = (np.arange(201) < 5).astype(int)
    rows = np.random.default_rng(1).normal(size=(201, 3))
    model = DeepClassifier(**SMALL, scoring="roc_auc").fit(rows, labels)
    assert model.history_.val_score.notna().all()


@pytest.mark.parametrize(
    ("model", "target", "message"),
    [
        (
            DeepClassifier(**SMALL, scoring="roc_auc", shuffle=False),
            np.arange(60) // 30,
            r"scoring='roc_auc' of DeepClassifier gave nan for the 6 rows held out for early stopping, "
            r"with the classes \[1\] of \[0, 1\], .* Raise validation_fraction",
        ),
        (
            DeepRegressor(**SMALL | {"validation_fraction": 1}, scoring="r2"),
            X[:, 0],
            "scoring='r2' of DeepRegressor gave nan for the 1 row held out",
        ),
        (
            DeepRegressor(**SMALL | {"validation_fraction": 1}, scoring=None),
            X[:, 0],
            "scoring=None of DeepRegressor gave nan for the 1 row held out",
        ),
    ],
)
def test_a_score_of_nan_names_the_scorer_and_the_rows(model, target, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=message):
            model.fit(X, target)
    assert not hasattr(model, "params_")


def test_diverged_parameters_are_not_the_scorers_fault():
    model = DeepRegressor(**SMALL, scoring="r2", optimizer="sgd", learning_rate=1e38)
    with pytest.raises(NonFiniteLossError, match="in epoch 1 at learning rate 1e\\+38"):
        model.fit(100 * X, X[:, 0])


def test_a_score_of_nan_that_is_only_reported_does_no_harm():
    def score(y, prediction):
        return np.nan

    model = DeepRegressor(**SMALL | {"early_stopping": False}, scoring=make_scorer(score))
    model.fit(X, X[:, 0], X_val=X[:2], y_val=X[:2, 0])
    assert model.history_.val_score.isna().all()


def test_a_perceptron_scores_a_constant_held_out_y():
    model = MLPRegressor(hidden_layer_sizes=(4,), early_stopping=True, max_iter=3, random_state=0).fit(X, np.zeros(60))
    assert np.isfinite(model.validation_scores_).all()


# Weights.


def test_class_weights_of_zero_for_all_rows_raise():
    with pytest.raises(
        ValueError, match="With this class_weight, all rows that DeepClassifier trains on have weight 0"
    ):
        DeepClassifier(**SMALL | {"early_stopping": False}, class_weight={0: 0, 1: 0}).fit(X, y)


@pytest.mark.parametrize("factor", [1e308, 1e-310, 5e-324])
@pytest.mark.parametrize("make", [DeepClassifier, DeepRegressor, MLPRegressor])
def test_weights_at_the_ends_of_float64(make, factor):
    params = {"max_iter": 2, "alpha": 0.0} if make is MLPRegressor else SMALL | {"class_weight": "balanced"}
    if make is DeepRegressor:
        del params["class_weight"]
    weight = 1.0 + np.arange(60) % 2 * (factor < 1)  # whole multiples of the smallest number
    models = [make(**params | {"random_state": 0}).fit(X, y, w) for w in (weight, weight * factor)]
    np.testing.assert_allclose(models[0].predict(X), models[1].predict(X), rtol=1e-5)


def test_balanced_classes_and_user_weights_multiply():
    params = {**SMALL, "early_stopping": False}
    weight = np.linspace(1, 2, 60)
    left = DeepClassifier(**params, class_weight="balanced").fit(X, y, weight)
    share = [weight[y == c].sum() for c in (0, 1)]
    right = DeepClassifier(**params).fit(X, y, weight / np.array(share)[y])
    np.testing.assert_allclose(left.predict_proba(X), right.predict_proba(X), rtol=1e-5)
