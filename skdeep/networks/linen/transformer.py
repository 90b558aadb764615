"""The module of the transformer encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn

from skdeep.layers.linen.attention import TransformerBlock
from skdeep.layers.linen.dropout import TracedDropout
from skdeep.layers.linen.embedding import Embedding
from skdeep.layers.linen.positions import SinusoidalPositions
from skdeep.networks.linen.sequences import Output, masked_sequences


class Transformer(nn.Module):
    """Projection or embedding, position encoding, blocks, layer norm, `reduce` over the steps, and a dense output layer."""

    n_layers: int
    features: int
    n_heads: int
    dropout_rate: Any
    mask_value: Any
    n_tokens: int | None
    causal: bool
    reduce: Callable[[Any, Any], Any]
    n_outputs: int

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        x, step_mask = masked_sequences(x, self.mask_value)
        if self.n_tokens is None:
            x = nn.Dense(self.features, name="projection")(x)
        else:
            x = Embedding(self.n_tokens, self.features, name="embedding")(x)
        x = TracedDropout(self.dropout_rate)(SinusoidalPositions()(x), train)
        for _ in range(self.n_layers):
            x = TransformerBlock(self.n_heads, 4, self.dropout_rate, self.causal)(x, train, step_mask)
        return Output(self.n_outputs, name="output")(self.reduce(nn.LayerNorm(use_fast_variance=False)(x), step_mask))
