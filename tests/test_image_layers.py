"""Convolution, pooling and the convolutional network: compared with Flax and NumPy, with masks, and in the estimators."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor
from skdeep.contract import call_arguments
from skdeep.core.random import wrap_key
from skdeep.layers import AvgPool, Conv, GlobalAvgPool, GlobalMaxPool, MaxPool
from skdeep.networks import CNN, ConvDecoder

KEY = np.array([7, 0], np.uint32)
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(4, 7, 6, 4)).astype(np.float32)
SERIES = RNG.normal(size=(4, 9, 3)).astype(np.float32)


def run(layer, x, step_mask=None, variables=None):
    """Return the output, its step mask and the variables."""
    return compiled(layer, x, step_mask, variables)


@functools.partial(jax.jit, static_argnums=0)
def compiled(layer, x, step_mask, variables):
    module = layer.build()
    arguments = call_arguments(module, False, jnp.ones(len(x)), step_mask)
    variables = module.init(wrap_key(jnp.array(KEY)), x, **arguments) if variables is None else variables
    return module.apply(variables, x, **arguments), layer.output_mask(x, step_mask), variables


@pytest.mark.parametrize(
    ("layer", "module", "x"),
    [
        (Conv(8), nn.Conv(8, (3, 3)), IMAGES),
        (Conv(8, 2, 2, "VALID", use_bias=False), nn.Conv(8, (2, 2), 2, "VALID", use_bias=False), IMAGES),
        (Conv(8, (3, 1), groups=4), nn.Conv(8, (3, 1), feature_group_count=4), IMAGES),
        (Conv(8, 2, dilation=3, padding="causal"), nn.Conv(8, (2,), padding="CAUSAL", kernel_dilation=3), SERIES),
        (Conv(8, padding="circular"), nn.Conv(8, (3,), padding="CIRCULAR"), SERIES),
        (Conv(2, 2), nn.Conv(2, (2, 2, 2)), IMAGES[..., None]),
    ],
    ids=["same", "valid", "groups", "causal", "circular", "volume"],
)
def test_convolutions_equal_flax(layer, module, x):
    output, _, variables = run(layer, x)
    expected = jax.eval_shape(module.init, jax.random.key(0), x)
    assert jax.tree.map(np.shape, variables) == jax.tree.map(np.shape, expected)
    assert_allclose(output, jax.jit(module.apply)(variables, x), rtol=1e-5, atol=1e-6)


def windows_of(series, window, stride):
    """Return the windows of a series, by NumPy."""
    starts = range(0, series.shape[1] - window + 1, stride)
    return [series[:, start : start + window] for start in starts]


@pytest.mark.parametrize(("window", "strides"), [(2, None), (3, 2), (4, 1)])
def test_pools_equal_numpys(window, strides):
    windows = windows_of(SERIES, window, strides or window)
    assert_allclose(run(MaxPool(window, strides), SERIES)[0], np.stack([w.max(1) for w in windows], 1), rtol=1e-6)
    assert_allclose(run(AvgPool(window, strides), SERIES)[0], np.stack([w.mean(1) for w in windows], 1), rtol=1e-5)


def test_average_pooling_leaves_padding_out():
    assert_allclose(run(AvgPool(3, 1, "same"), np.ones((1, 5, 1), np.float32))[0], np.ones((1, 5, 1)), rtol=1e-6)


def test_global_pools_equal_numpys():
    assert_allclose(run(GlobalMaxPool(), IMAGES)[0], IMAGES.max((1, 2)))
    assert_allclose(run(GlobalAvgPool(), IMAGES)[0], IMAGES.mean((1, 2)), rtol=1e-5, atol=1e-6)
    assert_array_equal(run(GlobalAvgPool(), IMAGES[:, 0, 0])[0], IMAGES[:, 0, 0])


@pytest.mark.parametrize(
    "layer",
    [Conv(4), Conv(4, strides=2, padding="causal"), Conv(4, padding="valid", dilation=2), MaxPool(2), AvgPool(3, 2)],
    ids=["same", "causal", "valid", "max", "avg"],
)
def test_values_of_masked_steps_do_not_change_the_output(layer):
    mask = np.ones((4, 9), bool)
    output, _, variables = run(layer, SERIES, mask)
    longer = np.concatenate([SERIES, 100 * np.ones((4, 4, 3), np.float32)], 1)
    padded, kept, _ = run(layer, longer, np.pad(mask, ((0, 0), (0, 4))), variables)
    padded, kept = np.asarray(padded), np.asarray(kept)
    assert np.isfinite(padded).all()
    n = output.shape[1]
    assert_array_equal(kept[:, :n], True)
    assert_allclose(padded[:, :n], output, rtol=1e-5, atol=1e-6)
    for pool in (GlobalAvgPool(), GlobalMaxPool()):
        alone = run(pool, padded[:1, : kept[0].sum()])[0]
        assert_allclose(np.asarray(run(pool, padded, kept)[0])[0], np.asarray(alone)[0], rtol=1e-5)


def test_a_sequence_with_all_steps_masked_gives_zero():
    for layer in (MaxPool(2), AvgPool(2), GlobalMaxPool(), GlobalAvgPool()):
        output, _, _ = run(layer, SERIES, np.zeros((4, 9), bool))
        assert_array_equal(output, np.zeros_like(output))


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        ("cnn", None, r"CNN takes rows with channels .*Got rows of shape \(64,\).*input_shape="),
        (CNN(widths=(8, 8, 8, 8)), (8, 8, 1), r"CNN pools each axis 4 times by 2, so it needs rows of 16 or more"),
        (["conv"], None, r"Conv needs rows with channels"),
        ([("conv", {"kernel_size": 9, "padding": "valid"})], (8, 8, 1), r"longer than the axes of its rows, \(8, 8\)"),
        ([("conv", {"kernel_size": (3,)})], (8, 8, 1), "has 1 numbers, but rows of shape"),
        ([("conv", {"groups": 2})], (8, 8, 1), "does not divide the 1 channels"),
        ([("conv", {"padding": "full"})], (8, 8, 1), "must be one of"),
        ([("conv", {"features": 0})], (8, 8, 1), "The 'features' field of Conv must be a positive int"),
        ([("conv", {"features": 6, "groups": 4})], (8, 8, 1), "must be a multiple of 'groups'"),
        ([("max_pool", {"window": 9})], (8, 8, 1), "The windows of MaxPool"),
        ([("max_pool", {"padding": "causal"})], (8, 8, 1), "must be 'same' or 'valid'"),
    ],
)
def test_fields_and_shapes_that_do_not_fit_raise(network, shape, message):
    X, y = load_digits(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        DeepClassifier(network=network, input_shape=shape, max_epochs=1).fit(X, y)


def test_pool_must_be_positive():
    with pytest.raises(ValueError, match="The 'pool' field of CNN must be a positive int"):
        CNN(pool=0)


def test_a_wrong_number_of_columns_raises():
    X, y = load_digits(return_X_y=True)
    model = DeepClassifier(network="cnn", input_shape=(8, 8, 1), max_epochs=1, tol=None)
    with pytest.raises(ValueError, match="64"):
        model.set_params(input_shape=(8, 7, 1)).fit(X, y)
    model.set_params(input_shape=(8, 8, 1), network__widths=(4,)).fit(X, y)
    with pytest.raises(ValueError, match="X has 32 features"):
        model.predict(X[:, :32])


@pytest.mark.parametrize("cls", [DeepClassifier, pytest.param(DeepRegressor, marks=pytest.mark.campaign)])
def test_cnn_in_a_pipeline(cls):
    X, y = load_digits(return_X_y=True)
    deep = cls(
        network="cnn", input_shape=(8, 8, 1), learning_rate=3e-3, batch_size=64, max_epochs=6, tol=None, random_state=0
    )
    model = make_pipeline(MinMaxScaler(), deep.set_params(network__widths=(8, 16), network__normalization="batch"))
    assert model.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]) > (0.85 if cls is DeepClassifier else 0.6)


def test_a_convolutional_autoencoder():
    X = (load_digits().data[:400] / 16).astype(np.float32)
    model = DeepAutoencoder(
        n_components=8,
        encoder=CNN(widths=(8, 16)),
        decoder=ConvDecoder(widths=(16, 8)),
        input_shape=(8, 8, 1),
        learning_rate=3e-3,
        batch_size=32,
        max_epochs=15,
        tol=None,
        random_state=0,
    ).fit(X)
    assert model.score(X) > -0.6 * X.var(axis=0).mean()
    assert_allclose(model.score(X), -np.mean((model.inverse_transform(model.transform(X)) - X) ** 2), rtol=1e-4)
