"""Dropout."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


class TracedDropout(nn.Module):
    """Dropout whose rate may be traced; Flax's asks in Python whether it is 0.

    At rate 0 no random number is drawn, though the compiled program could.
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

        # Only the factors are made inside the branch: the gradient then needs no branch of its own.
        return x * lax.cond(self.rate > 0, random_factors, lambda: jnp.ones(x.shape, x.dtype))
