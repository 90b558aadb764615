"""Channels that weigh each other."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from skdeep.layers.initializers import initializer
from skdeep.layers.linen.pooling import mean_over_space, space_axes


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate between 0 and 1 that two dense layers make of the means of all channels."""

    ratio: int

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        n_channels = x.shape[-1]
        means = mean_over_space(x, step_mask)
        n_reduced = max(1, n_channels // self.ratio)
        reduced = nn.Dense(n_reduced, kernel_init=initializer("he_uniform"), name="reduce")(means)
        gate = nn.sigmoid(nn.Dense(n_channels, name="expand")(nn.relu(reduced)))
        return x * jnp.expand_dims(gate, space_axes(x))
