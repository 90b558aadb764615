"""Separable convolutions, group normalisation, squeeze and excitation, residuals with strides, and masks in all of them."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeep.contract import call_arguments
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Masking,
    MaxPool,
    Residual,
    SeparableConv,
    SqueezeExcitation,
)
from skdeep.networks import Sequential

KEY = np.array([7, 0], np.uint32)
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 7, 6, 4)).astype(np.float32)
SERIES = RNG.normal(size=(3, 9, 4)).astype(np.float32)
ENDS = np.arange(9)[None, :] < np.array([9, 5, 2])[:, None]
close = functools.partial(assert_allclose, rtol=1e-4, atol=1e-5)


def run(layer, x, step_mask=None, variables=None, train=False):
    """Return the output, the initial variables, and the changed model state."""
    if variables is None:
        variables = jax.tree.map(noisy, init(layer, x, step_mask, train))
    output, changed = apply(layer, variables, x, step_mask, train)
    return np.asarray(output), variables, changed


@functools.partial(jax.jit, static_argnums=(0, 3))
def init(layer, x, step_mask, train):
    module = layer.build()
    return module.init(wrap_key(jnp.array(KEY)), x, **call_arguments(module, train, jnp.ones(len(x)), step_mask))


@functools.partial(jax.jit, static_argnums=(0, 4))
def apply(layer, variables, x, step_mask, train):
    module = layer.build()
    arguments = call_arguments(module, train, jnp.ones(len(x)), step_mask)
    return module.apply(variables, x, mutable=["batch_stats"], **arguments)


def noisy(parameter):
    """Return a parameter plus noise: initial values of 0 and 1 would hide errors."""
    noise = np.random.default_rng(parameter.size).uniform(-1, 1, size=parameter.shape)
    return np.asarray(parameter) + 0.3 * noise.astype(np.float32)


def shapes(layer, x):
    def init():
        module = layer.build()
        return module.init(wrap_key(KEY), x, **call_arguments(module, False, np.ones(len(x), np.float32)))

    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.eval_shape(init)["params"])
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in leaves}


CONV = {"Conv_0/kernel": (3, 3, 4, 8), "Conv_0/bias": (8,)}


@pytest.mark.parametrize(
    ("layer", "x", "expected"),
    [
        (
            SeparableConv(8, (3, 2), multiplier=2),
            IMAGES,
            {"depthwise/kernel": (3, 2, 1, 8), "pointwise/kernel": (1, 1, 8, 8), "pointwise/bias": (8,)},
        ),
        (SeparableConv(8, use_bias=False), SERIES, {"depthwise/kernel": (3, 1, 4), "pointwise/kernel": (1, 4, 8)}),
        (GroupNorm(2), IMAGES, {"scale": (4,), "bias": (4,)}),
        (
            SqueezeExcitation(2),
            IMAGES,
            {"reduce/kernel": (4, 2), "reduce/bias": (2,), "expand/kernel": (2, 4), "expand/bias": (4,)},
        ),
        (
            SqueezeExcitation(8),
            SERIES,
            {"reduce/kernel": (4, 1), "reduce/bias": (1,), "expand/kernel": (1, 4), "expand/bias": (4,)},
        ),
        (Residual((Conv(4),)), IMAGES, {"Conv_0/kernel": (3, 3, 4, 4), "Conv_0/bias": (4,)}),
        (Residual((Conv(8),)), IMAGES, CONV | {"shortcut/kernel": (4, 8)}),
        (Residual((Conv(8, strides=2),)), IMAGES, CONV | {"shortcut/kernel": (1, 1, 4, 8)}),
        (Residual((Conv(8, strides=(1, 2)),)), IMAGES, CONV | {"shortcut/kernel": (1, 1, 4, 8)}),
    ],
)
def test_parameter_names_and_shapes(layer, x, expected):
    assert shapes(layer, x) == expected


def test_separable_convolution_equals_its_formula():
    """Each channel gives `multiplier` channels by a convolution of its own; then a product per step mixes all of them."""
    output, variables, _ = run(SeparableConv(5, 3, 2, "valid", multiplier=2), SERIES)
    params = variables["params"]
    windows = np.stack([SERIES[:, start : start + 3] for start in range(0, 7, 2)], 1)
    depthwise = np.einsum("ntkc,kcm->ntcm", windows, params["depthwise"]["kernel"].reshape(3, 4, 2)).reshape(3, 4, 8)
    close(output, depthwise @ params["pointwise"]["kernel"][0] + params["pointwise"]["bias"])


@pytest.mark.parametrize("x", [IMAGES, SERIES], ids=["images", "series"])
def test_group_norm_equals_its_formula(x):
    """Wu and He, equation 7."""
    output, variables, _ = run(GroupNorm(2, epsilon=0.01), x)
    groups = x.reshape(3, -1, 2, 2)
    mean, variance = (f(groups, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
    scale, bias = variables["params"]["scale"], variables["params"]["bias"]
    close(output, ((groups - mean) / np.sqrt(variance + 0.01)).reshape(x.shape) * scale + bias)


@pytest.mark.parametrize("x", [IMAGES, SERIES, SERIES[:, 0]], ids=["images", "series", "flat"])
def test_squeeze_and_excitation_equals_its_formula(x):
    """Hu et al., equations 2 to 4."""
    output, variables, _ = run(SqueezeExcitation(2), x)
    reduce, expand = variables["params"]["reduce"], variables["params"]["expand"]
    means = x.reshape(3, -1, 4).mean(axis=1)
    hidden = np.maximum(means @ reduce["kernel"] + reduce["bias"], 0)
    gate = 1 / (1 + np.exp(-(hidden @ expand["kernel"] + expand["bias"])))
    close(output, x * gate.reshape(3, *(1,) * (x.ndim - 2), 4))


@pytest.mark.parametrize("strides", [2, 3, (1, 2)])
def test_residual_adds_the_pixels_that_strides_keep(strides):
    output, variables, _ = run(Residual((Conv(8, 1, strides),)), IMAGES)
    params = variables["params"]
    kernel = params["Conv_0"]["kernel"] + params["shortcut"]["kernel"]
    down, right = strides if isinstance(strides, tuple) else (strides, strides)
    close(output, IMAGES[:, ::down, ::right] @ kernel[0, 0] + params["Conv_0"]["bias"])


@pytest.mark.parametrize(
    ("layers", "x", "shapes"),
    [
        ((Conv(4, padding="valid"),), IMAGES[:, :4], r"\(4, 6, 4\) to rows of shape \(2, 4, 4\)"),
        ((Conv(4, padding="valid"),), SERIES, r"\(9, 4\) to rows of shape \(7, 4\)"),
        ((Flatten(), Dense(4)), SERIES, r"\(9, 4\) to rows of shape \(4,\)"),
    ],
    ids=["image", "series", "flattened"],
)
def test_residual_refuses_shapes_that_no_strides_give(layers, x, shapes):
    message = rf"The layers of Residual map rows of shape {shapes}.*padding='same' and shorten axes by 'strides'"
    with pytest.raises(ValueError, match=message):
        run(Residual(layers), x)


@pytest.mark.parametrize(
    ("layer", "x", "message"),
    [
        (GroupNorm(8), SERIES, "'n_groups' field of GroupNorm is 8, which does not divide the 4 channels"),
        (Conv(4, padding="causal"), IMAGES, r"'padding' field of Conv is 'causal'.* Got rows of shape \(7, 6, 4\)"),
        (
            Conv(4, strides=(2,)),
            IMAGES,
            "'strides' field of Conv has 1 numbers, but .* have 2 axes before the channels",
        ),
        (MaxPool(2, strides=(2,)), IMAGES, "'strides' field of MaxPool has 1 numbers"),
        (SeparableConv(4), SERIES[:, 0], r"SeparableConv needs rows with channels .*input_shape=\(28, 28, 1\)"),
        (SeparableConv(4, 5, dilation=3, padding="valid"), SERIES, r"windows of SeparableConv, \(13,\), are longer"),
    ],
)
def test_rows_of_a_wrong_shape_raise(layer, x, message):
    with pytest.raises(ValueError, match=message):
        run(layer, x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GroupNorm(0), "The 'n_groups' field of GroupNorm must be a positive int. Got 0 instead."),
        (
            lambda: SqueezeExcitation(2.0),
            "The 'ratio' field of SqueezeExcitation must be a positive int. Got 2.0 instead.",
        ),
        (
            lambda: SeparableConv(multiplier=0),
            "The 'multiplier' field of SeparableConv must be a positive int. Got 0 instead.",
        ),
        (
            lambda: SeparableConv(padding="full"),
            "The 'padding' field of SeparableConv must be one of .* Got 'full' instead.",
        ),
        (
            lambda: Conv(kernel_init="zeros"),
            r"The 'kernel_init' field of Conv must be one of \['he_normal', .* Got 'zeros'",
        ),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_kernel_init_of_a_convolution():
    """LeCun et al.: the variance is 1 / fan_in, here with a fan-in of 3 times 100."""
    layer = Conv(100, kernel_init="lecun_normal")
    kernel = init(layer, np.zeros((1, 4, 100), np.float32), None, False)["params"]["kernel"]
    assert_allclose(np.var(kernel), 1 / 300, rtol=0.05)


def test_batch_norm_leaves_masked_steps_out():
    """With momentum 0 the running statistics are mean and variance of the unmasked steps, computed by NumPy."""
    layer, x = BatchNorm(momentum=0.0), np.where(ENDS[..., None], SERIES, 1e3).astype(np.float32)
    output, variables, changed = run(layer, x, ENDS, train=True)
    real = SERIES[ENDS]
    close(changed["batch_stats"]["norm"]["mean"], real.mean(axis=0))
    close(changed["batch_stats"]["norm"]["var"], real.var(axis=0))
    scale, bias = variables["params"]["norm"]["scale"], variables["params"]["norm"]["bias"]
    close(output[ENDS], (real - real.mean(axis=0)) / np.sqrt(real.var(axis=0) + 1e-5) * scale + bias)


@pytest.mark.parametrize("layer", [BatchNorm(), GroupNorm(2), SqueezeExcitation(2)])
def test_rows_with_all_steps_masked_give_no_nan(layer):
    mask = np.zeros_like(ENDS)
    _, variables, _ = run(layer, SERIES, mask)
    train = isinstance(layer, BatchNorm)
    output, _, changed = run(layer, SERIES, mask, variables, train)
    grad = jax.jit(jax.grad(lambda x: (apply(layer, variables, x, mask, train)[0] ** 2).sum()))(SERIES)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((output, changed, grad)))


ONE_BY_ONE = [GroupNorm(2), SqueezeExcitation(2), SeparableConv(4), Residual((Conv(4), GroupNorm(2)))]


@pytest.mark.parametrize("layer", ONE_BY_ONE, ids=["group norm", "squeeze", "separable", "residual"])
def test_a_sequence_with_masked_steps_equals_the_shorter_one(layer):
    x = np.where(ENDS[..., None], SERIES, 1e3).astype(np.float32)
    output, variables, _ = run(layer, x, ENDS)
    for row, n_steps in enumerate(ENDS.sum(axis=1)):
        alone, _, _ = run(layer, SERIES[row : row + 1, :n_steps], variables=variables)
        close(output[row, :n_steps], alone[0])


SPATIAL = [
    Conv(4, padding="valid"),
    Conv(4, (3, 1), (2, 1), "valid"),
    MaxPool((2, 3)),
    AvgPool(2),
    GlobalAvgPool(),
    GlobalMaxPool(),
    GroupNorm(2),
    SqueezeExcitation(2),
]


@pytest.mark.parametrize("layer", SPATIAL)
def test_steps_may_be_images_of_one_line(layer):
    """In rows (time, width, channels) a mask leaves whole steps out."""
    longer = np.concatenate([IMAGES, 100 * np.ones((3, 4, 6, 4), np.float32)], axis=1)
    mask = np.repeat([[True] * 7 + [False] * 4], 3, axis=0)
    expected, variables, _ = run(layer, IMAGES)
    output, _, _ = run(layer, longer, mask, variables)
    kept = jax.jit(layer.output_mask)(longer, mask)
    if kept is not None:  # windows with real steps only come first
        n_steps = expected.shape[1]
        assert_array_equal(kept[:, :n_steps], True)
        assert kept.shape == output.shape[:2]
        output = output[:, :n_steps]
    close(output, expected)


def test_output_masks():
    """Output masks of windows for sequences with 9, 5 and 2 real steps."""
    lengths = {
        Conv(4, strides=2): (5, 3, 1),
        Conv(4, padding="valid", dilation=2): (5, 1, 0),
        SeparableConv(4, padding="valid"): (7, 3, 0),
        MaxPool(2): (4, 3, 1),
        Residual((Conv(4, strides=2), GroupNorm(2), MaxPool(2))): (2, 2, 1),
    }
    for layer, expected in lengths.items():
        mask = np.asarray(jax.jit(layer.output_mask)(SERIES, ENDS))
        assert_array_equal(mask.sum(axis=1), expected)
        assert_array_equal(mask, np.sort(mask, axis=1)[:, ::-1])  # real steps come first
    for layer in (Flatten(), GlobalAvgPool(), GlobalMaxPool()):
        assert layer.output_mask(SERIES, ENDS) is None
    assert all(layer.output_mask(SERIES, None) is None for layer in lengths)


def test_a_maximum_with_masked_steps_keeps_values_that_are_not_finite():
    x = np.where(np.arange(9)[None, :, None] == 2, np.nan, SERIES).astype(np.float32)
    output, _, _ = run(MaxPool(3), x, ENDS)
    assert_array_equal(np.isnan(output[:2, :, 0]), [[True, False, False]] * 2)


def test_training_a_stack_does_not_depend_on_the_padded_length():
    """Output, gradient and running statistics do not depend on the number of padded steps."""
    inside = (Conv(8, strides=2, use_bias=False), BatchNorm(), SqueezeExcitation(2))
    network = Sequential((Masking(-9.0), Conv(4), GroupNorm(2), Residual(inside), MaxPool(2), GlobalAvgPool()))
    x = np.where(ENDS[..., None], SERIES, -9.0).astype(np.float32)[:, :8]
    longer = np.pad(x, ((0, 0), (0, 4), (0, 0)), constant_values=-9.0)

    @jax.jit
    def train(params, state, x):
        def total(params):
            raw, changed = functions_of(network, x.shape[1:], 2).apply(
                params, state, x, True, wrap_key(KEY), np.ones(3, np.float32)
            )
            return (raw**2).sum(), (raw, changed)

        return jax.value_and_grad(total, has_aux=True)(params)

    init = jax.jit(lambda x: functions_of(network, x.shape[1:], 2).init(wrap_key(KEY), x))
    params, state = init(x)
    params = jax.tree.map(noisy, params)
    jax.tree.map(close, train(params, state, longer), train(params, state, x))
    with pytest.raises(AssertionError):  # one more unmasked step changes the output
        jax.tree.map(close, train(params, state, np.where(longer == -9.0, 1.0, longer)), train(params, state, x))


def test_separable_convolution_equals_flax_with_one_group_per_channel():
    output, variables, _ = run(SeparableConv(5, 2, padding="same", dilation=2), IMAGES)
    params = variables["params"]
    inner = nn.Conv(4, (2, 2), kernel_dilation=2, feature_group_count=4, use_bias=False)
    outer = nn.Conv(5, (1, 1))

    @jax.jit
    def flax(params, x):
        return outer.apply({"params": params["pointwise"]}, inner.apply({"params": params["depthwise"]}, x))

    close(output, flax(params, IMAGES))
