"""Recurrent modules in one direction and in both.

Their parameters have the names, shapes and initializers of Flax's cells. `recurrence` computes the steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from skdeep.layers.linen.recurrence import Cell, GRUCell, LSTMCell, SimpleCell, recur
from skdeep.layers.linen.stack import Part
from skdeep.layers.rows import check_sequences

_INPUT_INIT = jax.nn.initializers.lecun_normal()
_STATE_INIT = jax.nn.initializers.orthogonal()


class Affine(nn.Module):
    """The kernel and bias of an `nn.Dense`, without the product; a zero bias if `use_bias` is False."""

    features: int
    use_bias: bool
    kernel_init: Callable[..., Any]

    @nn.compact
    def __call__(self, n_inputs: int) -> tuple[Any, Any]:
        kernel = self.param("kernel", self.kernel_init, (n_inputs, self.features), jnp.float32)
        if not self.use_bias:
            return kernel, jnp.zeros(self.features, kernel.dtype)
        return kernel, self.param("bias", jax.nn.initializers.zeros, (self.features,), jnp.float32)


class Recurrent(nn.Module):
    """Base class of the recurrent modules; a subclass defines the cell and the kernel.

    Maps `(n, time, features)` to `(n, time, units)` with `return_sequences`, else to h after the last step, `(n, units)`.
    """

    units: int
    return_sequences: bool
    reverse: bool

    summary_as_one: ClassVar[bool] = True

    def cell(self) -> Cell:
        """Return the cell."""
        raise NotImplementedError

    def kernel(self, n_features: int) -> Any:
        """Return the kernel `(features + units + 1, sums)`; its last row is the bias."""
        raise NotImplementedError

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        check_sequences(type(self).__name__, x)
        x, kernel = promote_dtype(x, self.kernel(x.shape[-1]))
        mask = None if step_mask is None else step_mask.T
        h = recur(self.cell(), self.reverse, x.swapaxes(0, 1), kernel, mask)
        if self.return_sequences:
            return h.swapaxes(0, 1)
        return h[0] if self.reverse else h[-1]

    def of_input(self, name: str, n_features: int, use_bias: bool) -> tuple[Any, Any]:
        """Return the kernel and bias that multiply the input."""
        return Affine(self.units, use_bias, _INPUT_INIT, name=name)(n_features)

    def of_state(self, name: str, use_bias: bool) -> tuple[Any, Any]:
        """Return the kernel and bias that multiply the state."""
        return Affine(self.units, use_bias, _STATE_INIT, name=name)(self.units)


class LSTM(Recurrent):
    """Parameters as in `nn.OptimizedLSTMCell`."""

    def cell(self) -> Cell:
        return LSTMCell()

    def kernel(self, n_features: int) -> Any:
        parts = []
        for gate in "ifgo":
            of_x, _ = self.of_input(f"i{gate}", n_features, use_bias=False)
            of_h, bias = self.of_state(f"h{gate}", use_bias=True)
            parts.append(jnp.concatenate([of_x, of_h, bias[None, :]]))
        return jnp.concatenate(parts, axis=1)


class GRU(Recurrent):
    """Parameters as in `nn.GRUCell`."""

    def cell(self) -> Cell:
        return GRUCell()

    def kernel(self, n_features: int) -> Any:
        parts = []
        for gate in "rz":
            of_x, bias = self.of_input(f"i{gate}", n_features, use_bias=True)
            of_h, _ = self.of_state(f"h{gate}", use_bias=False)
            parts.append(jnp.concatenate([of_x, of_h, bias[None, :]]))
        of_x, bias_x = self.of_input("in", n_features, use_bias=True)
        of_h, bias_h = self.of_state("hn", use_bias=True)
        # The reset gate multiplies the part from the state only, so the parts from input and state need separate columns.
        parts.append(jnp.concatenate([of_x, jnp.zeros_like(of_h), bias_x[None, :]]))
        parts.append(jnp.concatenate([jnp.zeros_like(of_x), of_h, bias_h[None, :]]))
        return jnp.concatenate(parts, axis=1)


class SimpleRNN(Recurrent):
    """Parameters as in `nn.SimpleCell`."""

    activation: Callable[[Any], Any]

    def cell(self) -> Cell:
        return SimpleCell(self.activation)

    def kernel(self, n_features: int) -> Any:
        of_x, bias = self.of_input("i", n_features, use_bias=True)
        of_h, _ = self.of_state("h", use_bias=False)
        return jnp.concatenate([of_x, of_h, bias[None, :]])


class Bidirectional(nn.Module):
    """Two modules over the same steps; their outputs are concatenated."""

    parts: tuple[Part, ...]

    def setup(self) -> None:
        """Build the modules here, so that they are submodules named `forward` and `backward`."""
        self.forward, self.backward = (part.build() for part in self.parts)

    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        return jnp.concatenate([self.forward(x, step_mask), self.backward(x, step_mask)], axis=-1)
