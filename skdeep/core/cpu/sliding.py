"""2-D convolution with stride 1 and its gradients, in the form that XLA's CPU backend computes fastest.

XLA passes a convolution to a library only if its axes have this order: images `(n, height, width, c)`, kernels `(height,
width, c, out)`. Outside of loops XLA transposes other orders to this one. Inside loops it does not, and its own code for other
orders makes gradients slow. So convolutions and their gradients are written in this order here.

The library distributes the parts of one row of an image over the cores, but not rows or images. So the images of a batch are
put side by side here, as one wide image.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Padding = tuple[tuple[int, int], tuple[int, int]]

N_PARTS = 4
"""The gradient of a kernel is a sum of this many products. Each runs on one core; small ones fit in the core's cache."""


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def slide(x: Any, kernel: Any, padding: Padding) -> Any:
    """Return the convolution of images `(n, height, width, c)` with a kernel `(height, width, c, out)`."""
    cut = [(min(low, 0), min(high, 0), 0) for low, high in padding]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *cut, (0, 0, 0)])
    above, (left, right) = [(max(low, 0), max(high, 0)) for low, high in padding]
    n, height, width, c = x.shape
    reach = kernel.shape[1] - 1
    new_width = width + left + right - reach
    gap = max(left, right, new_width - width)  # columns of zeros between two images, the padding of both
    row = jnp.pad(jnp.swapaxes(x, 0, 1), ((0, 0), (0, 0), (0, gap), (0, 0)))
    row = row.reshape(1, height, n * (width + gap), c)
    out = _convolved(row, kernel, (above, (left, reach - left)))
    out = out.reshape(-1, n, width + gap, kernel.shape[-1])[:, :, :new_width]
    return jnp.swapaxes(out, 0, 1)


def _forward(x: Any, kernel: Any, padding: Padding) -> tuple[Any, tuple[Any, Any]]:
    return slide(x, kernel, padding), (x, kernel)


def _backward(padding: Padding, saved: tuple[Any, Any], gradient: Any) -> tuple[Any, Any]:
    x, kernel = saved
    mirrored = jnp.swapaxes(kernel[::-1, ::-1], 2, 3)
    (top, bottom), (left, right) = padding
    down, across = kernel.shape[0] - 1, kernel.shape[1] - 1
    edges = ((down - top, down - bottom), (across - left, across - right))
    n_parts = min(N_PARTS, len(x))
    parts = zip(jnp.array_split(x, n_parts), jnp.array_split(gradient, n_parts), strict=True)
    of_kernel = functools.reduce(operator.add, (_of_kernel(*part, padding) for part in parts))
    return slide(gradient, mirrored, edges), of_kernel


def _of_kernel(x: Any, gradient: Any, padding: Padding) -> Any:
    """Return the gradient of the kernel, as a convolution in which images and channels exchange their roles."""
    out = _convolved(jnp.swapaxes(x, 0, 3), jnp.moveaxis(gradient, 0, 2), padding)
    return jnp.moveaxis(out, 0, 2)


def _convolved(x: Any, kernel: Any, padding: Padding) -> Any:
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


slide.defvjp(_forward, _backward)
