"""Convolutions in forms that XLA's CPU backend computes fast, for the pass in `rewriting.py`.

`sliding.py` computes 2-D convolutions with stride 1, if it is faster. All others become patches (im2col) and one matrix
product.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from skdeep.core.cpu.sliding import slide

MIN_CHANNELS = 8
"""With at least this many input channels, `slide` is faster than patches."""

MAX_PATCH_VALUES = 2**24
"""The patches of one product hold at most this many numbers (64 MiB of float32); more rows are processed in blocks."""


def convolve(
    x: Any,
    kernel: Any,
    *,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int],
    rhs_dilation: Sequence[int],
    dimension_numbers: lax.ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: Any,
    preferred_element_type: Any,
    **_: Any,
) -> Any | None:
    """Return the result of `lax.conv_general_dilated`, or None for empty arrays and for `batch_group_count` > 1.

    The latter occurs in gradients of grouped convolutions only.
    """
    x_axes, kernel_axes, out_axes = dimension_numbers
    x = jnp.transpose(x, (x_axes[0], *x_axes[2:], x_axes[1]))
    kernel = jnp.transpose(kernel, (*kernel_axes[2:], kernel_axes[1], kernel_axes[0]))
    places = (out_axes[0], *out_axes[2:], out_axes[1])
    restored = sorted(range(len(places)), key=places.__getitem__)
    steps = {*window_strides, *lhs_dilation, *rhs_dilation, feature_group_count, batch_group_count}
    if steps == {1} and _slides(x, kernel, padding, precision, preferred_element_type):
        (top, bottom), (left, right) = padding
        return jnp.transpose(slide(x, kernel, ((top, bottom), (left, right))), restored)

    edges = [(low, high, d - 1) for (low, high), d in zip(padding, lhs_dilation, strict=True)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    windows = Patches.of(x.shape[1:-1], kernel.shape[:-2], window_strides, rhs_dilation)
    if batch_group_count != 1 or 0 in (*x.shape, *kernel.shape, *windows.counts):
        return None

    multiply = _depthwise if kernel.shape[-2] == 1 < feature_group_count else _grouped
    out = _bounded(
        lambda x, offsets, kernel: multiply(
            [windows.seen(x, offset) for offset in offsets],
            kernel,
            n_groups=feature_group_count,
            precision=precision,
            preferred_element_type=preferred_element_type,
        ),
        x,
        windows,
        kernel,
    )
    return jnp.transpose(out, restored)


def _slides(x: Any, kernel: Any, padding: Sequence[tuple[int, int]], precision: Any, dtype: Any) -> bool:
    """Return True if `slide` computes a convolution with stride 1, and faster than patches do.

    It computes 2-D convolutions of float32 without dilation, at default precision, with at least one window along each axis.
    It is faster if the kernel is larger than 1x1 and there are at least `MIN_CHANNELS` channels.
    """
    if x.ndim != 4 or not x.dtype == kernel.dtype == jnp.float32 or dtype not in (None, jnp.float32):
        return False
    sizes = kernel.shape[:2]
    fits = all(n + low + high >= size for n, size, (low, high) in zip(x.shape[1:3], sizes, padding, strict=True))
    lies_within = all(n + min(low, 0) + min(high, 0) > 0 for n, (low, high) in zip(x.shape[1:3], padding, strict=True))
    pays = math.prod(sizes) > 1 and x.shape[-1] >= MIN_CHANNELS
    return precision is None and pays and fits and lies_within and 0 not in (*x.shape, *kernel.shape)


class Patches(NamedTuple):
    """The windows of a convolution: the kernel's offsets in a window, the number of windows per axis, and the strides."""

    offsets: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(
        cls, lengths: Sequence[int], sizes: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
    ) -> Patches:
        axes = zip(lengths, sizes, strides, dilation, strict=True)
        counts = tuple(max(0, (length - (size - 1) * d - 1) // stride + 1) for length, size, stride, d in axes)
        offsets = itertools.product(*(range(0, size * d, d) for size, d in zip(sizes, dilation, strict=True)))
        return cls(tuple(offsets), counts, tuple(strides))

    def seen(self, x: Any, offset: Sequence[int]) -> Any:
        """Return the values of x `(n, *space, c)` at one offset in each window, as `(n, *counts, c)`."""
        stops = [o + (count - 1) * s + 1 for o, count, s in zip(offset, self.counts, self.strides, strict=True)]
        return lax.slice(x, (0, *offset, 0), (x.shape[0], *stops, x.shape[-1]), (1, *self.strides, 1))


def _bounded(product: Callable[..., Any], x: Any, windows: Patches, kernel: Any) -> Any:
    """Return the product over all offsets, in blocks of rows whose patches hold at most `MAX_PATCH_VALUES` numbers."""
    flat = kernel.reshape(-1, *kernel.shape[-2:])
    values_per_row = math.prod(windows.counts) * len(windows.offsets) * x.shape[-1]
    n, rows = x.shape[0], MAX_PATCH_VALUES // values_per_row
    if rows == 0:  # the patches of a single row are too large: add one product per offset instead
        products = (product(x, [offset], flat[i : i + 1]) for i, offset in enumerate(windows.offsets))
        return functools.reduce(operator.add, products)
    if n <= rows:
        return product(x, windows.offsets, flat)
    n_blocks = -(-n // rows)
    rows = -(-n // n_blocks)
    x = jnp.pad(x, [(0, n_blocks * rows - n), *[(0, 0)] * (x.ndim - 1)])
    # With `checkpoint`, the gradient makes the patches of each block again instead of keeping them in memory.
    out = lax.map(
        jax.checkpoint(lambda block: product(block, windows.offsets, flat)), x.reshape(n_blocks, rows, *x.shape[1:])
    )
    return out.reshape(n_blocks * rows, *out.shape[2:])[:n]


def _grouped(seen: list[Any], kernel: Any, *, n_groups: int, **options: Any) -> Any:
    """Return the product of patches with a kernel `(offsets, c / groups, out)`, group by group."""
    k, c, width = kernel.shape
    counts = seen[0].shape[:-1]
    patches = jnp.concatenate(seen, axis=-1)
    if n_groups == 1:  # as a 2-D product, because the gradient of a product of more dimensions copies its operands
        out = lax.dot(patches.reshape(-1, k * c), kernel.reshape(-1, width), **options)
        return out.reshape(*counts, width)
    patches = patches.reshape(-1, k, n_groups, c)
    kernel = kernel.reshape(k, c, n_groups, width // n_groups)
    out = lax.dot_general(patches, kernel, (((1, 3), (0, 1)), ((2,), (2,))), **options)
    return jnp.moveaxis(out, 0, 1).reshape(*counts, width)


def _depthwise(seen: list[Any], kernel: Any, *, n_groups: int, preferred_element_type: Any, **_: Any) -> Any:
    """Return a convolution in which each output has one input channel, as a sum over offsets.

    As a matrix product it would be too narrow to be fast.
    """
    k, _, width = kernel.shape
    kernel = kernel.reshape(k, *(1,) * (seen[0].ndim - 1), n_groups, width // n_groups)
    dtype = preferred_element_type or kernel.dtype
    out = functools.reduce(operator.add, (x[..., None].astype(dtype) * w for x, w in zip(seen, kernel, strict=True)))
    return out.reshape(*out.shape[:-2], width)
