"""The plot shows the values that `edge_functions` returns."""

from __future__ import annotations

import re
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from skdeep_kan import KAN, edge_functions, plot_edges
from sklearn.datasets import make_regression

from skdeep import DeepRegressor


@pytest.fixture(scope="module")
def data():
    return make_regression(n_samples=100, n_features=8, n_informative=3, random_state=0)


@pytest.fixture(scope="module")
def model(data):
    network = KAN(widths=(2,))
    return DeepRegressor(network=network, learning_rate=0.02, max_epochs=20, tol=None, random_state=0).fit(*data)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def curve(axes, line=0):
    return axes.lines[1 + line].get_xydata().T  # the first line is the zero line


def test_curves_are_the_functions_without_their_means(model):
    axes = plot_edges(model, 1)
    edges = edge_functions(model, 1)
    order = np.argsort(-edges.std[:, 0])
    assert axes.shape == (1, 2)
    for column, i in enumerate(order):
        x, y = curve(axes[0, column])
        np.testing.assert_array_equal(x, edges.x)
        np.testing.assert_allclose(y, edges.y[i, 0] - edges.y[i, 0].mean(), atol=1e-12)
        assert axes[0, column].get_title() == f"h{i}"
    assert axes[0, 0].get_ylabel() == "y"
    assert axes[0, 0].figure.get_supxlabel() == "input of layer 1"


def test_the_strongest_inputs_come_first_and_darkest(model, data):
    axes = plot_edges(model, X=data[0])
    strength = edge_functions(model, X=data[0]).std
    order = np.argsort(-strength.max(axis=1))[:6]
    assert axes.shape == (2, 6)
    assert [a.get_title() for a in axes[0]] == [f"x{i}" for i in order]
    assert [a.get_ylabel() for a in axes[:, 0]] == ["h0", "h1"]
    share = np.mean(np.abs(data[0]) > 3)
    assert share > 0.001
    caption = f"input of layer 0 (6 of 8 inputs, 2 of 2 outputs); {share:.1%} of the values are outside the grid"
    assert axes[0, 0].figure.get_supxlabel() == caption
    alpha = [[axes[j, c].lines[1].get_alpha() for j in range(2)] for c in range(6)]
    np.testing.assert_allclose(alpha, 0.25 + 0.75 * strength[order] / strength.max(), rtol=1e-6)


def test_curves_are_dotted_where_there_are_no_rows(model, data):
    X = data[0][np.abs(data[0]).max(axis=1) < 2]
    axes = plot_edges(model, X=X, inputs=[4], outputs=[1])
    edges = edge_functions(model, X=X)
    assert axes.shape == (1, 1)
    assert axes[0, 0].figure.get_supxlabel() == "input of layer 0 (1 of 8 inputs, 1 of 2 outputs)"
    solid, dotted, deciles = (curve(axes[0, 0], line) for line in range(3))
    shown = solid[0][~np.isnan(solid[1])]
    step = edges.x[1] - edges.x[0]
    assert shown.min() == pytest.approx(X[:, 4].min(), abs=step)
    assert shown.max() == pytest.approx(X[:, 4].max(), abs=step)
    np.testing.assert_allclose(dotted[1], edges.y[4, 1] - edges.mean[4, 1])
    np.testing.assert_allclose(deciles[0], np.quantile(X[:, 4], np.arange(1, 10) / 10), rtol=1e-6)
    low, high = axes[0, 0].get_ylim()
    assert low < np.nanmin(solid[1])
    assert high > np.nanmax(solid[1])


def test_edges_by_name_or_position_in_a_given_figure(model):
    figure = plt.figure()
    axes = plot_edges(model, inputs=["x3", 0], outputs=["h1"], figure=figure)
    assert axes[0, 0].figure is figure
    assert [a.get_title() for a in axes[0]] == ["x3", "x0"]
    edges = edge_functions(model)
    np.testing.assert_allclose(curve(axes[0, 1])[1], edges.y[0, 1] - edges.mean[0, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": ["x9"]}, "The 'inputs' parameter of plot_edges must hold names or positions in [0, 8). Got 'x9' instead."),
        ({"inputs": [1.5]}, "The 'inputs' parameter of plot_edges must hold names or positions in [0, 8). Got 1.5 instead."),
        ({"outputs": [2]}, "The 'outputs' parameter of plot_edges must hold names or positions in [0, 2). Got 2 instead. The names are"),
    ],
)  # fmt: skip
def test_edges_that_do_not_exist(model, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        plot_edges(model, **options)


def test_without_matplotlib_the_error_names_the_extra(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(
        ImportError, match="plot_edges needs matplotlib. Install it, or install skdeep-kan with its extra 'plot'."
    ):
        plot_edges(model)
