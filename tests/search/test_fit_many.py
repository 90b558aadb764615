"""fit_many: estimators and datasets of all kinds, fitted at the same time."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, TabularClassifier
from skdeep.networks import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
Y = np.array(["a", "b"])[(X[:, 0] > 0).astype(int)]
MODEL = DeepClassifier(network=MLP((4,)), max_epochs=2, tol=None, random_state=0)


def models(*rates):
    return [clone(MODEL).set_params(learning_rate=rate) for rate in rates]


@pytest.mark.parametrize("mode", ["auto", "threads", "lanes"])
def test_one_dataset_for_all(mode):
    given = models(0.1, 0.01)
    found = skdeep.fit_many(given, (X, Y), mode=mode)
    assert all(a is b for a, b in zip(found, given, strict=True))
    for model in found:
        expected = clone(model).fit(X, Y)
        np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-4)


def test_a_dataset_for_each():
    weights = np.arange(40) % 2
    datasets = [(X, Y), (X[:20], Y[:20]), {"X": X, "y": Y, "sample_weight": weights}]
    found = skdeep.fit_many(models(0.1, 0.1, 0.1), datasets)
    for model, data in zip(found, datasets, strict=True):
        expected = clone(model).fit(**data) if isinstance(data, dict) else clone(model).fit(*data)
        jax.tree.map(assert_array_equal, model.params_, expected.params_)


def test_estimators_of_several_kinds():
    others = [make_pipeline(StandardScaler(), clone(MODEL)), LogisticRegression(), *models(0.1)]
    for model in skdeep.fit_many(others, (X, Y), mode="lanes"):
        assert model.score(X, Y) > 0.3
    assert skdeep.fit_many([DeepRegressor(max_epochs=1, tol=None)], (X, X[:, 0]))[0].predict(X).shape == (40,)


@pytest.mark.parametrize(
    "make",
    [
        lambda rate: MLPClassifier((4,), learning_rate_init=rate, max_iter=3, random_state=0),
        lambda rate: DeepAutoencoder(n_components=2, learning_rate=rate, max_epochs=3, tol=None, random_state=0),
        lambda rate: TabularClassifier(preset="fast", learning_rate=rate, max_epochs=3, random_state=0),
    ],
    ids=["perceptron", "autoencoder", "table"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_estimators_as_lanes(make):
    for model, rate in zip(skdeep.fit_many([make(0.01), make(0.02)], (X, Y), mode="lanes"), (0.01, 0.02), strict=True):
        expected = make(rate).fit(X, Y)
        name = "transform" if hasattr(model, "transform") else "predict_proba"
        np.testing.assert_allclose(getattr(model, name)(X), getattr(expected, name)(X), rtol=1e-3, atol=1e-4)


def test_nothing_to_fit():
    assert skdeep.fit_many([], (X, Y)) == []


def test_exceptions_of_fit_are_raised_and_the_others_are_fitted():
    given = [*models(-1.0), *models(0.1)]
    with pytest.raises(ValueError, match="learning_rate"):
        skdeep.fit_many(given, (X, Y))
    assert hasattr(given[1], "params_")


def test_bad_arguments():
    model = models(0.1)[0]
    with pytest.raises(ValueError, match="Got 1 estimators and 2 datasets"):
        skdeep.fit_many([model], [(X, Y), (X, Y)])
    with pytest.raises(ValueError, match="an estimator twice"):
        skdeep.fit_many([model, model], (X, Y))
    with pytest.raises(TypeError, match="must be a tuple, such as"):
        skdeep.fit_many([model], [X])
    with pytest.raises(ValueError, match=r"must be one of \['auto', 'threads', 'lanes'\]"):
        skdeep.fit_many([model], (X, Y), mode="processes")
