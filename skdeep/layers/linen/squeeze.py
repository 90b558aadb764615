"""The module for squeeze-and-excitation."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from skdeep.layers.initializers import initializer
from skdeep.layers.linen.pooling import mean_over_space, space_axes


class SqueezeExcitation(nn.Module):
    """Multiply each channel by a gate in (0, 1), which two dense layers compute from the means of all channels."""

    ratio: int

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        n_channels = x.shape[-1]
        means = mean_over_space(x, step_mask)
        n_reduced = max(1, n_channels // self.ratio)
        reduced = nn.Dense(n_reduced, kernel_init=initializer("he_uniform"), name="reduce")(means)
        gate = nn.sigmoid(nn.Dense(n_channels, name="expand")(nn.relu(reduced)))
        return x * jnp.expand_dims(gate, space_axes(x))
