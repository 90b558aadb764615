"""Bases of eigenvectors for the axes of a kernel, to which SOAP rotates gradients.

`factors` and `bases` are tuples with one entry per axis: a matrix `(size, size)`, or None if the axis is not rotated. The
columns of a basis are approximate eigenvectors of its factor.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax.numpy as jnp
from jax import Array

Matrices: TypeAlias = tuple[Array | None, ...]


def rotated_axes(shape: tuple[int, ...], max_size: int) -> tuple[bool, ...]:
    """Return one bool per axis, True if it is rotated: the axes of kernels with a length from 2 to `max_size`."""
    return tuple(len(shape) >= 2 and 2 <= size <= max_size for size in shape)


def zero_factors(leaf: Array, max_size: int) -> Matrices:
    """Return the factors before the first gradient, which are zero."""
    sizes = zip(leaf.shape, rotated_axes(leaf.shape, max_size), strict=True)
    return tuple(jnp.zeros((n, n), leaf.dtype) if is_rotated else None for n, is_rotated in sizes)


def identity_bases(factors: Matrices) -> Matrices:
    """Return identity matrices, which rotate nothing."""
    return tuple(None if f is None else jnp.eye(f.shape[0], dtype=f.dtype) for f in factors)


def rotate(x: Array, bases: Matrices) -> Array:
    """Return the coordinates in the bases: `Q.T @ x` along each axis."""
    for axis, basis in enumerate(bases):
        if basis is not None:
            x = _along(axis, basis, x)
    return x


def rotate_back(x: Array, bases: Matrices) -> Array:
    """Undo `rotate`: `Q @ x` along each axis."""
    return rotate(x, tuple(None if basis is None else basis.T for basis in bases))


def decayed_factors(factors: Matrices, grad: Array, decay: Any) -> Matrices:
    """Return the updated running means of `G G^T` per axis: the product of the gradient with itself over all other axes."""
    return tuple(
        None if factor is None else decay * factor + (1 - decay) * _gram(axis, grad)
        for axis, factor in enumerate(factors)
    )


def eigenvectors(factors: Matrices) -> Matrices:
    """Return the eigenvectors of the factors as columns."""
    return tuple(None if factor is None else jnp.linalg.eigh(factor)[1] for factor in factors)


def refreshed(factors: Matrices, bases: Matrices, mean_square: Array) -> tuple[Matrices, Array]:
    """Return the bases after one step of power iteration, and `mean_square` in the new order of columns.

    The iteration converges to eigenvectors in descending order of eigenvalues, so the columns are sorted that way first.
    """
    after: list[Array | None] = []
    for axis, (factor, basis) in enumerate(zip(factors, bases, strict=True)):
        if factor is None or basis is None:
            after.append(None)
            continue
        image = factor @ basis
        order = jnp.argsort(-jnp.sum(basis * image, axis=0))
        after.append(jnp.linalg.qr(image[:, order])[0])
        mean_square = jnp.take(mean_square, order, axis=axis)
    return tuple(after), mean_square


def _along(axis: int, basis: Array, x: Array) -> Array:
    return jnp.moveaxis(jnp.tensordot(basis, x, axes=(0, axis)), 0, axis)


def _gram(axis: int, grad: Array) -> Array:
    others = tuple(k for k in range(grad.ndim) if k != axis)
    return jnp.tensordot(grad, grad, axes=(others, others))
