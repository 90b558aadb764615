"""The range test: its rates, losses and suggestion, one program for all rates, and its messages."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, TabularClassifier
from skdeep.callbacks import LearningRateCurve, find_learning_rate
from skdeep.callbacks.learning_rate import has_diverged, limit_of, smooth, steepest
from skdeep.networks import MLP

X, y = load_iris(return_X_y=True)


def classifier(**params):
    return DeepClassifier(**{"network": MLP((8,)), "batch_size": 40, "random_state": 0, **params})


def sgd_losses(X, y, rates, batches, model):
    """Return the losses of softmax regression by steepest descent with these rates, in NumPy."""
    kernel, bias = (np.array(part, float) for part in model)
    losses = []
    for rate, rows in zip(rates, batches, strict=True):
        raw = X[rows] @ kernel + bias
        raw -= raw.max(axis=1, keepdims=True)
        log_prob = raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))
        target = np.eye(3)[y[rows]]
        losses.append(-(log_prob * target).sum(axis=1).mean())
        gradient = (np.exp(log_prob) - target) / len(rows)
        kernel, bias = kernel - rate * X[rows].T @ gradient, bias - rate * gradient.sum(axis=0)
    return np.array(losses)


def test_rates_and_losses_are_those_of_steepest_descent_in_numpy():
    model = DeepClassifier(network="linear", optimizer="sgd", batch_size=30, l2=None, coalesce=False)
    model.set_params(shuffle=False, random_state=0)
    curve = find_learning_rate(model, X, y, start=1e-4, stop=0.1, n_steps=12)
    np.testing.assert_allclose(curve.learning_rates_, np.geomspace(1e-4, 0.1, 12))
    first = clone(model).set_params(max_epochs=1, tol=None, learning_rate=1e-30)
    kernel, bias = sorted(jax.tree.leaves(first.fit(X, y).params_), key=np.ndim, reverse=True)
    batches = [np.arange(30) + 30 * (i % 5) for i in range(12)]
    expected = sgd_losses(X, y, np.geomspace(1e-4, 0.1, 12), batches, (kernel, bias))
    np.testing.assert_allclose(curve.losses_, expected, rtol=1e-4)


def test_all_rates_and_numbers_of_steps_share_a_program():
    skdeep.clear_cache()
    find_learning_rate(classifier(), X, y)
    find_learning_rate(classifier(learning_rate=0.3), X, y, start=1e-3, stop=10.0, n_steps=50)
    assert skdeep.compile_counts()["train_block"] == (1, 1)


MODELS = {
    "classifier": lambda: classifier(),
    "early stopping": lambda: classifier(early_stopping=True, scoring="accuracy", checkpoint="unused"),
    "regressor": lambda: DeepRegressor(network=MLP((8,)), batch_size=64, random_state=0),
    "pipeline": lambda: make_pipeline(StandardScaler(), classifier()),
    "only step": lambda: make_pipeline(classifier()),
    "ensemble": lambda: classifier(n_estimators=3),
    "table": lambda: TabularClassifier(network=MLP((8,)), batch_size=40, random_state=0),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_suggestion_is_among_the_rates_and_the_estimator_does_not_change(make):
    model = make()
    before, data = repr(model.get_params()), load_diabetes(return_X_y=True) if "Regressor" in repr(model) else (X, y)
    curve = find_learning_rate(model, *data)
    assert isinstance(curve, LearningRateCurve)
    assert 1e-6 < curve.suggestion_ < 1
    assert len(curve.learning_rates_) == len(curve.losses_) == len(curve.smoothed_losses_)
    assert repr(model.get_params()) == before
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


def test_steps_before_the_last_of_a_pipeline_transform_x():
    found = find_learning_rate(make_pipeline(StandardScaler(), classifier()), X, y, n_steps=20)
    expected = find_learning_rate(classifier(), StandardScaler().fit_transform(X), y, n_steps=20)
    np.testing.assert_array_equal(found.losses_, expected.losses_)


def test_weights_count():
    weight = np.where(y == 0, 100.0, 1.0)
    found = find_learning_rate(classifier(), X, y, sample_weight=weight, n_steps=20)
    assert not np.allclose(found.losses_, find_learning_rate(classifier(), X, y, n_steps=20).losses_)


def test_the_test_ends_when_training_diverges():
    model = DeepRegressor(network=MLP((8,)), optimizer="sgd", batch_size=64, random_state=0)
    curve = find_learning_rate(model, *load_diabetes(return_X_y=True), start=1e-3, stop=1e6)
    assert len(curve.losses_) < 100
    assert np.isfinite(curve.losses_).all()
    assert curve.suggestion_ < curve.learning_rates_[-1]
    assert curve.smoothed_losses_.max() <= limit_of(curve.losses_) < curve.losses_.max()


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([1.0, math.nan], True),
        ([1.0, math.inf], True),
        ([1.0, 100.0], False),  # too few for a mean
        ([1.0] * 5 + [0.5] * 5 + [1.9] * 5, False),  # the limit is 0.5 + 3 * 0.5
        ([1.0] * 5 + [0.5] * 5 + [2.1] * 5, True),
        ([-1.0] * 5 + [-2.0] * 5 + [3.9] * 5, False),  # -2 + 3 * 2
        ([-1.0] * 5 + [-2.0] * 5 + [4.1] * 5, True),
    ],
    ids=range(7),
)
def test_divergence(losses, expected):
    assert has_diverged(losses) == expected


def test_smoothing_is_a_weighted_mean():
    np.testing.assert_allclose(smooth(np.full(9, 2.0), 1.5), 2.0)
    weight = np.exp(-0.5 * (np.arange(3) / 0.8) ** 2)
    assert smooth(np.array([4.0, 1.0, 3.0]), 0.8)[0] == pytest.approx(weight @ [4.0, 1.0, 3.0] / weight.sum())


def test_the_suggestion_of_a_logistic_curve_is_its_middle():
    rates = np.geomspace(1e-6, 1.0, 61)
    curve = 1 / (1 + np.exp(3 * (np.log10(rates) + 3)))  # falls fastest at 1e-3
    assert steepest(rates, curve) == pytest.approx(1e-3)
    assert math.isnan(steepest(rates, np.linspace(1, 2, 61)))


@pytest.mark.parametrize("is_given", [False, True], ids=["own axes", "given axes"])
def test_plot(is_given):
    matplotlib = pytest.importorskip("matplotlib", reason="the extra 'plot'")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curve = find_learning_rate(classifier(), X, y, n_steps=20)
    given = plt.subplots()[1] if is_given else None
    display = curve.plot(given)
    assert given in (None, display.ax_)
    assert display.ax_.get_xscale() == "log"
    line, suggestion, points = display.ax_.get_lines()
    assert (line, suggestion) == (display.line_, display.suggestion_line_)
    np.testing.assert_array_equal(points.get_xydata(), np.stack([curve.learning_rates_, curve.losses_], 1))
    np.testing.assert_array_equal(line.get_ydata(), curve.smoothed_losses_)
    assert set(suggestion.get_xdata()) == {curve.suggestion_}
    plt.close("all")


@pytest.mark.parametrize(
    "params", [{"start": 0}, {"start": 1.0}, {"stop": math.inf}, {"start": None}, {"stop": "1"}], ids=str
)
def test_invalid_rates_raise(params):
    with pytest.raises(ValueError, match="must be numbers with 0 < start < stop. Got "):
        find_learning_rate(classifier(), X, y, **params)


@pytest.mark.parametrize("n_steps", [9, 20.0, True])
def test_an_invalid_number_of_steps_raises(n_steps):
    with pytest.raises(ValueError, match=f"n_steps of find_learning_rate must be an int >= 10. Got {n_steps} instead"):
        find_learning_rate(classifier(), X, y, n_steps=n_steps)


@pytest.mark.parametrize(
    "model", [MLPClassifier(), DeepAutoencoder(), StandardScaler()], ids=lambda m: type(m).__name__
)
def test_other_estimators_raise(model):
    with pytest.raises(TypeError, match=f"needs a DeepClassifier, .* Got {type(model).__name__} instead"):
        find_learning_rate(model, X, y)


def test_an_optimizer_without_a_rate_raises():
    with pytest.raises(ValueError, match="has no effect with the optimizer LBFGS: a line search finds each step"):
        find_learning_rate(classifier(optimizer="lbfgs", batch_size="auto"), X, y)
