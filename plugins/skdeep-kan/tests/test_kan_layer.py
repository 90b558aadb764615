"""The layer against a loop over edges in NumPy and SciPy, and inside lists of layers."""

from __future__ import annotations

import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_kan import layer_by_loop
from skdeep_kan import KANLayer
from sklearn.datasets import load_digits, load_iris

from skdeep import DeepClassifier

LAYERS = [
    KANLayer(features=3),
    KANLayer(features=1, grid_size=1, degree=1, lower=0.0, upper=1.0),
    KANLayer(features=4, grid_size=9, degree=2, lower=-1.5, upper=0.5),
]


def rows(*shape):
    """Return values of which a tenth lies outside the default grid."""
    return np.random.default_rng(1).normal(scale=1.8, size=shape)


def apply(layer):
    return jax.jit(lambda params, x: layer.build().apply({"params": params}, x))


def any_params(layer, n_in):
    """Return float64 parameters that are far from their initial values."""
    rng, n_basis = np.random.default_rng(2), layer.grid_size + layer.degree
    shapes = {"base": (n_in, layer.features), "scale": (n_in, layer.features), "coef": (n_in, n_basis, layer.features)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def initial(layer, x):
    """Return the initial parameters, from a key of type "rbg", which compiles faster than the default type."""
    make = jax.jit(lambda layer, x: layer.build().init(jax.random.key(0, impl="rbg"), x)["params"])
    return jax.tree.map(np.asarray, make(layer, x))


@pytest.mark.parametrize(("layer", "shape"), list(zip(LAYERS, [(7, 4), (2, 3, 2, 1), (5, 3, 2)], strict=True)), ids=str)
def test_output_is_the_sum_over_edges_of_the_last_axis(layer, shape):
    x, params = rows(*shape), any_params(layer, shape[-1])
    with jax.enable_x64(True):
        output = apply(layer)(params, x)
    assert output.dtype == np.float64
    np.testing.assert_allclose(output, layer_by_loop(layer, params, x), rtol=1e-11, atol=1e-11)


def test_float32_rows_give_float32():
    x, params = rows(6, 4), any_params(LAYERS[0], 4)
    output = apply(LAYERS[0])(*jax.tree.map(np.float32, (params, x)))
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, layer_by_loop(LAYERS[0], params, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_gradients_are_finite_differences_of_the_loop(layer):
    point = (any_params(layer, 3), rows(5, 3))
    weights = np.random.default_rng(3).normal(size=(5, layer.features))
    with jax.enable_x64(True):
        grad = jax.jit(jax.grad(lambda point: jnp.sum(weights * apply(layer)(*point))))(point)
    rng = np.random.default_rng(4)
    direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), point)
    ahead, behind = (
        np.sum(weights * layer_by_loop(layer, *jax.tree.map(lambda p, d, s=s: p + s * 1e-6 * d, point, direction)))
        for s in (1, -1)
    )
    slope = sum(np.vdot(g, d) for g, d in zip(jax.tree.leaves(grad), jax.tree.leaves(direction), strict=True))
    assert slope == pytest.approx((ahead - behind) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_outside_the_grid_only_silu_varies(layer):
    x = np.array([layer.lower, layer.lower - 5.0, layer.upper, layer.upper + 500.0])[:, None]
    params = any_params(layer, 1)
    with jax.enable_x64(True):
        spline = np.asarray(apply(layer)(params, x)) - x / (1 + np.exp(-x)) * params["base"]
    np.testing.assert_allclose(spline[[1, 3]], spline[[0, 2]], rtol=0, atol=1e-9)
    assert (np.abs(spline) > 1e-3).all()


def test_initial_values():
    layer = KANLayer(features=60, noise=0.25)
    params = initial(layer, np.zeros((1, 50), np.float32))
    assert {name: leaf.shape for name, leaf in params.items()} == {
        "base": (50, 60), "scale": (50, 60), "coef": (50, 8, 60),
    }  # fmt: skip
    assert sum(leaf.size for leaf in params.values()) == 50 * 60 * (5 + 3 + 2)
    np.testing.assert_array_equal(params["scale"], 1.0)
    limit = np.sqrt(6 / (50 + 60))  # Glorot uniform
    assert 0.98 * limit < np.abs(params["base"]).max() <= limit
    # For 24,000 draws, 4 standard errors are 1.8% of a standard deviation, and 0.026 standard deviations for a mean.
    std = 0.25 / np.sqrt(50)
    assert np.std(params["coef"]) == pytest.approx(std, rel=0.018)
    assert np.mean(params["coef"]) == pytest.approx(0.0, abs=0.026 * std)


def test_noise_scales_the_initial_coefficients():
    make = jax.jit(lambda layer: layer.build().init(jax.random.key(0, impl="rbg"), jnp.zeros((1, 3)))["params"]["coef"])
    coef = {noise: make(KANLayer(noise=noise)) for noise in (0.0, 0.1, 1.0)}
    assert make._cache_size() == 1  # noise is traced
    np.testing.assert_array_equal(coef[0.0], 0.0)
    np.testing.assert_allclose(10 * coef[0.1], coef[1.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"features": 0}, "The 'features' field of KANLayer must be an int in [1, inf). Got 0 instead."),
        ({"features": 2.5}, "The 'features' field of KANLayer must be an int in [1, inf). Got 2.5 instead."),
        ({"grid_size": 0}, "The 'grid_size' field of KANLayer must be an int in [1, inf). Got 0 instead."),
        ({"degree": 0}, "The 'degree' field of KANLayer must be an int in [1, inf). Got 0 instead."),
        (
            {"lower": 3.0},
            "The 'lower' field of KANLayer must be less than its 'upper' field, and both finite. Got lower=3.0 and upper=3.0 instead.",
        ),
        (
            {"upper": float("inf")},
            "The 'lower' field of KANLayer must be less than its 'upper' field, and both finite. Got lower=-3.0 and upper=inf instead.",
        ),
        ({"noise": -0.1}, "The 'noise' field of KANLayer must be in [0, inf). Got -0.1 instead."),
        ({"noise": float("inf")}, "The 'noise' field of KANLayer must be in [0, inf). Got inf instead."),
        ({"noise": float("nan")}, "The 'noise' field of KANLayer must be in [0, inf). Got nan instead."),
    ],
)
def test_bad_fields(fields, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        DeepClassifier(network=[KANLayer(**fields)]).fit(X, y)


def test_importing_the_package_loads_neither_flax_nor_matplotlib():
    code = "import sys, skdeep_kan; print([name for name in ('flax', 'optax', 'matplotlib') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_alone_in_a_list_it_acts_on_the_last_axis_of_images():
    X, y = load_digits(return_X_y=True)
    model = DeepClassifier(
        network=[("kan", {"features": 6})],
        input_shape=(8, 8),
        learning_rate=0.01,
        max_epochs=15,
        tol=None,
        random_state=0,
    )
    model.fit(X / 8 - 1, y)
    assert model.params_["EdgeSum_0"]["base"].shape == (8, 6)
    assert model.params_["output"]["kernel"].shape == (48, 10)
    assert model.score(X / 8 - 1, y) > 0.9
