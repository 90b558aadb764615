"""The module of the temporal convolutional network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from skdeep.layers.linen.dropout import TracedDropout
from skdeep.layers.masks import zero_masked
from skdeep.networks.linen.sequences import Output, embedded, masked_sequences

_HIDDEN_INIT = jax.nn.initializers.he_uniform()


class TCN(nn.Module):
    """Embedding, residual blocks of dilated causal convolutions, `reduce` over the steps, and a dense output layer."""

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
    """`nn.Conv` with padding "CAUSAL", computed as one matrix product of shifted steps, which is fast in a CPU loop."""

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
