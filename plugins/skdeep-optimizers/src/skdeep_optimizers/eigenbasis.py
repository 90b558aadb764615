"""Bases of eigenvectors for the axes of a kernel: what SOAP rotates gradients by.

`factors` and `bases` are tuples with an entry for each axis: a matrix `(size, size)`, or None where the
axis is not rotated. Columns of a basis are eigenvectors, or on their way to be.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax.numpy as jnp
from jax import Array

Matrices: TypeAlias = tuple[Array | None, ...]


def rotated_axes(shape: tuple[int, ...], max_size: int) -> tuple[bool, ...]:
    """Tell for each axis whether it is rotated: those of kernels, unless too long or of length 1."""
    return tuple(len(shape) >= 2 and 2 <= size <= max_size for size in shape)


def zero_factors(leaf: Array, max_size: int) -> Matrices:
    """Return the factors before the first gradient."""
    sizes = zip(leaf.shape, rotated_axes(leaf.shape, max_size), strict=True)
    return tuple(jnp.zeros((n, n), leaf.dtype) if is_rotated else None for n, is_rotated in sizes)


def identity_bases(factors: Matrices) -> Matrices:
    """Return bases that leave everything as it is."""
    return tuple(None if f is None else jnp.eye(f.shape[0], dtype=f.dtype) for f in factors)


def rotate(x: Array, bases: Matrices) -> Array:
    """Return the coordinates in the bases: `Q.T @ x` along each axis."""
    for axis, basis in enumerate(bases):
        if basis is not None:
            x = _along(axis, basis, x)
    return x


def rotate_back(x: Array, bases: Matrices) -> Array:
    """Return what has these coordinates in the bases: `Q @ x` along each axis."""
    return rotate(x, tuple(None if basis is None else basis.T for basis in bases))


def decayed_factors(factors: Matrices, grad: Array, decay: Any) -> Matrices:
    """Return the running means of the gradient's products with itself, over all axes but one."""
    return tuple(
        None if factor is None else decay * factor + (1 - decay) * _gram(axis, grad)
        for axis, factor in enumerate(factors)
    )


def eigenvectors(factors: Matrices) -> Matrices:
    """Return the eigenvectors of the factors."""
    return tuple(None if factor is None else jnp.linalg.eigh(factor)[1] for factor in factors)


def refreshed(factors: Matrices, bases: Matrices, mean_square: Array) -> tuple[Matrices, Array]:
    """Return the bases one step of power iteration on, and the squares in the new order of columns.

    The iteration converges to eigenvectors in descending order of eigenvalues, so columns are sorted first.
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
