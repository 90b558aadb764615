"""`summary` of all estimators: the same before and after fit, with the parameters that fit trains; its errors by their text."""

from __future__ import annotations

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import LeaveOneOut

from skdeep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    Inputs,
    MLPClassifier,
    MLPRegressor,
    SequenceGenerator,
    TabularClassifier,
    TabularRegressor,
)
from skdeep.networks import CNN, LSTM, MLP, RealMLP, TabM, Transformer

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 4)).astype(np.float32)
CLASSES = np.arange(24) % 3
NUMBERS = X @ np.ones(4)
SHORT = {"max_epochs": 1, "tol": None, "random_state": 0}
SMALL = MLP(widths=(8,))
IMAGES = rng.normal(size=(24, 6, 6, 1)).astype(np.float32)
SEQUENCES = rng.normal(size=(24, 5, 3)).astype(np.float32)
TABLE = pd.DataFrame({"size": X[:, 0], "kind": pd.Categorical(list("abcd") * 6)})


class ByName(nn.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, image, table):
        return nn.Dense(self.n_outputs)(jnp.concatenate([image.reshape(len(image), -1), table], 1))


CASES = {
    "classifier": (DeepClassifier(network=SMALL, **SHORT), X, CLASSES, {"input_shape": (4,), "n_targets": 3}),
    "two classes": (DeepClassifier(network=SMALL, **SHORT), X, CLASSES > 1, {"input_shape": (4,), "n_targets": 2}),
    "regressor": (DeepRegressor(network=SMALL, **SHORT), X, NUMBERS, {"input_shape": (4,), "n_targets": 1}),
    "two outputs": (DeepRegressor(network=SMALL, **SHORT), X, X[:, :2], {"input_shape": [4], "n_targets": 2}),
    "named outputs": (
        DeepRegressor(network=SMALL, loss="gaussian_nll", **SHORT),
        X,
        NUMBERS,
        {"input_shape": 4, "n_targets": 1},
    ),
    "cnn": (
        DeepClassifier(network=CNN(widths=(4,)), **SHORT),
        IMAGES,
        CLASSES,
        {"input_shape": (6, 6, 1), "n_targets": 3},
    ),
    "lstm": (
        DeepClassifier(network=LSTM(units=4), **SHORT),
        SEQUENCES,
        CLASSES,
        {"input_shape": (5, 3), "n_targets": 3},
    ),
    "transformer": (
        DeepClassifier(network=Transformer(n_layers=1, features=4, n_heads=2), **SHORT),
        SEQUENCES,
        CLASSES,
        {"input_shape": (5, 3), "n_targets": 3},
    ),
    "several inputs": (
        DeepClassifier(network=ByName(), **SHORT),
        Inputs({"image": IMAGES, "table": X}),
        CLASSES,
        {"input_shape": {"image": (6, 6, 1), "table": 4}, "n_targets": 3},
    ),
    "autoencoder": (DeepAutoencoder(n_components=2, encoder=SMALL, **SHORT), X, None, {"input_shape": (4,)}),
    "generator": (SequenceGenerator(network=LSTM(units=4), **SHORT), ["hello", "world"], None, None),
    "perceptron": (
        MLPClassifier((5,), max_iter=1, solver="sgd", tol=0.0),
        X,
        CLASSES,
        {"input_shape": (4,), "n_targets": 3},
    ),
    "lbfgs": (
        MLPRegressor(hidden_layer_sizes=(5,), max_iter=50, solver="lbfgs", tol=1.0),
        X,
        NUMBERS,
        {"input_shape": (4,), "n_targets": 1},
    ),
    "preset": (
        TabularClassifier(network=RealMLP(widths=(8,)), max_epochs=1, tol=None, random_state=0),
        X,
        CLASSES,
        {"input_shape": (4,), "n_targets": 3},
    ),
    "categories": (
        TabularRegressor(network=RealMLP(widths=(8,)), max_epochs=1, tol=None, random_state=0),
        TABLE,
        NUMBERS,
        None,
    ),
    "one-hot": (DeepRegressor(network=SMALL, **SHORT), TABLE, NUMBERS, None),
    "tabm": (
        DeepClassifier(network=TabM(widths=(8,), n_members=3, n_bins=4), **SHORT),
        X,
        CLASSES,
        {"input_shape": (4,), "n_targets": 3},
    ),
    "ensemble": (
        DeepClassifier(network=SMALL, n_estimators=2, **SHORT),
        X,
        CLASSES,
        {"input_shape": (4,), "n_targets": 3},
    ),
    "folds": (
        DeepRegressor(network=SMALL, cv=3, n_estimators=2, **SHORT),
        X,
        NUMBERS,
        {"input_shape": (4,), "n_targets": 1},
    ),
}


def n_trained(estimator):
    members = vars(estimator).get("estimators_", [estimator])
    return sum(leaf.size for member in members for leaf in jax.tree.leaves(member.params_))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CASES)
def test_before_and_after_fit(name):
    estimator, data, y, shapes = CASES[name]
    before = estimator.summary(data, y)
    assert "n_iter_" not in vars(estimator)
    fitted = clone(estimator).fit(data, y)
    after = fitted.summary()
    assert str(after) == str(before)
    assert after.n_parameters == n_trained(fitted)
    assert after.flops > 0
    if shapes is not None:
        assert estimator.summary(**shapes) == before


