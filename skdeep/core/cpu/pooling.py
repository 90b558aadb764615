"""Maxima, minima and sums over windows as elementwise operations on slices, for the pass in `rewriting.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

MAX_SLICES = 8
"""Windows of up to this many values are combined from one slice per value, longer ones from parts of 1, 2, 4 ... values."""

Combine = Callable[[Any, Any], Any]


def pool_max(x: Any, **windows: Any) -> Any | None:
    """Return the result of `lax.reduce_window` with `lax.max`, or None if it is empty.

    Among equal values, the first gets the gradient.
    """
    return _pool(x, lambda a, b: jnp.where((a >= b) | (a != a), a, b), _limits(x.dtype)[0], **windows)


def pool_min(x: Any, **windows: Any) -> Any | None:
    """Return the result of `lax.reduce_window` with `lax.min`, or None if it is empty.

    Among equal values, the first gets the gradient.
    """
    return _pool(x, lambda a, b: jnp.where((a <= b) | (a != a), a, b), _limits(x.dtype)[1], **windows)


def pool_sum(x: Any, **windows: Any) -> Any | None:
    """Return the result of `lax.reduce_window` with `lax.add`, or None if it is empty."""
    return _pool(x, jnp.add, 0, **windows)


def _limits(dtype: Any) -> tuple[Any, Any]:
    """Return the lowest and the highest value of a type."""
    if dtype == jnp.bool_:
        return False, True
    if jnp.issubdtype(dtype, jnp.inexact):
        return -jnp.inf, jnp.inf
    return jnp.iinfo(dtype).min, jnp.iinfo(dtype).max


def _pool(
    x: Any,
    combine: Combine,
    neutral: Any,
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
    **_: Any,
) -> Any | None:
    """Pool along each axis in turn, from the last to the first, so that XLA's choice among equal values is made here too."""
    edges = [(low, high, d - 1) for (low, high), d in zip(padding, base_dilation, strict=True)]
    x = lax.pad(x, jnp.asarray(neutral, x.dtype), edges)
    for axis in reversed(range(x.ndim)):
        size, stride, dilation = window_dimensions[axis], window_strides[axis], window_dilation[axis]
        count = (x.shape[axis] - (size - 1) * dilation - 1) // stride + 1
        if count <= 0:
            return None
        reach = (count - 1) * stride + 1
        pieces = _pieces(x, size, dilation, axis, combine)
        x = functools.reduce(
            combine, (lax.slice_in_dim(piece, start, start + reach, stride, axis) for piece, start in pieces)
        )
    return x


def _pieces(x: Any, size: int, dilation: int, axis: int, combine: Combine) -> Iterator[tuple[Any, int]]:
    """Yield the consecutive parts of the windows, each as an array and an offset.

    Element `i + offset` of the array combines the values of this part of the window that begins at `i`.
    """
    if size <= MAX_SLICES:
        yield from ((x, i * dilation) for i in range(size))
        return
    start, width = 0, 1
    while size:
        if size % 2:
            yield x, start
            start += width * dilation
        size //= 2
        if size:
            shift = width * dilation
            x = combine(
                lax.slice_in_dim(x, 0, x.shape[axis] - shift, 1, axis), lax.slice_in_dim(x, shift, None, 1, axis)
            )
            width *= 2
