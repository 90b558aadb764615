"""Recurrences over the steps of a sequence, with a hand-written backward pass (pure JAX).

Each step multiplies `[x, h, 1]` by one kernel for all gates. Inputs, state and biases thus share one matrix product,
whose kernel stays in the processor's cache. The backward pass reuses the saved gates and runs through the steps once.
It adds each step's share to the gradient of the kernel while that step's gradients are still in the cache.

A cell is a small object without parameters:

- `n_carried`: number of arrays `(n, units)` that are carried from step to step, h first;
- `forward(carry, sums) -> (carry, saved)`: one step, given the products `sums` `(n, columns of the kernel)`;
- `backward(saved, d_carry) -> (d_carry, d_sums)`: the vector-Jacobian product of `forward`. Its `d_carry` leaves out the
  path from h through the matrix product; `recur` adds that.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

Carry: TypeAlias = tuple[Any, ...]


class Cell(Protocol):
    """The interface of a cell, which `recur` calls."""

    n_carried: ClassVar[int]

    def forward(self, carry: Carry, sums: Any) -> tuple[Carry, Any]:
        """Return the new carry, and the values that the backward pass needs."""

    def backward(self, saved: Any, d_carry: Carry) -> tuple[Carry, Any]:
        """Return the gradients with respect to the old carry and to the sums."""


@dataclasses.dataclass(frozen=True)
class LSTMCell:
    """LSTM: sums in the order input gate, forget gate, candidate, output gate; the carry is `(h, c)`."""

    n_carried: ClassVar[int] = 2

    def forward(self, carry: Carry, sums: Any) -> tuple[Carry, Any]:
        i, f, g, o = jnp.split(sums, 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        c = carry[1]
        new = f * c + i * g
        bounded = jnp.tanh(new)
        return (o * bounded, new), (i, f, g, o, c, bounded)

    def backward(self, saved: Any, d_carry: Carry) -> tuple[Carry, Any]:
        i, f, g, o, c, bounded = saved
        d_h, d_c = d_carry
        d_c = d_c + d_h * o * (1 - bounded**2)
        d_sums = (d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g**2), d_h * bounded * o * (1 - o))
        return (jnp.zeros_like(d_h), d_c * f), jnp.concatenate(d_sums, axis=-1)


@dataclasses.dataclass(frozen=True)
class GRUCell:
    """GRU: sums in the order reset gate, update gate, candidate from x, candidate from h; the carry is `(h,)`."""

    n_carried: ClassVar[int] = 1

    def forward(self, carry: Carry, sums: Any) -> tuple[Carry, Any]:
        r, z, from_x, from_h = jnp.split(sums, 4, axis=-1)
        r, z = jax.nn.sigmoid(r), jax.nn.sigmoid(z)
        candidate = jnp.tanh(from_x + r * from_h)
        (h,) = carry
        return ((1 - z) * candidate + z * h,), (r, z, candidate, from_h, h)

    def backward(self, saved: Any, d_carry: Carry) -> tuple[Carry, Any]:
        r, z, candidate, from_h, h = saved
        (d_h,) = d_carry
        d_candidate = d_h * (1 - z) * (1 - candidate**2)
        d_sums = (d_candidate * from_h * r * (1 - r), d_h * (h - candidate) * z * (1 - z), d_candidate, d_candidate * r)
        return (d_h * z,), jnp.concatenate(d_sums, axis=-1)


@dataclasses.dataclass(frozen=True)
class SimpleCell:
    """Simple recurrent cell: the new h is the activation of the sums."""

    activation: Callable[[Any], Any]
    n_carried: ClassVar[int] = 1

    def forward(self, carry: Carry, sums: Any) -> tuple[Carry, Any]:
        return (self.activation(sums),), sums

    def backward(self, saved: Any, d_carry: Carry) -> tuple[Carry, Any]:
        (d_sums,) = jax.vjp(self.activation, saved)[1](d_carry[0])
        return (jnp.zeros_like(d_sums),), d_sums


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def recur(
    cell: Cell,
    reverse: bool,
    x: Float[Array, "time n features"],
    kernel: Float[Array, "features+units+1 sums"],
    mask: Bool[Array, "time n"] | None,
) -> Float[Array, "time n units"]:
    """Return h after each step. The first carry is zero, and a step where `mask` is False does not change the carry.

    With `reverse` the steps are processed from last to first; each h keeps the position of its step.
    """
    return _forward(cell, reverse, x, kernel, mask)[0]


def _forward(cell: Cell, reverse: bool, x: Any, kernel: Any, mask: Any) -> tuple[Any, Any]:
    n_units = kernel.shape[0] - x.shape[2] - 1
    start = (jnp.zeros((x.shape[1], n_units), x.dtype),) * cell.n_carried
    ones = jnp.ones((x.shape[1], 1), x.dtype)

    def step(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
        x, mask = inputs
        joined = jnp.concatenate([x, carry[0], ones], axis=1)
        new, saved = cell.forward(carry, joined @ kernel)
        if mask is not None:
            new = tuple(jnp.where(mask[:, None], a, b) for a, b in zip(new, carry, strict=True))
        return new, (new[0], joined, saved)

    _, (h, joined, saved) = lax.scan(step, start, (x, mask), reverse=reverse)
    return h, (joined, saved, kernel, mask)


def _backward(cell: Cell, reverse: bool, kept: Any, d_output: Any) -> tuple[Any, Any, None]:
    joined, saved, kernel, mask = kept
    n_units = d_output.shape[2]
    of_x, of_h = kernel[: -n_units - 1].T, kernel[-n_units - 1 : -1].T

    def step(carry: Any, inputs: Any) -> Any:
        d_carry, d_kernel = carry
        d_output, joined, saved, mask = inputs
        d_new = (d_carry[0] + d_output, *d_carry[1:])
        taken = d_new if mask is None else tuple(jnp.where(mask[:, None], d, 0) for d in d_new)
        d_old, d_sums = cell.backward(saved, taken)
        if mask is not None:
            d_old = tuple(a + jnp.where(mask[:, None], 0, d) for a, d in zip(d_old, d_new, strict=True))
        return ((d_old[0] + d_sums @ of_h, *d_old[1:]), d_kernel + joined.T @ d_sums), d_sums

    start = (jnp.zeros_like(d_output[0]),) * cell.n_carried, jnp.zeros_like(kernel)
    (_, d_kernel), d_sums = lax.scan(step, start, (d_output, joined, saved, mask), reverse=not reverse)
    return d_sums @ of_x, d_kernel, None


recur.defvjp(_forward, _backward)
