"""The linen modules of convolutions and pools (imports flax, so only `build` methods import this file)."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from skdeep.layers.convolution import Conv, check_windows, per_axis
from skdeep.layers.masking import zero_masked
from skdeep.layers.pooling import Pool


class Convolution(nn.Module):
    """Flax's Conv, of as many axes as the rows have; its parameters are `kernel` and `bias`."""

    layer: Conv

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        layer, n_axes = self.layer, x.ndim - 2
        size, strides, dilation = (per_axis(v, n_axes) for v in (layer.kernel_size, layer.strides, layer.dilation))
        reach = tuple((s - 1) * d + 1 for s, d in zip(size, dilation, strict=False))
        check_windows(layer, x, "kernel_size", reach, layer.padding.lower() != "valid")
        if x.shape[-1] % layer.groups:
            raise ValueError(
                f"The 'groups' field of Conv is {layer.groups}, which does not divide the {x.shape[-1]} channels that it is given."
            )
        convolution = nn.Conv(
            layer.features,
            size,
            strides,
            layer.padding.upper(),
            kernel_dilation=dilation,
            feature_group_count=layer.groups,
            use_bias=layer.use_bias,
            kernel_init=nn.initializers.he_uniform(),
        )
        nn.share_scope(self, convolution)
        return convolution(zero_masked(x, step_mask))


class Pooling(nn.Module):
    """Flax's max_pool or avg_pool, over as many axes as the rows have; masked steps do not count."""

    layer: Pool

    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        layer, n_axes = self.layer, x.ndim - 2
        window = per_axis(layer.window, n_axes)
        check_windows(layer, x, "window", window, layer.padding.lower() == "same")
        strides = window if layer.strides is None else per_axis(layer.strides, n_axes)
        shape = window, strides, layer.padding.upper()
        is_real = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
        if step_mask is not None:
            is_real = step_mask[..., None].astype(x.dtype)
        if layer.is_max:
            pooled = nn.max_pool(x if step_mask is None else jnp.where(is_real > 0, x, -jnp.inf), *shape)
            return pooled if step_mask is None else jnp.where(jnp.isfinite(pooled), pooled, 0.0)
        share = nn.avg_pool(is_real, *shape)
        return nn.avg_pool(zero_masked(x, step_mask), *shape) / jnp.where(share > 0, share, 1.0)


class GlobalPooling(nn.Module):
    """The maximum or mean over all axes but rows and channels; masked steps do not count."""

    is_max: bool

    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        axes = tuple(range(1, x.ndim - 1))
        if not axes:
            return x
        if step_mask is None:
            return jnp.max(x, axes) if self.is_max else jnp.mean(x, axes)
        is_real = step_mask[..., None]
        if self.is_max:
            return jnp.where(is_real.any(1), jnp.max(jnp.where(is_real, x, -jnp.inf), 1), 0.0)
        return jnp.sum(jnp.where(is_real, x, 0.0), 1) / jnp.maximum(jnp.sum(is_real, 1), 1)
