"""Modules for positional encodings."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from skdeep.layers.rows import check_sequences


class SinusoidalPositions(nn.Module):
    """Add sines and cosines of the position of each step."""

    def __call__(self, x: Any) -> Any:
        check_sequences("PositionalEncoding", x)
        return x + jnp.asarray(sinusoids(*x.shape[1:]), x.dtype)[None]


class LearnedPositions(nn.Module):
    """Add a learned vector per position."""

    max_length: int | None

    @nn.compact
    def __call__(self, x: Any) -> Any:
        check_sequences("PositionalEncoding", x)
        _, n_steps, n_features = x.shape
        if self.max_length is not None and n_steps > self.max_length:
            raise ValueError(
                f"The 'max_length' field of PositionalEncoding is {self.max_length}, but the rows have {n_steps} steps. "
                f"Give max_length={n_steps} or more."
            )
        table = self.param(
            "table", jax.nn.initializers.normal(0.02), (self.max_length or n_steps, n_features), jnp.float32
        )
        return x + table[None, :n_steps]


def sinusoids(n_steps: int, n_features: int) -> np.ndarray:
    """Return `(time, features)`: sines at even features, cosines at odd ones; features 2 i and 2 i + 1 share a wavelength."""
    feature = np.arange(n_features)
    angles = np.arange(n_steps)[:, None] / 10_000.0 ** (feature // 2 * 2 / n_features)[None, :]
    return np.where(feature % 2 == 0, np.sin(angles), np.cos(angles))
