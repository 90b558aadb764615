"""Networks made of two networks: outputs, shapes and gradients in closed form, and frozen encoders."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skdeep
from skdeep.config import Model
from skdeep.core import as_traced
from skdeep.core.composed import Autoencoder, Pretrained, functions_of_model, regrouped
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.layers import BatchNorm, Dropout
from skdeep.networks import Linear
from skdeep.networks.sequential import Sequential

X = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)


def key(seed=0):
    return wrap_key(np.array([seed, 1], np.uint32))


def initialised(network, n_outputs, x=X):
    """Return the functions of a network, random parameters (biases too), and the model state."""
    functions = functions_of(as_traced(network), x.shape[1:], n_outputs)
    params, state = jax.jit(functions.init)(key(), jnp.asarray(x))
    rng = np.random.default_rng(1)
    return functions, jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), params), state


def apply(functions, params, state, x=X, train=False, key=None):
    call = jax.jit(lambda params, state, x, key: functions.apply(params, state, x, train, key, jnp.ones(len(x))))
    return call(params, state, jnp.asarray(x), key)


def affine(x, layer):
    return x @ layer["output"]["kernel"] + layer["output"]["bias"]


# Autoencoders.


def test_an_autoencoder_applies_encoder_then_decoder():
    functions, params, state = initialised(Autoencoder(Linear(), Linear(), 2), 5)
    assert jax.tree.map(np.shape, params) == {
        "encoder": {"output": {"kernel": (5, 2), "bias": (2,)}},
        "decoder": {"output": {"kernel": (2, 5), "bias": (5,)}},
    }
    assert set(state) == {"encoder", "decoder"}
    expected = affine(affine(X, params["encoder"]), params["decoder"])
    for train in (False, True):
        raw, after = apply(functions, params, state, X, train, key() if train else None)
        assert_allclose(raw, expected, rtol=1e-4, atol=1e-5)
        assert after == state


def test_encoder_and_decoder_have_separate_model_states():
    """The encoder keeps running averages of the rows, the decoder running averages of the codes."""
    normed = Sequential((BatchNorm(momentum=0.5),))
    functions, params, state = initialised(Autoencoder(normed, normed, 2), 5)
    _, after = apply(functions, params, state, X, True, key())
    averages = [next(iter(after[part]["batch_stats"].values()))["norm"]["mean"] for part in ("encoder", "decoder")]
    assert [mean.shape for mean in averages] == [(5,), (2,)]
    assert_allclose(averages[0], 0.5 * X.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_initial_parameters_differ_between_encoder_and_decoder():
    functions = functions_of(as_traced(Autoencoder(Linear(), Linear(), 5)), (5,), 5)
    params, _ = jax.jit(functions.init)(key(), jnp.asarray(X))
    encoder, decoder = (np.asarray(params[part]["output"]["kernel"]) for part in ("encoder", "decoder"))
    assert abs(np.corrcoef(encoder.ravel(), decoder.ravel())[0, 1]) < 0.6
    assert (encoder != decoder).all()


def test_noise_depends_on_the_key_and_is_added_in_training_only():
    """For affine networks, the noise changes the output by the noise times both kernels."""
    functions, params, state = initialised(Autoencoder(Linear(), Linear(), 5, noise=0.5), 5)
    product = params["encoder"]["output"]["kernel"] @ params["decoder"]["output"]["kernel"]
    clean, first, again, other = (
        np.asarray(apply(functions, params, state, X, k is not None, k)[0]) for k in (None, key(), key(), key(2))
    )
    assert_array_equal(first, again)
    noises = [(raw - clean) @ np.linalg.inv(product.astype(float)) / 0.5 for raw in (first, other)]
    for noise in noises:
        assert abs(noise.mean()) < 4 / np.sqrt(35)
        assert abs(noise.std() - 1) < 4 / np.sqrt(70)
    assert abs(np.corrcoef(*map(np.ravel, noises))[0, 1]) < 4 / np.sqrt(35)


class OfShape(skdeep.Network):
    """Outputs the first entry of its `out_shape`, and refuses all rows."""

    out_shape: tuple[int, ...] | None = None

    def build(self, in_shape, n_outputs):
        def apply(params, state, x, train, key, row_mask):
            return jnp.zeros((len(x), n_outputs)) + self.out_shape[0], state

        return skdeep.NetworkFunctions(lambda key, x: ({}, {}), apply)

    def check_rows(self, x):
        raise ValueError("not these rows")


@pytest.mark.parametrize(("out_shape", "expected"), [(None, (4, 3)), ((12,), (12,))])
def test_out_shape_of_a_decoder_defaults_to_the_shape_of_a_row(out_shape, expected):
    network = Autoencoder(Linear(), OfShape(out_shape=out_shape), 2)
    assert network.decoder_model((4, 3), 12) == Model(OfShape(out_shape=expected), (2,), 12)
    assert network.encoder_model((4, 3)) == Model(Linear(), (4, 3), 2)
    x = np.zeros((7, 4, 3), np.float32)
    functions, params, state = initialised(network, 12, x)
    assert_array_equal(apply(functions, params, state, x)[0], np.full((7, 12), expected[0]))
    network.check_rows(x)


@pytest.mark.parametrize("make", [lambda e: Autoencoder(e, Linear(), 2), lambda e: Pretrained(e, Linear(), 2, 2)])
def test_rows_are_checked_by_the_encoder(make):
    with pytest.raises(ValueError, match="not these rows"):
        make(OfShape()).check_rows(X)


class TooWide(skdeep.Network):
    def build(self, in_shape, n_outputs):
        return skdeep.NetworkFunctions(lambda key, x: ({}, {}), lambda params, state, x, *_: (x, state))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Autoencoder(TooWide(), Linear(), 2),
            "(7, 5) for 7 rows, but the code needs 2 outputs per row, that is (7, 2)",
        ),
        (
            Autoencoder(Linear(), TooWide(), 2),
            "(7, 2) for 7 rows, but the loss needs 5 outputs per row, that is (7, 5)",
        ),
        (
            Pretrained(TooWide(), Linear(), 4, 2),
            "(7, 5) for 7 rows, but the code needs 4 outputs per row, that is (7, 4)",
        ),
    ],
)
def test_an_output_of_another_width_raises(network, message):
    functions, params, state = initialised(network, 5)
    with pytest.raises(ValueError, match=re.escape(f"The network TooWide() returns an array of shape {message}")):
        apply(functions, params, state)


# Heads on encoders.


@pytest.mark.parametrize("frozen", [False, True])
def test_outputs_and_gradients_of_a_pretrained_network(frozen):
    """With cotangent G and codes z, the head's gradient is z'G; the encoder's is x'(G W') in the columns that the head uses, else 0."""
    functions, params, state = initialised(Pretrained(Linear(), Linear(), 4, 3, frozen=frozen), 2)
    cotangent = np.random.default_rng(2).normal(size=(7, 2)).astype(np.float32)

    def total(params, state):
        raw, after = functions.apply(params, state, jnp.asarray(X), True, key(), jnp.ones(7))
        return jnp.sum(cotangent * raw), (raw, after)

    (_, (raw, after)), gradient = jax.jit(jax.value_and_grad(total, has_aux=True))(params, state)
    assert set(params) == {"head"} if frozen else {"encoder", "head"}
    assert set(state) == {"encoder", "head", "frozen"} if frozen else {"encoder", "head"}
    encoder = jax.tree.map(np.asarray, state["frozen"] if frozen else params["encoder"])
    codes = affine(X, encoder)[:, :3]
    assert_allclose(raw, affine(codes, params["head"]), rtol=1e-4, atol=1e-5)
    jax.tree.map(assert_array_equal, after, state)
    of_codes = cotangent @ params["head"]["output"]["kernel"].T
    expected = {"head": {"output": {"kernel": codes.T @ cotangent, "bias": cotangent.sum(axis=0)}}}
    if not frozen:
        unseen = np.zeros((7, 1), np.float32)
        of_outputs = np.hstack([of_codes, unseen])
        expected["encoder"] = {"output": {"kernel": X.T @ of_outputs, "bias": of_outputs.sum(axis=0)}}
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-4, atol=1e-5), gradient, expected)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_frozen_encoder_is_applied_in_prediction_mode(frozen):
    encoder = Sequential((BatchNorm(momentum=0.5), Dropout(rate=0.5)))
    functions, params, state = initialised(Pretrained(encoder, Linear(), 3, 3, frozen=frozen), 2)
    predicted, _ = apply(functions, params, state)
    trained, after = apply(functions, params, state, X, True, key())
    assert np.array_equal(trained, predicted) == frozen
    (before,), (moved,) = (s["encoder"]["batch_stats"].values() for s in (state, after))
    step = 0.0 if frozen else 0.5
    assert_allclose(moved["norm"]["mean"], step * X.mean(axis=0), rtol=1e-4, atol=1e-6)
    assert_array_equal(before["norm"]["mean"], np.zeros(5))


def test_regrouping_parameters_freezes_and_unfreezes_the_encoder():
    params = {"encoder": {"a": 1}, "head": {"b": 2}}
    state = {"encoder": {"c": 3}, "head": {"d": 4}}
    frozen = {"head": {"b": 2}}, {"encoder": {"c": 3}, "head": {"d": 4}, "frozen": {"a": 1}}
    assert regrouped(params, state, False) == (params, state)
    assert regrouped(params, state, True) == frozen
    assert regrouped(*frozen, True) == frozen
    assert regrouped(*frozen, False) == (params, state)


def test_functions_of_a_model_apply_its_network():
    functions = functions_of_model(Model(Linear(), (5,), 3))
    params, state = jax.jit(functions.init)(key(), jnp.asarray(X))
    raw, _ = apply(functions, params, state)
    assert_allclose(raw, affine(X, jax.tree.map(np.asarray, params)), rtol=1e-4, atol=1e-5)
