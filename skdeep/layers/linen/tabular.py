"""The modules of the layers for tables. Several take initial values from the rows that `init` gets.

Each initial value that depends on rows has a guard for rows without spread, such as the single row of zeros that shapes are
found with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

N_BIAS_ROWS = 5
LEAST_SPREAD = 1e-5


class Scaling(nn.Module):
    """Multiply each feature by a learned factor."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return x * broadcast(self.param("scale", nn.initializers.ones, x.shape[-1:]), x)


class ParametricActivation(nn.Module):
    """`x + a (f(x) - x)` with one learned `a` per feature."""

    function: Callable[[Any], Any]

    @nn.compact
    def __call__(self, x: Any) -> Any:
        slope = self.param("slope", nn.initializers.ones, x.shape[-1:])
        return x + broadcast(slope, x) * (self.function(x) - x)


class NTKDense(nn.Module):
    """`x W / sqrt(fan_in) + b`; W and b are initialised from the rows, by standard normal numbers, or by zeros."""

    features: int
    init_from: str = "rows"

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = x / math.sqrt(x.shape[-1])
        kernel_init, bias_init = self._initializers(x)
        kernel = self.param("kernel", kernel_init, (x.shape[-1], self.features))
        product = x @ kernel
        return product + broadcast(self.param("bias", bias_init(product), (self.features,)), product)

    def _initializers(self, x: Any) -> tuple[Any, Callable[[Any], Any]]:
        """Return the initializer of W, and the function that returns that of b for the product of x and W."""
        if self.init_from == "zeros":
            return nn.initializers.zeros, lambda product: nn.initializers.zeros
        normal = nn.initializers.normal(1.0)
        if self.init_from == "normal":
            return normal, lambda product: normal

        def kernel_init(key: Any, shape: tuple[int, ...]) -> Any:
            drawn = jax.random.normal(key, shape, jnp.float32)
            product = (x.astype(jnp.float32) @ drawn).reshape(-1, shape[-1])
            spread, size = jnp.std(product, axis=0), jnp.max(jnp.abs(product), axis=0)
            # Equal rows have a spread too, of rounding errors.
            return drawn / jnp.where(spread > LEAST_SPREAD * size, spread, 1)[None]

        return kernel_init, bias_of_rows


def bias_of_rows(product: Any) -> Callable[..., Any]:
    """Return an initializer of biases: minus a random weighted mean over `N_BIAS_ROWS` random rows of a layer's product."""

    def bias_init(key: Any, shape: tuple[int, ...]) -> Any:
        rows = product.reshape(-1, *shape).astype(jnp.float32)
        index_key, weight_key = jax.random.split(key)
        index = jax.random.randint(index_key, (N_BIAS_ROWS, *shape), 0, len(rows))
        weight = jax.random.exponential(weight_key, index.shape, jnp.float32)
        return -jnp.sum(weight * jnp.take_along_axis(rows, index, 0), 0) / jnp.sum(weight, 0)

    return bias_init


class PBLDEmbedding(nn.Module):
    """Each number x becomes `[x, W cos(2 pi w x + p) + b]`, with `features` values in all."""

    n_frequencies: int
    features: int
    frequency_std: Any

    summary_as_one: ClassVar[bool] = True

    @nn.compact
    def __call__(self, x: Any) -> Any:
        shape = x.shape[-1], self.n_frequencies
        frequency = self.param("frequency", _normal(self.frequency_std), shape)
        phase = self.param("phase", uniform(math.pi), shape)
        angle = 2 * math.pi * x[..., None] * broadcast(frequency, x[..., None])
        waves = jnp.cos(angle + broadcast(phase, angle))
        embedded = DenseOfEach(self.features - 1, name="output")(waves)
        return _rows(jnp.concatenate([x[..., None], embedded], axis=-1))


class PLREmbedding(nn.Module):
    """Each number x becomes `relu(W [cos(2 pi w x), sin(2 pi w x)] + b)`, or without ReLU."""

    n_frequencies: int
    features: int
    frequency_std: Any
    function: Callable[[Any], Any]

    summary_as_one: ClassVar[bool] = True

    @nn.compact
    def __call__(self, x: Any) -> Any:
        shape = x.shape[-1], self.n_frequencies
        frequency = self.param("frequency", _normal(self.frequency_std), shape)
        angle = 2 * math.pi * x[..., None] * broadcast(frequency, x[..., None])
        waves = jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=-1)
        return _rows(self.function(DenseOfEach(self.features, name="output")(waves)))


