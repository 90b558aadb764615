"""Modules for pooling: over windows, and over all axes but rows and channels."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from skdeep.layers.masks import mask_beside, zero_masked
from skdeep.layers.rows import check_axes, check_windows, per_axis

Sizes = tuple[int, ...]


class _Pool(nn.Module):
    """Base class of pooling over windows, without masked steps. `strides=None` means the window size."""

    window: int | Sizes
    strides: int | Sizes | None
    padding: str

    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        owner = type(self).__name__
        check_axes(owner, x, window=self.window, strides=self.strides)
        window, strides = window_sizes(self.window, self.strides, x.ndim - 2)
        if self.padding.lower() == "valid":
            check_windows(owner, x, "window", window)
        return self.pooled(x, step_mask, (window, strides, self.padding.upper()))

    def pooled(self, x: Any, step_mask: Any, shape: tuple[Sizes, Sizes, str]) -> Any:
        """Return one value per window and channel; `shape` holds the window, the strides and the padding."""
        raise NotImplementedError


class MaxPool(_Pool):
    """Flax's `max_pool`, with zero for windows whose steps are all masked."""

    def pooled(self, x: Any, step_mask: Any, shape: tuple[Sizes, Sizes, str]) -> Any:
        if step_mask is None:
            return nn.max_pool(x, *shape)
        pooled = nn.max_pool(jnp.where(mask_beside(x, step_mask), x, -jnp.inf), *shape)
        return zero_masked(pooled, pooled_mask(x, step_mask, *shape))


class AvgPool(_Pool):
    """The sum of each window divided by the number of its values that are neither padding nor masked."""

    def pooled(self, x: Any, step_mask: Any, shape: tuple[Sizes, Sizes, str]) -> Any:
        is_real = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
        if step_mask is not None:
            is_real = is_real * mask_beside(x, step_mask)
        count = nn.pool(is_real, 0.0, lax.add, *shape)
        return nn.pool(zero_masked(x, step_mask), 0.0, lax.add, *shape) / jnp.where(count > 0, count, 1.0)


def window_sizes(window: int | Sizes, strides: int | Sizes | None, n_axes: int) -> tuple[Sizes, Sizes]:
    """Return the window and the strides as one number per axis."""
    sizes = per_axis(window, n_axes)
    return sizes, sizes if strides is None else per_axis(strides, n_axes)


def pooled_mask(x: Any, step_mask: Any, window: Sizes, strides: Sizes, padding: str) -> Any:
    """Return a mask that is True for windows with an unmasked step of x; `window` and `strides` have one number per axis."""
    is_real = step_mask[..., None].astype(x.dtype)
    return nn.max_pool(is_real, window[:1], strides[:1], padding.upper())[..., 0] > 0


class GlobalPooling(nn.Module):
    """The maximum or mean over all axes but rows and channels, without masked steps."""

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


def space_axes(x: Any) -> tuple[int, ...]:
    """Return the indices of all axes but the first (rows) and the last (channels)."""
    return tuple(range(1, x.ndim - 1))


def mean_over_space(x: Any, step_mask: Any) -> Any:
    """Return the mean of each channel over the steps that are not masked; zero if all steps are masked."""
    axes = space_axes(x)
    if step_mask is None:
        return jnp.mean(x, axes)
    n_real = jnp.sum(step_mask, 1, dtype=x.dtype)[:, None] * math.prod(x.shape[2:-1])
    return jnp.sum(zero_masked(x, step_mask), axes) / jnp.maximum(n_real, 1)
