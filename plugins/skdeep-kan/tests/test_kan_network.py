"""The network against layers composed by hand, and on problems where it should be better than simpler models."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest
from numpy_kan import layer_by_loop
from skdeep_kan import KAN, edge_functions
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier, DeepRegressor


def layer_norm(z):
    """Layer normalisation with scale 1 and bias 0, as initialised."""
    return (z - z.mean(axis=-1, keepdims=True)) / np.sqrt(z.var(axis=-1, keepdims=True) + 1e-6)


def random_weights(path, leaf):
    """Return random weights; the parameters of norms keep their initial values."""
    name = path[-1].key
    is_weight = leaf.ndim > 1
    start = np.random.default_rng(leaf.size).normal(size=leaf.shape) if is_weight else float(name in ("scale", "var"))
    return np.full(leaf.shape, start, np.float32)


BETWEEN = {
    None: lambda z: z,
    "tanh": lambda z: 0.5 + 1.5 * np.tanh((z - 0.5) / 1.5),
    "layer": layer_norm,
    "batch": lambda z: z / np.sqrt(1 + 1e-5),  # initial running averages: mean 0, variance 1
}


@pytest.mark.parametrize("normalization", BETWEEN)
def test_the_network_is_the_composition_of_its_layers(normalization):
    network = KAN(widths=(3, 2), lower=-1.0, upper=2.0, noise=1.0, normalization=normalization)
    x = np.random.default_rng(0).normal(size=(5, 2, 2)).astype(np.float32)
    module = network.build((2, 2), 1)
    arguments = (x, False, np.ones(5, np.float32))
    variables = jax.eval_shape(module.init, jax.random.key(0, impl="rbg"), *arguments)
    variables = jax.tree_util.tree_map_with_path(random_weights, variables)
    output = jax.jit(module.apply, static_argnums=2)(variables, *arguments)
    z = np.float64(x).reshape(5, 4)  # rows are flattened
    for i in range(3):
        z = layer_by_loop(network, variables["params"][f"kan_{i}"], z if i == 0 else BETWEEN[normalization](z))
    np.testing.assert_allclose(output, z, rtol=1e-4, atol=1e-4)


def additive(n=400):
    X = np.random.default_rng(0).uniform(-2, 2, size=(n, 3))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] ** 2


def fitted(network, X, y, **options):
    options = {"learning_rate": 0.03, "schedule": "cosine", "max_epochs": 100, "tol": None, **options}
    return DeepRegressor(network=network, random_state=0, **options).fit(X, y)


def test_an_additive_function_is_learned():
    X, y = additive(800)
    model = fitted(KAN(widths=()), X[:400], y[:400])
    assert LinearRegression().fit(X[:400], y[:400]).score(X[400:], y[400:]) < 0.4
    assert model.score(X[400:], y[400:]) > 0.99


def test_a_hidden_layer_learns_a_product():
    X = np.random.default_rng(0).uniform(-2, 2, size=(800, 2))
    y = X[:, 0] * X[:, 1]
    assert fitted(KAN(widths=(5,)), X[:400], y[:400]).score(X[400:], y[400:]) > 0.98


def test_l1_flattens_edges_that_do_not_matter():
    X, y = additive()
    std = {l1: edge_functions(fitted(KAN(widths=()), X, y, l1=l1), X=X).std[:, 0] for l1 in (1e-6, 1e-2)}
    assert std[1e-2][2] < 0.01 < std[1e-6][2]  # the third feature is noise
    assert (std[1e-2][:2] > 0.3).all()


@pytest.mark.parametrize("name", ["kan", pytest.param("skdeep-kan:kan", marks=pytest.mark.campaign)])
def test_by_name_in_a_grid_search(name):
    X, y = load_iris(return_X_y=True)
    model = DeepClassifier(network=name, learning_rate=0.02, max_epochs=30, tol=None, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    grid = {"deepclassifier__network__grid_size": [2, 4], "deepclassifier__network__widths": [(4,)]}
    # With 8 folds, the padded number of rows is the same for each fold and for all rows: one program per structure.
    search = GridSearchCV(pipeline, grid, cv=8, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    best = search.best_estimator_[-1]
    assert best.network_ == KAN(widths=(4,), grid_size=search.best_params_["deepclassifier__network__grid_size"])
    assert best.n_parameters_ == (4 * 4 + 4 * 3) * (best.network_.grid_size + 3 + 2)
    assert best.resolved_components_["network"] == "skdeep-kan:kan"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"widths": (8, 0)}, "The 'widths' field of KAN must be a tuple of positive ints. Got (8, 0) instead."),
        (
            {"widths": 8},
            "The 'widths' field of KAN must be a tuple of positive ints. Got 8 instead. KAN(widths=...) takes a tuple: write (8,).",
        ),
        ({"grid_size": 2.5}, "The 'grid_size' field of KAN must be an int in [1, inf). Got 2.5 instead."),
        ({"degree": -1}, "The 'degree' field of KAN must be an int in [1, inf). Got -1 instead."),
        (
            {"upper": -4},
            "The 'lower' field of KAN must be less than its 'upper' field, and both finite. Got lower=-3.0 and upper=-4 instead.",
        ),
        ({"noise": -1}, "The 'noise' field of KAN must be in [0, inf). Got -1 instead."),
        (
            {"normalization": "power"},
            "The 'normalization' field of KAN must be one of [None, 'tanh', 'layer', 'batch']. Got 'power' instead.",
        ),
        (
            {"widths": (4, 1), "normalization": "layer"},
            "The 'normalization' field of KAN is 'layer', which makes every hidden layer of width 1 constant. "
            "Got widths=(4, 1). Use 'tanh', or wider layers.",
        ),
    ],
)
def test_bad_fields(fields, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        DeepClassifier(network="kan").set_params(**{f"network__{name}": v for name, v in fields.items()}).fit(X, y)
