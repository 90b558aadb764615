"""Convolution over two axes in steps of one, as XLA's CPU backend does it best, its gradients included.

XLA hands a convolution to a library only where its axes have one order: images `(n, height, width, c)`, kernels
`(height, width, c, out)`. Outside of loops it brings other orders into this one; inside it does not, and its own code
for them is what makes gradients slow. So they are written in that order here. The library shares stretches of a row
among the cores, but not rows or images: so images stand side by side here, in rows as wide as all of them.
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
"""In how many products the gradient of a kernel is taken: each runs on one core, and smaller ones stay in its cache."""


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def slide(x: Any, kernel: Any, padding: Padding) -> Any:
    """Return the convolution of images `(n, height, width, c)` with a kernel `(height, width, c, out)`."""
    cut = [(min(low, 0), min(high, 0), 0) for low, high in padding]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *cut, (0, 0, 0)])
    above, (left, right) = [(max(low, 0), max(high, 0)) for low, high in padding]
    n, height, width, c = x.shape
    reach = kernel.shape[1] - 1
    new_width = width + left + right - reach
    gap = max(left, right, new_width - width)  # of zeros between two images, which serves both
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
    """Return the gradient of the kernel as a convolution: of the channels, as images, with the rows as channels."""
    out = _convolved(jnp.swapaxes(x, 0, 3), jnp.moveaxis(gradient, 0, 2), padding)
    return jnp.moveaxis(out, 0, 2)


def _convolved(x: Any, kernel: Any, padding: Padding) -> Any:
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


slide.defvjp(_forward, _backward)