class DenseOfEach(nn.Module):
    """A dense layer of its own for each column or member, `(n, columns, values)` to `(n, columns, features)`."""

    features: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        n_columns, n_values = x.shape[-2:]
        bound = uniform(1 / math.sqrt(n_values))
        kernel = self.param("kernel", bound, (n_columns, n_values, self.features))
        bias = self.param("bias", bound, (n_columns, self.features))
        product = jnp.einsum("...cv,cvf->...cf", x, kernel)
        return product + broadcast(bias, product)


class PiecewiseLinearEmbedding(nn.Module):
    """Each number x becomes `w x + c + V e(x)`; e(x) holds the share of each bin that lies below x.

    The bins are between quantiles of the rows that `init` gets. The model state keeps their edges.
    """

    n_bins: int
    features: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = jnp.asarray(x)
        n_columns = x.shape[-1]
        edges = self.variable("edges", "quantiles", lambda: _quantiles(x, self.n_bins)).value
        bound = uniform(1 / math.sqrt(self.features))
        slope = self.param("slope", bound, (n_columns, self.features))
        bias = self.param("bias", bound, (n_columns, self.features))
        shape = n_columns, self.n_bins, self.features
        kernel = self.param("kernel", nn.initializers.zeros, shape)
        shares = shares_of_bins(x, jax.lax.stop_gradient(edges).astype(x.dtype))
        bent = jnp.einsum("...cb,cbf->...cf", shares, kernel)
        return _rows(x[..., None] * broadcast(slope, bent) + broadcast(bias, bent) + bent)


def shares_of_bins(x: Any, edges: Any) -> Any:
    """Return the share of each bin that lies below x: `(n, columns, bins)` for x `(n, columns)` and edges `(columns, bins + 1)`.

    The first bin extends below its edge and the last one above, with negative shares and shares above 1. Bins without width,
    between equal quantiles, have the share 0.
    """
    lower, upper = edges[:, :-1], edges[:, 1:]
    is_real = upper - lower > 1e-6 * (edges[:, -1:] - edges[:, :1])
    width = jnp.where(is_real, upper - lower, 1)
    number = jnp.cumsum(is_real, axis=-1)
    least = jnp.where(number == 1, -jnp.inf, 0).astype(x.dtype)
    most = jnp.where(number == number[:, -1:], jnp.inf, 1).astype(x.dtype)
    column = x[..., None]
    share = (column - broadcast(lower, column)) / broadcast(width, column)
    share = jnp.clip(share, broadcast(least, share), broadcast(most, share))
    return jnp.where(broadcast(is_real, share), share, 0)


class CategoryEmbedding(nn.Module):
    """A learned vector for each id of each column `(n, columns)` of ids; the first id of a column starts with zeros."""

    n_categories: tuple[int, ...]
    features: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        first = [sum(self.n_categories[:i]) for i in range(len(self.n_categories))]

        def table_init(key: Any, shape: tuple[int, ...]) -> Any:
            return jax.random.normal(key, shape, jnp.float32).at[jnp.array(first)].set(0)

        table = self.param("embedding", table_init, (sum(self.n_categories), self.features))
        last = broadcast(jnp.array(self.n_categories) - 1, x)
        ids = jnp.clip(x.astype(jnp.int32), 0, last) + broadcast(jnp.array(first), x)
        return _rows(jnp.take(table, ids, axis=0))


def broadcast(array: Any, x: Any) -> Any:
    """Return an array with leading axes of length 1, as many as it needs to be combined with x."""
    return array.reshape((1,) * (x.ndim - array.ndim) + array.shape)


def _rows(x: Any) -> Any:
    """Return the values of all columns in one axis."""
    return x.reshape(*x.shape[:-2], -1)


def _normal(std: Any) -> Any:
    return lambda key, shape: std * jax.random.normal(key, shape, jnp.float32)


def uniform(bound: float) -> Any:
    """Return an initializer that is uniform between -bound and bound."""
    return lambda key, shape: jax.random.uniform(key, shape, jnp.float32, -bound, bound)


def _quantiles(x: Any, n_bins: int) -> Any:
    """Return the edges `(columns, bins + 1)` of bins that hold equally many rows."""
    return jnp.quantile(x.reshape(-1, x.shape[-1]), jnp.linspace(0, 1, n_bins + 1, dtype=x.dtype), axis=0).T
