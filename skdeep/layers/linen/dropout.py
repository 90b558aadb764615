"""The dropout module."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


class TracedDropout(nn.Module):
    """Dropout whose rate may be a tracer. Flax's Dropout needs a Python number, since it tests `rate == 0` in Python.

    If the rate is 0, the compiled program skips the drawing of random numbers.
    """

    rate: Any

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        if not train:
            return x
        key = self.make_rng("dropout")
        keep = 1.0 - jnp.asarray(self.rate, x.dtype)

        def random_factors() -> Any:
            return jax.random.bernoulli(key, keep, x.shape).astype(x.dtype) / keep

        # Only the factors are computed inside the branch. They do not depend on x, so the gradient needs no branch.
        return x * lax.cond(self.rate > 0, random_factors, lambda: jnp.ones(x.shape, x.dtype))
