"""The linen modules of networks of sequences (imports flax, so only `build` methods import this file)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from skdeep.contract import Layer
from skdeep.layers.attention_modules import SinusoidalPositions, TransformerBlock
from skdeep.layers.embedding_modules import Embedding
from skdeep.layers.masking import steps_other_than, zero_masked
from skdeep.layers.modules import TracedDropout, call_layers

_HIDDEN_INIT = jax.nn.initializers.he_uniform()


class RecurrentNetwork(nn.Module):
    """Recurrent layers, the last of which gives one state a row or all of them, and an output of each."""

    layers: tuple[Layer, ...]
    mask_value: Any
    n_tokens: int | None
    embedding_features: int
    n_outputs: int

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any) -> Any:
        x, step_mask = masked_sequences(x, self.mask_value)
        x = embedded(x, self.n_tokens, self.embedding_features)
        x, _ = call_layers(self.layers, x, train, row_mask, step_mask)
        return Output(self.n_outputs, name="output")(x)


class TCN(nn.Module):
    """Residual blocks of dilated causal convolutions; what `reduce` leaves of the steps goes to the output."""

    widths: tuple[int, ...]
    kernel_size: int
    dropout_rate: Any
    mask_value: Any
    n_tokens: int | None
    reduce: Callable[[Any, Any], Any]
    n_outputs: int

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        x, step_mask = masked_sequences(x, self.mask_value)
        x = embedded(x, self.n_tokens, self.widths[0])
        for number, width in enumerate(self.widths):
            x = TemporalBlock(width, self.kernel_size, 2**number, self.dropout_rate)(x, train, step_mask)
        return Output(self.n_outputs, name="output")(self.reduce(x, step_mask))


class TemporalBlock(nn.Module):
    """Bai et al., figure 1b, without weight normalisation: two convolutions with ReLU and dropout, and a shortcut."""

    width: int
    kernel_size: int
    dilation: int
    dropout_rate: Any

    @nn.compact
    def __call__(self, x: Any, train: bool, step_mask: Any) -> Any:
        y = x
        for _ in range(2):
            y = CausalConv(self.width, self.kernel_size, self.dilation)(zero_masked(y, step_mask))
            y = TracedDropout(self.dropout_rate)(nn.relu(y), train)
        if x.shape[-1] != self.width:
            x = nn.Dense(self.width, name="shortcut")(x)
        return nn.relu(x + y)


class CausalConv(nn.Module):
    """`nn.Conv` with padding "CAUSAL", as one matrix product of shifted steps: fast inside loops on a CPU."""

    features: int
    kernel_size: int
    dilation: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        shape = (self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", _HIDDEN_INIT, shape, jnp.float32)
        bias = self.param("bias", jax.nn.initializers.zeros, (self.features,), jnp.float32)
        n_steps, n_before = x.shape[1], self.dilation * (self.kernel_size - 1)
        padded = jnp.pad(x, ((0, 0), (n_before, 0), (0, 0)))
        shifted = [padded[:, start : start + n_steps] for start in range(0, n_before + 1, self.dilation)]
        return jnp.concatenate(shifted, axis=-1) @ kernel.reshape(-1, self.features) + bias[None, None, :]


class Transformer(nn.Module):
    """Projection or embedding, positions, blocks, a norm, and an output of what `reduce` leaves of the steps."""

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


class Output(nn.Dense):
    """The dense layer to the outputs, with the first values that all networks have there."""

    kernel_init: Any = jax.nn.initializers.lecun_uniform()


def masked_sequences(x: Any, mask_value: Any) -> tuple[Any, Any]:
    """Return rows `(n, time, features)` with masked steps set to zero, and the mask, None without a value for it."""
    x = x[..., None] if x.ndim == 2 else x
    step_mask = None if mask_value is None else steps_other_than(x, mask_value)
    return zero_masked(x, step_mask), step_mask


def embedded(x: Any, n_tokens: int | None, features: int) -> Any:
    """Return the vector of each step's id, of unit size as layers expect; x itself if it holds measurements.

    Call it in a compact method: the embedding is a submodule of the caller's.
    """
    if n_tokens is None:
        return x
    return Embedding(n_tokens, features, embedding_init=nn.initializers.normal(1.0), name="embedding")(x)


def every_step(x: Any, step_mask: Any) -> Any:
    """Return all steps."""
    return x


def last_real_step(x: Any, step_mask: Any) -> Any:
    """Return the last step that is not masked, zero if all are."""
    if step_mask is None:
        return x[:, -1]
    is_last = step_mask & ~jnp.flip(jnp.cumsum(jnp.flip(step_mask, 1), 1) > 1, 1)
    return jnp.einsum("nt,ntf->nf", is_last.astype(x.dtype), x)


def mean_of_real_steps(x: Any, step_mask: Any) -> Any:
    """Return the mean over the steps that are not masked, zero if all are."""
    if step_mask is None:
        return x.mean(axis=1)
    n_real = jnp.maximum(step_mask.sum(axis=1), 1).astype(x.dtype)
    return zero_masked(x, step_mask).sum(axis=1) / n_real[:, None]
