"""The module of recurrent networks."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from skdeep.layers.linen.stack import Part, call_parts
from skdeep.networks.linen.sequences import Output, embedded, masked_sequences


class RecurrentNetwork(nn.Module):
    """Embedding, recurrent parts, and a dense output layer.

    If the last part returns one state per row, so does the network; if it returns all states, the output is per step.
    """

    parts: tuple[Part, ...]
    mask_value: Any
    n_tokens: int | None
    embedding_features: int
    n_outputs: int

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any) -> Any:
        x, step_mask = masked_sequences(x, self.mask_value)
        x = embedded(x, self.n_tokens, self.embedding_features)
        x, _ = call_parts(self.parts, x, train, row_mask, step_mask)
        return Output(self.n_outputs, name="output")(x)
