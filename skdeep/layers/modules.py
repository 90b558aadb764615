"""The linen modules behind the layers (imports flax, so only `build` methods import this file)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from skdeep.contract import Layer, call_arguments


class Function(nn.Module):
    """Applies a function without parameters."""

    function: Callable[[Any], Any]

    def __call__(self, x: Any) -> Any:
        return self.function(x)


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
            return jax.random.bernoulli(key, keep, x.shape) / keep

        # Only the factors are made inside the branch: the gradient then needs no branch of its own.
        return x * lax.cond(self.rate > 0, random_factors, lambda: jnp.ones(x.shape, x.dtype))


class MaskedBatchNorm(nn.Module):
    """Flax's BatchNorm over the rows that are no padding."""

    momentum: Any
    epsilon: Any

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any) -> Any:
        norm = nn.BatchNorm(use_running_average=not train, momentum=self.momentum, epsilon=self.epsilon, name="norm")
        rows = (row_mask > 0).reshape(-1, *(1,) * (x.ndim - 1))
        return norm(x, mask=jnp.broadcast_to(rows, x.shape)) if train else norm(x)


class Stack(nn.Module):
    """Layers one after the other, then a dense output layer unless `n_outputs` is None."""

    layers: tuple[Layer, ...]
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any) -> Any:
        x, _ = call_layers(self.layers, x, train, row_mask)
        if self.n_outputs is None:
            return x
        initializer = jax.nn.initializers.lecun_uniform()
        return nn.Dense(self.n_outputs, kernel_init=initializer, name="output")(x.reshape(x.shape[0], -1))


class ResidualStack(nn.Module):
    """`x + layers(x)`, with a dense projection of x where the widths differ."""

    layers: tuple[Layer, ...]

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> Any:
        y, _ = call_layers(self.layers, x, train, row_mask, step_mask)
        if y.shape != x.shape:
            x = nn.Dense(y.shape[-1], use_bias=False, name="shortcut")(x)
        return x + y


def call_layers(layers: Sequence[Layer], x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> tuple[Any, Any]:
    """Return the output of layers one after the other, and its step mask; inside a compact method only."""
    for layer in layers:
        module = layer.build()
        y = module(x, **call_arguments(module, train, row_mask, step_mask))
        x, step_mask = y, layer.output_mask(x, step_mask)
    return x, step_mask
