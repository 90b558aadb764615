"""The modules of TabM: perceptrons that share parameters, as one network with an axis of members."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from skdeep.layers.linen.dropout import TracedDropout
from skdeep.layers.linen.tabular import DenseOfEach, PiecewiseLinearEmbedding, broadcast, uniform


class TabM(nn.Module):
    """Embeddings of numbers, one-hot categories, and an ensemble of perceptrons that share parameters.

    `ensemble` says what the members share. Returns `(n, members, outputs)`, as a dict if `n_outputs` is pairs of names and
    widths, or the mean over members if `averages`.
    """

    n_members: int
    ensemble: str
    widths: tuple[int, ...]
    dropout_rate: Any
    n_bins: int
    numeric_features: int | None
    n_categories: tuple[int, ...]
    n_outputs: int | tuple[tuple[str, int], ...]
    averages: bool

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        inputs = x if isinstance(x, dict) else {"numeric": x}
        parts, sizes = [], []
        if "numeric" in inputs:
            numbers = inputs["numeric"]
            sizes += [self.numeric_features or 1] * numbers.shape[-1]
            if self.numeric_features is not None:
                embedding = PiecewiseLinearEmbedding(self.n_bins, self.numeric_features, name="numeric")
                numbers = embedding(numbers)
            parts.append(numbers)
        if "one_hot" in inputs:
            parts.append(inputs["one_hot"])
            sizes += [1] * inputs["one_hot"].shape[-1]
        if "category" in inputs:
            dtype = parts[0].dtype if parts else jnp.float32
            ids = inputs["category"]
            parts += [jax.nn.one_hot(ids[:, i], n, dtype=dtype) for i, n in enumerate(self.n_categories)]
            sizes += self.n_categories
        features = jnp.concatenate(parts, axis=-1)
        x = jnp.broadcast_to(features[:, None], (len(features), self.n_members, features.shape[-1]))
        first = one_draw_per_column(tuple(sizes), self.numeric_features is not None)
        if self.ensemble == "mini":
            x = x * self.param("first_scale", first, (self.n_members, x.shape[-1]))[None]
        for i, width in enumerate(self.widths):
            x = self._dense(f"dense_{i}", width, first if i == 0 else nn.initializers.ones)(x)
            x = TracedDropout(self.dropout_rate)(nn.relu(x), train)
        widths = self.n_outputs if isinstance(self.n_outputs, tuple) else (("", self.n_outputs),)
        raw = DenseOfEach(sum(width for _, width in widths), name="output")(x)
        if self.averages:
            raw = raw.mean(axis=1)
        return raw if isinstance(self.n_outputs, int) else by_name(raw, widths)

    def _dense(self, name: str, width: int, scale_init: Any) -> nn.Module:
        if self.ensemble == "packed":
            return DenseOfEach(width, name=name)
        return (
            SharedDense(width, name=name)
            if self.ensemble == "mini"
            else BatchEnsembleDense(width, scale_init, name=name)
        )


class SharedDense(nn.Module):
    """A dense layer that all members share, with the initial values of PyTorch's `Linear`."""

    features: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        bound = uniform(1 / math.sqrt(x.shape[-1]))
        product = x @ self.param("kernel", bound, (x.shape[-1], self.features))
        return product + broadcast(self.param("bias", bound, (self.features,)), product)


class BatchEnsembleDense(nn.Module):
    """`((x r) W) s + b` for `(n, members, values)`: members share W, and have r, s and b of their own."""

    features: int
    scale_init: Any

    @nn.compact
    def __call__(self, x: Any) -> Any:
        n_members, n_values = x.shape[-2:]
        bound, ones = uniform(1 / math.sqrt(n_values)), nn.initializers.ones

        def bias_init(key: Any, shape: tuple[int, ...]) -> Any:
            return jnp.broadcast_to(bound(key, (1, shape[1])), shape)

        x = x * self.param("input_scale", self.scale_init, (n_members, n_values))[None]
        product = x @ self.param("kernel", bound, (n_values, self.features))
        product = product * self.param("output_scale", ones, (n_members, self.features))[None]
        return product + self.param("bias", bias_init, (n_members, self.features))[None]


def one_draw_per_column(sizes: tuple[int, ...], is_normal: bool) -> Any:
    """Return an initializer `(members, values)`, with one draw for the values of each column, normal or a random sign."""

    def init(key: Any, shape: tuple[int, ...]) -> Any:
        draws = (jax.random.normal if is_normal else jax.random.rademacher)(
            key, (shape[0], len(sizes)), dtype=jnp.float32
        )
        return jnp.repeat(draws, jnp.array(sizes), axis=1, total_repeat_length=shape[1])

    return init


def by_name(raw: Any, widths: tuple[tuple[str, int], ...]) -> dict[str, Any]:
    """Return the last axis of raw in parts with these names and widths."""
    parts, start = {}, 0
    for name, width in widths:
        parts[name] = raw[..., start : start + width]
        start += width
    return parts
