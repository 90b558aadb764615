"""Edge functions against the model that they come from: their sums are its raw outputs."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from flax import nnx
from numpy_kan import edge_by_scipy, layer_by_loop
from skdeep_kan import KAN, KANLayer, edge_functions
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdeep import DeepClassifier, DeepRegressor
from skdeep.layers import Dense, Residual

SETTINGS = {"learning_rate": 0.02, "max_epochs": 10, "tol": None, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def additive(iris):
    X, y = iris
    return make_pipeline(StandardScaler(), DeepClassifier(network=KAN(widths=()), **SETTINGS)).fit(X, y)


@pytest.fixture(scope="module")
def deep(iris):
    X, y = iris
    network = KAN(widths=(3,), lower=-1.0, upper=1.5)
    return make_pipeline(StandardScaler(), DeepClassifier(network=network, **SETTINGS)).fit(X, y)


def sum_of_edges(model, layer, values):
    """Return the sum over inputs of the edge functions at `values (rows, inputs)`."""
    return sum(edge_functions(model, layer, points=values[:, i]).y[i] for i in range(values.shape[1])).T


def test_an_additive_classifier_is_the_sum_of_its_edges(additive, iris):
    X = 2 * iris[0]  # some values are outside the grid
    np.testing.assert_allclose(
        sum_of_edges(additive, 0, additive[:-1].transform(X)), additive.decision_function(X), rtol=1e-4, atol=1e-4
    )


def test_an_additive_regressor_is_the_sum_of_its_edges():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 2)), rng.normal(loc=5.0, scale=3.0, size=100)
    model = DeepRegressor(network=KAN(widths=()), **SETTINGS).fit(X, y)
    np.testing.assert_allclose(sum_of_edges(model, 0, X)[:, 0] * y.std() + y.mean(), model.predict(X), rtol=1e-4)


def test_a_deep_network_is_the_composition_of_its_edge_sums(deep, iris):
    X = deep[:-1].transform(iris[0])
    hidden = sum_of_edges(deep, 0, X)
    on_grid = 0.25 + 1.25 * np.tanh((hidden - 0.25) / 1.25)
    np.testing.assert_allclose(sum_of_edges(deep, 1, on_grid), deep.decision_function(iris[0]), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(edge_functions(deep, 1, X=iris[0]).seen, on_grid, rtol=1e-4, atol=1e-4)


def test_each_function_equals_scipys_spline_plus_silu(deep):
    edges = edge_functions(deep, -1)
    network, params = deep[-1].network_, deep[-1].params_["kan_1"]
    assert edges.x.dtype == edges.y.dtype == np.float64
    np.testing.assert_array_equal(edges.x, np.linspace(-1.0, 1.5, 101))
    for i, j in np.ndindex(3, 3):
        np.testing.assert_allclose(edges.y[i, j], edge_by_scipy(network, params, i, j, edges.x), rtol=1e-12, atol=1e-12)


def test_mean_and_std_are_over_the_rows(additive, iris):
    X, _ = iris
    edges = edge_functions(additive, X=X[::3])
    values = additive[:-1].transform(X[::3])
    np.testing.assert_allclose(edges.seen, values, rtol=1e-6)
    for i in range(4):
        at_rows = edge_functions(additive, points=values[:, i]).y[i]
        np.testing.assert_allclose(edges.mean[i], at_rows.mean(axis=1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(edges.std[i], at_rows.std(axis=1), rtol=1e-5, atol=1e-6)


def test_mean_and_std_are_over_the_grid_without_rows(additive):
    edges = edge_functions(additive, points=11)
    assert edges.seen is None
    assert edges.y.shape == (4, 3, 11)
    np.testing.assert_allclose(edges.mean, edges.y.mean(axis=2))
    np.testing.assert_allclose(edges.std, edges.y.std(axis=2))


def test_names(additive, deep, iris):
    features, classes = tuple(iris[0].columns), ("0", "1", "2")
    assert edge_functions(additive)[4:6] == (features, classes)
    assert edge_functions(deep)[4:6] == (features, ("h0", "h1", "h2"))
    assert edge_functions(deep, 1)[4:6] == (("h0", "h1", "h2"), classes)


@pytest.mark.parametrize(
    ("steps", "as_frame", "names"),
    [
        ([], True, ("a", "b")),
        ([], False, ("x0", "x1")),
        ([StandardScaler().set_output(transform="pandas")], True, ("a", "b")),
        ([FunctionTransformer()], True, ("a", "b")),
        ([FunctionTransformer(np.asarray)], True, ("x0", "x1")),  # has no names for its output features
    ],
    ids=str,
)
def test_names_of_the_features(steps, as_frame, names):
    X, y = load_breast_cancer(return_X_y=True)
    X, y = np.log(X[:100, :2]), np.where(y[:100] == 1, "benign", "malignant")
    X = pd.DataFrame(X, columns=["a", "b"]) if as_frame else X
    model = make_pipeline(*map(clone, steps), DeepClassifier(network=KAN(widths=()), max_epochs=1, tol=None)).fit(X, y)
    edges = edge_functions(model, X=X)
    assert edges.input_names == names
    assert edges.output_names == ("malignant",)  # one raw output: the log odds of the second class


def test_layers_are_found_at_any_depth(iris):
    X, y = StandardScaler().fit_transform(iris[0]), iris[1]
    layers = [Dense(5), Residual((KANLayer(features=5, grid_size=2),)), ("skdeep-kan:kan", {"features": 2}), "tanh"]
    model = DeepClassifier(network=layers, **{**SETTINGS, "max_epochs": 60}).fit(X, y)
    assert model.score(X, y) > 0.95
    assert edge_functions(model, 0).y.shape == (5, 5, 101)
    edges = edge_functions(model, 1, X=X)
    assert edges.y.shape == (5, 2, 101)
    assert edges[4:6] == (("h0", "h1", "h2", "h3", "h4"), ("h0", "h1"))
    dense, residual = model.params_["Dense_0"], model.params_["ResidualStack_0"]["EdgeSum_0"]
    hidden = X @ dense["kernel"] + dense["bias"]
    wanted = hidden + layer_by_loop(KANLayer(grid_size=2), residual, hidden)
    np.testing.assert_allclose(edges.seen, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "layer", "error", "message"),
    [
        ("linear", 0, ValueError, "has no KAN layer. Use the network 'kan', or a list of layers that contains 'kan'."),
        (KAN(widths=()), 1, ValueError, "The 'layer' parameter must be in [-1, 1), since the network has 1 KAN layers. Got 1 instead."),
        (
            lambda in_shape, n_outputs, rngs: nnx.Linear(in_shape[0], n_outputs, rngs=rngs),
            0, TypeError, "The network must be a linen module, since KAN layers are linen modules. Got NNXNetwork(",
        ),
    ],
    ids=["no KAN layer", "no such layer", "nnx"],
)  # fmt: skip
def test_networks_without_such_a_layer(iris, network, layer, error, message):
    model = DeepClassifier(network=network, max_epochs=1, tol=None).fit(*iris)
    with pytest.raises(error, match=re.escape(message)):
        edge_functions(model, layer)


@pytest.mark.parametrize(
    "model", [LinearRegression(), make_pipeline(StandardScaler(), LinearRegression()), KAN()], ids=str
)
def test_other_objects_are_refused(model):
    with pytest.raises(
        TypeError, match="must be a DeepClassifier or DeepRegressor, or a Pipeline that ends in one. Got "
    ):
        edge_functions(model)


@pytest.mark.parametrize("wrap", [lambda model: model, make_pipeline], ids=["alone", "pipeline"])
def test_an_unfitted_model_is_refused(wrap):
    with pytest.raises(NotFittedError):
        edge_functions(wrap(DeepClassifier(network="kan")))


def test_rows_of_another_width_are_refused(deep):
    with pytest.raises(ValueError, match="X has 3 features, but DeepClassifier is expecting 4 features"):
        edge_functions(deep[-1], X=np.zeros((2, 3)))
