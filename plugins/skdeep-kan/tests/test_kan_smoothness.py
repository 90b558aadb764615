"""The penalty on second differences, against SciPy's B-splines and a loop in NumPy."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest
from scipy.interpolate import BSpline
from skdeep_kan import KAN, KANLayer, edge_functions

import skdeep
from skdeep import DeepRegressor
from skdeep.testing import check_layer, check_network

X = np.random.default_rng(0).uniform(-2.5, 2.5, (80, 1)).astype(np.float32)
Y = np.sin(2 * X[:, 0]) + 0.3 * np.random.default_rng(1).normal(size=80)
SETTINGS = {"learning_rate": 0.02, "max_epochs": 60, "tol": None, "random_state": 0}


def test_the_penalty_is_the_sum_of_squared_second_differences():
    rng = np.random.default_rng(2)
    shapes = {"base": (2, 3), "scale": (2, 3), "coef": (2, 8, 3)}
    params = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    module = KANLayer(features=3, smoothness=0.7).build()
    _, state = module.apply({"params": params}, X.repeat(2, axis=1), mutable=["losses"])
    (reported,) = jax.tree.leaves(state)
    wanted = 0.0
    for i in range(2):
        for j in range(3):
            c = params["scale"][i, j] * params["coef"][i, :, j]
            wanted += 0.7 * sum((c[m + 1] - 2 * c[m] + c[m - 1]) ** 2 for m in range(1, 7))
    np.testing.assert_allclose(reported, wanted, rtol=1e-5)


def test_straight_lines_cost_nothing():
    """The Greville abscissae as coefficients give a straight line, by SciPy, and no penalty."""
    knots = -3.0 + 6 / 5 * np.arange(-3, 9)
    coef = np.array([knots[m + 1 : m + 4].mean() for m in range(8)], np.float32)
    np.testing.assert_allclose(BSpline(knots, coef, 3)(np.linspace(-3, 3, 50)), np.linspace(-3, 3, 50), atol=1e-6)
    params = {"base": np.zeros((1, 1), np.float32), "scale": np.ones((1, 1), np.float32), "coef": coef[None, :, None]}
    _, state = KANLayer(features=1, smoothness=1.0).build().apply({"params": params}, X, mutable=["losses"])
    assert float(jax.tree.leaves(state)[0]) < 1e-10


def test_it_smooths_and_compiles_nothing():
    def fitted(smoothness):
        network = KAN(widths=(), grid_size=30, smoothness=smoothness)
        return DeepRegressor(network=network, **SETTINGS).fit(X, Y)

    models = [fitted(0.0)]
    before = skdeep.compile_counts()["train_block"]
    models += [fitted(smoothness) for smoothness in (0.01, 1.0)]
    assert skdeep.compile_counts()["train_block"] == before
    roughness = [(np.diff(edge_functions(model).y, n=2) ** 2).sum() for model in models]
    assert roughness[0] > 2 * roughness[1] > 4 * roughness[2]
    none = fitted(None)
    np.testing.assert_allclose(none.predict(X), models[0].predict(X), rtol=1e-4, atol=1e-4)


def test_train_loss_has_it_and_validation_has_not():
    settings = {**SETTINGS, "max_epochs": 1, "learning_rate": 1e-9, "loss": "squared_error"}
    plain, smooth = (
        DeepRegressor(network=KAN(widths=(4,), noise=1.0, smoothness=s), **settings).fit(X, Y, X_val=X, y_val=Y)
        for s in (None, 0.5)
    )
    layers = [jax.tree.map(np.float64, smooth.params_[f"kan_{i}"]) for i in (0, 1)]
    penalty = sum(0.5 * (np.diff(p["scale"][:, None, :] * p["coef"], n=2, axis=1) ** 2).sum() for p in layers)
    losses = [model.history_.iloc[0] for model in (plain, smooth)]
    np.testing.assert_allclose(losses[1]["train_loss"] - losses[0]["train_loss"], penalty, rtol=1e-4)
    np.testing.assert_allclose(losses[1]["val_loss"], losses[0]["val_loss"], rtol=1e-5)


@pytest.mark.campaign  # the network of the next test consists of such layers
def test_the_contract_of_a_layer_with_a_penalty():
    assert all(result.passed for result in check_layer(KANLayer(features=3, smoothness=0.1)))


def test_the_contract_of_a_network_with_a_penalty():
    assert all(result.passed for result in check_network(KAN(widths=(3,), smoothness=0.1)))


@pytest.mark.parametrize("cls", [KAN, KANLayer])
@pytest.mark.parametrize("value", [-0.1, np.inf, np.nan])
def test_refuses(cls, value):
    message = f"The 'smoothness' field of {cls.__name__} must be None or in [0, inf). Got {value!r} instead."
    with pytest.raises(ValueError, match=re.escape(message)):
        cls(smoothness=value).check_fields()
