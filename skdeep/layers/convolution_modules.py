"""The linen modules of convolutions and pools (imports flax, so only `build` methods import this file)."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from skdeep.layers import convolution
from skdeep.layers.basic import initializer
from skdeep.layers.convolution import check_axes, check_windows, per_axis
from skdeep.layers.masking import mask_beside, zero_masked
from skdeep.layers.pooling import Pool


class Conv(nn.Module):
    """Flax's Conv, of as many axes as the rows have; its parameters are `kernel` and `bias`."""

    layer: convolution.Conv

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        layer = self.layer
        options = {"use_bias": layer.use_bias, "kernel_init": initializer(layer.kernel_init)}
        conv = convolution_for(x, layer, layer.features, layer.groups, options)
        nn.share_scope(self, conv)
        return conv(zero_masked(x, step_mask))


class SeparableConv(nn.Module):
    """A convolution with a group for each channel, and one of size 1."""

    layer: convolution.SeparableConv

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        layer, n_channels, init = self.layer, x.shape[-1], initializer("he_uniform")
        options = {"use_bias": False, "kernel_init": init, "name": "depthwise"}
        depthwise = convolution_for(x, layer, n_channels * layer.multiplier, n_channels, options)
        size = (1,) * (x.ndim - 2)
        pointwise = nn.Conv(layer.features, size, use_bias=layer.use_bias, kernel_init=init, name="pointwise")
        return pointwise(depthwise(zero_masked(x, step_mask)))


def convolution_for(
    x: Any, layer: convolution.Convolving, features: int, n_groups: int, options: dict[str, Any]
) -> nn.Conv:
    """Return Flax's Conv for rows as those of x, with the sizes of a layer.

    Raises
    ------
    ValueError
        If the sizes do not fit the rows.
    """
    check_axes(layer, x, ("kernel_size", "strides", "dilation"))
    n_axes, owner, padding = x.ndim - 2, type(layer).__name__, layer.padding.upper()
    size, strides, dilation = (per_axis(v, n_axes) for v in (layer.kernel_size, layer.strides, layer.dilation))
    if padding == "VALID":
        check_windows(layer, x, "kernel_size", tuple((s - 1) * d + 1 for s, d in zip(size, dilation, strict=True)))
    if padding == "CAUSAL" and n_axes != 1:
        raise ValueError(
            f"The 'padding' field of {owner} is 'causal', which is for rows of shape (time, features). Got rows of shape "
            f"{x.shape[1:]} instead. Use padding='same'."
        )
    if x.shape[-1] % n_groups:
        raise ValueError(
            f"The 'groups' field of {owner} is {n_groups}, which does not divide the {x.shape[-1]} channels that it is given."
        )
    return nn.Conv(features, size, strides, padding, kernel_dilation=dilation, feature_group_count=n_groups, **options)


class Pooling(nn.Module):
    """Flax's max_pool or avg_pool, over as many axes as the rows have; masked steps do not count."""

    layer: Pool

    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        layer = self.layer
        check_axes(layer, x, ("window", "strides"))
        window, strides = layer.sizes(x.ndim - 2)
        if layer.padding.lower() == "valid":
            check_windows(layer, x, "window", window)
        return (self._maximum if layer.is_max else self._mean)(x, step_mask, (window, strides, layer.padding.upper()))

    def _maximum(self, x: Any, step_mask: Any, shape: Any) -> Any:
        if step_mask is None:
            return nn.max_pool(x, *shape)
        pooled = nn.max_pool(jnp.where(mask_beside(x, step_mask), x, -jnp.inf), *shape)
        return zero_masked(pooled, self.layer.output_mask(x, step_mask))

    def _mean(self, x: Any, step_mask: Any, shape: Any) -> Any:
        """Divide by how much of each window is there: neither padding nor masked."""
        is_real = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
        if step_mask is not None:
            is_real = is_real * mask_beside(x, step_mask)
        count = nn.pool(is_real, 0.0, lax.add, *shape)
        return nn.pool(zero_masked(x, step_mask), 0.0, lax.add, *shape) / jnp.where(count > 0, count, 1.0)


class GlobalPooling(nn.Module):
    """The maximum or mean over all axes but rows and channels; masked steps do not count."""

    is_max: bool

    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        axes = space_axes(x)
        if not axes:
            return x
        if not self.is_max:
            return mean_over_space(x, step_mask)
        if step_mask is None:
            return jnp.max(x, axes)
        is_real = mask_beside(x, step_mask)
        return jnp.where(is_real.any(axes), jnp.max(jnp.where(is_real, x, -jnp.inf), axes), 0.0)


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate between 0 and 1 that two dense layers make of the means of all channels."""

    ratio: int

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        n_channels = x.shape[-1]
        means = mean_over_space(x, step_mask)
        reduced = nn.Dense(max(1, n_channels // self.ratio), kernel_init=initializer("he_uniform"), name="reduce")(
            means
        )
        gate = nn.sigmoid(nn.Dense(n_channels, name="expand")(nn.relu(reduced)))
        return x * jnp.expand_dims(gate, space_axes(x))


def space_axes(x: Any) -> tuple[int, ...]:
    """Return all axes but rows and channels."""
    return tuple(range(1, x.ndim - 1))


def mean_over_space(x: Any, step_mask: Any) -> Any:
    """Return the mean of each channel over the steps that are not masked, zero if all are."""
    axes = space_axes(x)
    if step_mask is None:
        return jnp.mean(x, axes)
    n_real = jnp.sum(step_mask, 1, dtype=x.dtype)[:, None] * math.prod(x.shape[2:-1])
    return jnp.sum(zero_masked(x, step_mask), axes) / jnp.maximum(n_real, 1)
