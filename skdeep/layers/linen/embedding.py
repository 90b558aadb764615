"""The embedding module."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp


class Embedding(nn.Embed):
    """`nn.Embed` for rows of ids; if a layer before it makes them floats, the output has their dtype."""

    def __call__(self, x: Any) -> Any:
        ids = x[..., 0] if x.ndim == 3 and x.shape[-1] == 1 else x
        if ids.ndim != 2:
            raise ValueError(
                f"Embedding takes rows of token ids, of shape (time,) or (time, 1). Got rows of shape {x.shape[1:]} "
                "instead. Make it the first layer."
            )
        # A masked step may have an id outside the table; Flax would return NaN for it.
        inside = jnp.clip(ids, 0, self.num_embeddings - 1).astype(jnp.int32)
        vectors = super().__call__(inside)
        return vectors.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else vectors
