"""Modules for self-attention and for a transformer block."""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn

from skdeep.layers.linen.dropout import TracedDropout
from skdeep.layers.rows import check_sequences


class SelfAttention(nn.Module):
    """`nn.MultiHeadDotProductAttention` of x with itself, then dropout."""

    n_heads: int
    head_features: int | None
    dropout_rate: Any
    causal: bool

    summary_as_one: ClassVar[bool] = True

    @nn.compact
    def __call__(self, x: Any, train: bool, step_mask: Any = None) -> Any:
        check_sequences("SelfAttention", x)
        attention = nn.MultiHeadDotProductAttention(
            self.n_heads, qkv_features=self._width(x.shape[-1]), deterministic=True, name="attention"
        )
        y = attention(x, mask=self._mask(x, step_mask))
        return TracedDropout(self.dropout_rate)(y, train)

    def _width(self, n_features: int) -> int:
        if self.head_features is not None:
            return self.n_heads * self.head_features
        if n_features % self.n_heads:
            raise ValueError(
                f"The 'n_heads' field must divide the {n_features} features of the rows. Got {self.n_heads} instead. "
                "Give another n_heads, or put a dense layer before it whose features n_heads divides."
            )
        return n_features

    def _mask(self, x: Any, step_mask: Any) -> Any:
        """Return the attention mask `(n, 1, query step or 1, key step)`, or None if every step may attend to every step.

        In a row whose steps are all masked, the softmax gives every step the same weight.
        """
        causal = nn.make_causal_mask(x[..., 0], dtype=bool) if self.causal else None
        return nn.combine_masks(causal, None if step_mask is None else step_mask[:, None, None, :], dtype=bool)


class TransformerBlock(nn.Module):
    """Pre-norm: `x + attention(norm(x))`, then `x + dense(gelu(dense(norm(x))))`."""

    n_heads: int
    widths_factor: int
    dropout_rate: Any
    causal: bool

    @nn.compact
    def __call__(self, x: Any, train: bool, step_mask: Any = None) -> Any:
        check_sequences("TransformerBlock", x)
        attention = SelfAttention(self.n_heads, None, self.dropout_rate, self.causal)
        x = x + attention(nn.LayerNorm(use_fast_variance=False)(x), train, step_mask)
        n_features = x.shape[-1]
        y = nn.gelu(nn.Dense(self.widths_factor * n_features)(nn.LayerNorm(use_fast_variance=False)(x)))
        return x + TracedDropout(self.dropout_rate)(nn.Dense(n_features)(y), train)
