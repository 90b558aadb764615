"""Networks as pure functions for networks around them: every form, and a wrapper against least squares."""

from __future__ import annotations

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose

import skdeep
from skdeep import DeepRegressor, compile_counts
from skdeep.core.random import wrap_key
from skdeep.layers import BatchNorm
from skdeep.networks import MLP, Linear
from skdeep.networks.sequential import Sequential
from skdeep.testing import check_network

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = X @ [1.0, -2.0, 0.5] + 1.0


class BesideALine(skdeep.Network):
    """Adds `scale` times a network to a line."""

    inner: skdeep.Network = MLP(widths=(8,))
    scale: float = 1.0

    def build(self, in_shape, n_outputs):
        inner = skdeep.network_functions(self.inner, in_shape, n_outputs)

        def init(key, x):
            params, model_state = inner.init(key, x)
            return {"inner": params, "line": jnp.zeros((in_shape[0], n_outputs), x.dtype)}, model_state

        def apply(params, model_state, x, train, key, row_mask):
            raw, model_state = inner.apply(params["inner"], model_state, x, train, key, row_mask)
            return self.scale * raw + x @ params["line"], model_state

        return skdeep.NetworkFunctions(init, apply)


def linen_module():
    class Net(nn.Module):
        n_outputs: int | None = None

        @nn.compact
        def __call__(self, x):
            return nn.Dense(self.n_outputs)(x)

    return Net()


@pytest.mark.parametrize(
    "network",
    [
        "linear",
        Linear(),
        [],
        linen_module(),
        lambda in_shape, n_outputs, rngs: nnx.Linear(in_shape[0], n_outputs, rngs=rngs),
    ],
    ids=["name", "component", "list", "linen", "nnx"],
)
def test_every_form_of_one_layer_is_affine(network):
    functions = skdeep.network_functions(network, (3,), 2)
    params, state = jax.jit(functions.init)(wrap_key(np.array([0, 1], np.uint32)), jnp.asarray(X))
    raw, after = jax.jit(lambda p, s, x: functions.apply(p, s, x, False, None, jnp.ones(len(x))))(params, state, X)
    leaves = {np.ndim(leaf): np.asarray(leaf) for leaf in jax.tree.leaves(params)}
    assert_allclose(raw, X @ leaves[2] + leaves[1], rtol=1e-5, atol=1e-6)
    assert jax.tree.leaves(after) == []


def test_outputs_by_name():
    functions = skdeep.network_functions("linear", (3,), {"scale": 1, "mean": 2})
    params, state = functions.init(wrap_key(np.array([0, 1], np.uint32)), jnp.asarray(X))
    raw, _ = functions.apply(params, state, jnp.asarray(X), False, None, jnp.ones(40))
    assert {name: part.shape for name, part in raw.items()} == {"mean": (40, 2), "scale": (40, 1)}


def test_a_line_beside_a_line_is_least_squares():
    model = DeepRegressor(network=BesideALine(Linear()), optimizer="lbfgs", max_epochs=50, tol=None).fit(X, Y)
    assert set(model.params_) == {"inner", "line"}
    assert_allclose(model.predict(X), Y, atol=1e-3)


@pytest.mark.parametrize(
    "inner", [pytest.param("mlp", marks=pytest.mark.campaign), ["batch_norm", "dense", ("dropout", {"rate": 0.2})]]
)
def test_names_and_lists_in_the_field(inner):
    model = DeepRegressor(network=BesideALine(), max_epochs=3, tol=None).set_params(network__inner=inner)
    assert np.isfinite(model.fit(X, Y).predict(X)).all()


def test_numbers_of_the_inner_network_compile_nothing():
    model = DeepRegressor(network=BesideALine(MLP((4,), dropout_rate=0.1)), max_epochs=2, tol=None).fit(X, Y)
    before = compile_counts()["train_block"]
    model.set_params(network__inner__dropout_rate=0.3, network__scale=0.5).fit(X, Y)
    assert compile_counts()["train_block"] == before


@pytest.mark.parametrize("inner", [pytest.param(MLP((4,)), marks=pytest.mark.campaign), Sequential((BatchNorm(),))])
def test_a_wrapper_passes_the_checks(inner):
    """Averages, the key and the mask reach the inner network."""
    assert all(result.passed for result in check_network(BesideALine(inner)))


def test_what_cannot_be():
    with pytest.raises(skdeep.UnknownComponentError, match="mlpp"):
        skdeep.network_functions("mlpp", (3,), 1)
    with pytest.raises(TypeError, match="network"):
        skdeep.network_functions(3, (3,), 1)
    functions = skdeep.network_functions(nn.Dense(5), (3,), 2)
    params, state = functions.init(wrap_key(np.array([0, 1], np.uint32)), jnp.asarray(X))
    message = "returns an array of shape (40, 5) for 40 rows, but the network around it needs 2 outputs per row"
    with pytest.raises(ValueError, match=re.escape(message)):
        functions.apply(params, state, jnp.asarray(X), False, None, jnp.ones(40))
