"""The losses in estimators: names, traced fields, weights, scaling, and error messages."""

from __future__ import annotations

import ast
import pickle
import re

import numpy as np
import pytest
import skdeep_robust
from numpy.testing import assert_allclose, assert_array_equal
from skdeep_robust import (
    Asymmetric,
    EvidentialRegression,
    GeneralizedCrossEntropy,
    SymmetricCrossEntropy,
    Tweedie,
)
from sklearn.metrics import mean_tweedie_deviance

import skdeep
from skdeep import DeepClassifier, DeepRegressor

NAMES = {
    "asymmetric": (Asymmetric, DeepClassifier),
    "evidential": (EvidentialRegression, DeepRegressor),
    "generalized_cross_entropy": (GeneralizedCrossEntropy, DeepClassifier),
    "symmetric_cross_entropy": (SymmetricCrossEntropy, DeepClassifier),
    "tweedie": (Tweedie, DeepRegressor),
}
SETTINGS = {"network": "linear", "max_epochs": 3, "tol": None, "learning_rate": 0.01, "random_state": 0}


def data(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    score = X @ rng.normal(size=(4, 3))
    if kind is DeepRegressor:
        return X, np.maximum(score[:, 0], 0.0)
    return X, (score > 0.5).astype(int) if kind == "multilabel" else (score[:, 0] > 0).astype(int)


def fitted(loss, estimator, y=None, weight=None, **settings):
    X, given = data(estimator)
    return estimator(loss=loss, **{**SETTINGS, **settings}).fit(X, given if y is None else y, weight)


@pytest.mark.parametrize("prefix", ["", pytest.param("skdeep-robust:", marks=pytest.mark.campaign)])
@pytest.mark.parametrize("name", NAMES)
def test_every_loss_by_bare_name_and_full_id(name, prefix):
    cls, estimator = NAMES[name]
    model = fitted(prefix + name, estimator)
    assert model.loss_ == cls()
    assert model.resolved_components_["loss"] == f"skdeep-robust:{name}"
    X, _ = data(estimator)
    assert np.isfinite(model.predict(X)).all()
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


@pytest.mark.parametrize("name", NAMES)
def test_each_name_gives_the_exported_class(name):
    assert getattr(skdeep_robust, NAMES[name][0].__name__) is NAMES[name][0]
    assert {cls.__name__ for cls, _ in NAMES.values()} == set(skdeep_robust.__all__)


def test_multilabel():
    X, y = data("multilabel")
    model = DeepClassifier(loss="symmetric_cross_entropy", **SETTINGS).fit(X, y)
    assert model.predict_proba(X).shape == model.predict(X).shape == (60, 3)


def test_asymmetric_refuses_several_classes():
    X, y = data("multilabel")
    with pytest.raises(ValueError, match="The loss Asymmetric does not serve multiclass targets"):
        DeepClassifier(loss=Asymmetric(), **SETTINGS).fit(X, y.sum(axis=1))


OTHER_NUMBERS = [
    (DeepClassifier, GeneralizedCrossEntropy(), {"q": 0.2}),
    (DeepClassifier, SymmetricCrossEntropy(), {"alpha": 2.0, "beta": 0.3, "log_zero": -7.0}),
    (DeepClassifier, Asymmetric(), {"gamma_pos": 1.0, "gamma_neg": 2.0, "margin": 0.3}),
    (DeepRegressor, Tweedie(), {"power": 1.2}),
    (DeepRegressor, EvidentialRegression(), {"coefficient": 1.0}),
]


@pytest.mark.parametrize(("estimator", "loss", "numbers"), OTHER_NUMBERS)
def test_every_float_is_traced_and_has_an_effect(estimator, loss, numbers):
    assert set(numbers) == set(loss.get_params())
    losses = fitted(loss, estimator).history_["train_loss"]
    before = skdeep.compile_counts()["train_block"]
    for name, value in numbers.items():
        changed = fitted(loss.replace(**{name: value}), estimator)
        assert skdeep.compile_counts()["train_block"] == before
        assert (np.abs(changed.history_["train_loss"] - losses) > 1e-3).all()


@pytest.mark.parametrize(("estimator", "loss", "numbers"), OTHER_NUMBERS)
def test_weights_change_the_model(estimator, loss, numbers):
    X, y = data(estimator)
    keep = np.arange(60) % 4 > 0
    spoilt = np.where(keep, y, 1 - y if estimator is DeepClassifier else 50.0)
    settings = {**SETTINGS, "coalesce": False}
    weighted = estimator(loss=loss, **settings).fit(X, spoilt, keep.astype(float))
    without = estimator(loss=loss, **settings).fit(X[keep], y[keep])
    spoilt_model = estimator(loss=loss, **settings).fit(X, spoilt)
    assert_allclose(weighted._raw(X)[0], without._raw(X)[0], rtol=1e-4, atol=1e-5)
    assert np.abs(weighted._raw(X)[0] - spoilt_model._raw(X)[0]).max() > 1e-3


def test_tweedie_of_scaled_targets_gives_the_deviance_of_y():
    """2 mean(y)^(2-p) times the validation loss is scikit-learn's deviance of the predictions, per output."""
    X, _ = data(DeepRegressor)
    y = np.random.default_rng(1).poisson(0.8, (60, 2)) * np.array([300.0, 0.01])
    assert (y == 0).mean() > 0.3
    model = DeepRegressor(loss=Tweedie(power=1.6), **SETTINGS).fit(X, y, X_val=X, y_val=y)
    deviances = [
        mean_tweedie_deviance(y[:, k], model.predict(X)[:, k], power=1.6) / (2 * y[:, k].mean() ** 0.4)
        for k in range(2)
    ]
    assert_allclose(model.history_["val_loss"].iloc[-1], np.mean(deviances), rtol=1e-5)


def test_tweedie_predictions_follow_the_unit_of_y_and_stay_positive():
    X, y = data(DeepRegressor)
    small, large = (fitted("tweedie", DeepRegressor, y=unit * y).predict(X) for unit in (1.0, 1000.0))
    assert (small > 0).all()
    assert_allclose(large, 1000 * small, rtol=1e-4)


def test_tweedie_refuses_negative_amounts():
    X, y = data(DeepRegressor)
    with pytest.raises(ValueError, match="The loss Tweedie needs y >= 0"):
        DeepRegressor(loss="tweedie", **SETTINGS).fit(X, np.where(np.arange(60) == 3, -1.0, y))


def test_evidential_std_is_in_units_of_y():
    X, y = data(DeepRegressor)
    y = np.stack([y, 0.1 * y[::-1]], axis=1)
    small, large = (
        fitted("evidential", DeepRegressor, y=unit * y + shift).predict(X, return_std=True)
        for unit, shift in ((1.0, 0.0), (1000.0, -7.0))
    )
    assert small[1].shape == small[0].shape == (60, 2)
    assert_allclose(large[0], 1000 * small[0] - 7, rtol=1e-3, atol=1e-1)
    assert_allclose(large[1], 1000 * small[1], rtol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: GeneralizedCrossEntropy(q=2),
            "The 'q' field of GeneralizedCrossEntropy must be in (0, 1]. Got 2 instead.",
        ),
        (lambda: GeneralizedCrossEntropy(q=0.0), "must be in (0, 1]. Got 0.0 instead."),
        (lambda: GeneralizedCrossEntropy(q=float("nan")), "Got nan instead."),
        (
            lambda: SymmetricCrossEntropy(alpha=-1.0),
            "The 'alpha' field of SymmetricCrossEntropy must be at least 0. Got -1.0 instead.",
        ),
        (
            lambda: SymmetricCrossEntropy(beta=float("nan")),
            "The 'beta' field of SymmetricCrossEntropy must be at least 0. Got nan instead.",
        ),
        (
            lambda: SymmetricCrossEntropy(alpha=0, beta=0),
            "The 'alpha' and 'beta' fields of SymmetricCrossEntropy must not both be 0, since the loss would then be 0.",
        ),
        (
            lambda: SymmetricCrossEntropy(log_zero=0.0),
            "The 'log_zero' field of SymmetricCrossEntropy must be negative. Got 0.0 instead.",
        ),
        (
            lambda: Asymmetric(gamma_pos=-0.5),
            "The 'gamma_pos' field of Asymmetric must be at least 0. Got -0.5 instead.",
        ),
        (lambda: Asymmetric(gamma_neg=-1), "The 'gamma_neg' field of Asymmetric must be at least 0. Got -1 instead."),
        (lambda: Asymmetric(margin=1.0), "The 'margin' field of Asymmetric must be in [0, 1). Got 1.0 instead."),
        (lambda: Asymmetric(margin=-0.1), "Got -0.1 instead."),
        (lambda: Tweedie(power=1), "The 'power' field of Tweedie must be in (1, 2). Got 1 instead."),
        (lambda: Tweedie(power=2.0), "Got 2.0 instead."),
        (lambda: Tweedie(power=float("nan")), "Got nan instead."),
        (
            lambda: EvidentialRegression(coefficient=-1.0),
            "The 'coefficient' field of EvidentialRegression must be at least 0. Got -1.0 instead.",
        ),
    ],
)
def test_bad_field_values_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("cls", [cls for cls, _ in NAMES.values()])
def test_documented_defaults_equal_those_of_the_fields(cls):
    documented = {}
    for names, default in re.findall(r"^    ([a-z_, ]+) : .*?default=(.+)$", cls.__doc__, flags=re.MULTILINE):
        values = ast.literal_eval(default)
        documented |= zip(names.split(", "), values if isinstance(values, tuple) else [values], strict=True)
    assert documented == cls().get_params()