def test_members():
    assert CASES["folds"][0].summary(X, NUMBERS).n_networks == 6
    assert DeepRegressor(network=SMALL, cv=LeaveOneOut()).summary(X[:5], NUMBERS[:5]).n_networks == 5


def test_pretrained_encoder():
    autoencoder = DeepAutoencoder(n_components=2, encoder=SMALL, **SHORT).fit(X)
    frozen = DeepClassifier(network="linear", pretrain=FrozenEstimator(autoencoder), **SHORT)
    trained = clone(frozen).set_params(freeze_pretrained=False)
    before, after = (
        frozen.set_params(freeze_pretrained=True).summary(X, CLASSES),
        clone(frozen).fit(X, CLASSES).summary(),
    )
    assert str(before) == str(after)
    assert after.n_parameters == 2 * 3 + 3
    assert after.n_state == 4 * 8 + 8 + 8 * 2 + 2
    of_all = trained.summary(X, CLASSES)
    assert (of_all.n_parameters, of_all.n_state) == (after.n_parameters + after.n_state, 0)
    assert of_all.flops == after.flops


def test_portfolio():
    names = ["a", "b"]
    members = [DeepClassifier(network=MLP(widths=(width,)), **SHORT).fit(X, CLASSES) for width in (8, 8, 4)]
    estimator = TabularClassifier(preset="portfolio")
    estimator.estimators_ = members
    summary = estimator.summary()
    assert [count for _, count in summary.networks] == [2, 1]
    assert len(summary.to_frame()["networks"].unique()) == len(names)


def test_a_fitted_estimator_can_be_asked_about_other_shapes():
    fitted = DeepClassifier(network=SMALL, warm_start=True, **SHORT).fit(X, CLASSES)
    state = dict(vars(fitted))
    assert fitted.summary(input_shape=(9,), n_targets=2).n_parameters == 9 * 8 + 8 + 9
    assert vars(fitted) == state


ERRORS = {
    "not fitted": (
        DeepClassifier(),
        {},
        "This DeepClassifier is not fitted, so the shapes of its network are unknown. Give data or shapes, as in summary(X, y) or "
        "summary(input_shape=(8,), n_targets=3).",
    ),
    "generator not fitted": (SequenceGenerator(), {}, "Give data or shapes, as in summary(X)."),
    "autoencoder not fitted": (DeepAutoencoder(), {}, "as in summary(X) or summary(input_shape=(8,))."),
    "no n_targets": (
        DeepClassifier(),
        {"input_shape": (3,)},
        "summary of DeepClassifier needs n_targets beside input_shape. Give the number of classes, or of columns of y.",
    ),
    "no y": (
        DeepAutoencoder(),
        {"input_shape": (3,), "n_targets": 2},
        "summary of DeepAutoencoder takes no n_targets, only input_shape. Leave it out: there is no y.",
    ),
    "texts": (
        SequenceGenerator(),
        {"input_shape": (3,)},
        "summary of SequenceGenerator needs texts, which give the tokens: call summary(X).",
    ),
    "both": (
        DeepClassifier(),
        {"X": X, "input_shape": (4,)},
        "summary of DeepClassifier takes X and y, or input_shape and n_targets. Got both. Leave out one pair.",
    ),
    "y alone": (DeepClassifier(), {"y": CLASSES}, "summary of DeepClassifier got y without X. Give X too."),
    "n_targets alone": (DeepClassifier(), {"n_targets": 3}, "got n_targets without input_shape. Give input_shape too."),
    "shape of floats": (
        DeepClassifier(),
        {"input_shape": (3.5,), "n_targets": 3},
        "The 'input_shape' parameter of summary must be the shape of one row, a tuple of ints in [1, inf), or a dict of such shapes by "
        "the name of the input. Got (3.5,) instead.",
    ),
    "empty shape": (DeepClassifier(), {"input_shape": (), "n_targets": 3}, "Got () instead."),
    "no targets": (
        DeepRegressor(),
        {"input_shape": (3,), "n_targets": 0},
        "The 'n_targets' parameter of summary must be an int in [1, inf). Got 0 instead.",
    ),
    "portfolio": (
        TabularClassifier(preset="portfolio"),
        {"X": X, "y": CLASSES},
        "preset='portfolio' of TabularClassifier selects its networks by training them. Call summary after fit, or set one preset, such "
        "as 'tabm'.",
    ),
    "wrong parameter": (
        DeepClassifier(max_epochs=0),
        {"X": X, "y": CLASSES},
        "The 'max_epochs' parameter of DeepClassifier",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    estimator, arguments, message = ERRORS[name]
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        estimator.summary(**arguments)
    assert isinstance(caught.value, NotFittedError) == ("not fitted" in name)


def test_users_may_change_parameters_after_fit():
    fitted = DeepClassifier(network=SMALL, **SHORT).fit(X, CLASSES)
    before = fitted.summary()
    fitted.set_params(network__widths=(3, 3))
    assert fitted.summary() == before
