"""The linen modules of the layer and the network. This file imports Flax, so it is imported inside functions only."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from skdeep.contract import call_arguments
from skdeep.layers import BatchNorm, LayerNorm
from skdeep_kan.splines import bspline_basis


class EdgeSum(nn.Module):
    """Each output is the sum of the functions of the edges that lead to it, over the last axis of x.

    All edges use the same basis functions, so the sum over edges is a matrix product: `silu(x) @ base` plus the values of
    the basis `(n, in * (G + k))` times the scaled coefficients `(in * (G + k), out)`.
    """

    features: int
    grid_size: int
    degree: int
    lower: Any
    upper: Any
    noise: Any
    smoothness: Any = None

    @nn.compact
    def __call__(self, x: Any) -> Any:
        n_in, n_basis = x.shape[-1], self.grid_size + self.degree
        base = self.param("base", nn.initializers.glorot_uniform(), (n_in, self.features), x.dtype)
        scale = self.param("scale", nn.initializers.ones, (n_in, self.features), x.dtype)
        coef = self.param("coef", self._first_coef, (n_in, n_basis, self.features), x.dtype)
        lower, upper = jnp.asarray(self.lower, x.dtype), jnp.asarray(self.upper, x.dtype)
        basis = bspline_basis(jnp.clip(x, lower, upper), self.grid_size, self.degree, lower, upper)
        scaled = scale[:, None, :] * coef
        spline = basis.reshape(*x.shape[:-1], -1) @ scaled.reshape(-1, self.features)
        if self.smoothness is not None:
            self.sow("losses", "roughness", self.smoothness * jnp.sum(jnp.diff(scaled, n=2, axis=1) ** 2))
        return jax.nn.silu(x) @ base + spline

    def _first_coef(self, key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        # Divided by the root of the number of inputs, so that the size of the sum over edges does not depend on it.
        return jnp.asarray(self.noise / shape[0] ** 0.5, dtype) * jax.random.normal(key, shape, dtype)


class EdgeStack(nn.Module):
    """KAN layers one after the other, with `normalization` between them; the last layer returns the output."""

    features: tuple[int, ...]
    grid_size: int
    degree: int
    lower: Any
    upper: Any
    noise: Any
    normalization: str | None
    smoothness: Any = None

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any) -> Any:
        if x.ndim > 2:
            x = x.reshape(x.shape[0], -1)
        for i, width in enumerate(self.features):
            if i > 0:
                x = self._on_grid(x, train, row_mask)
            settings = (self.grid_size, self.degree, self.lower, self.upper, self.noise)
            x = EdgeSum(width, *settings, self.smoothness, name=f"kan_{i}")(x)
        return x

    def _on_grid(self, x: Any, train: bool, row_mask: Any) -> Any:
        if self.normalization is None:
            return x
        if self.normalization == "tanh":
            lower, upper = jnp.asarray(self.lower, x.dtype), jnp.asarray(self.upper, x.dtype)
            middle, half = (lower + upper) / 2, (upper - lower) / 2
            return middle + half * jnp.tanh((x - middle) / half)
        norm = {"batch": BatchNorm, "layer": LayerNorm}[self.normalization]().build()
        return norm(x, **call_arguments(norm, train, row_mask))
