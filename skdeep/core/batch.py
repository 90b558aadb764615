"""From the rows of a block to the padded, weighted batch of each step, inside the program."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from skdeep.core.sharding import taken
from skdeep.records import Batch, Rows

MAX_GATHERED_VALUES = 2**17


class Chunks(NamedTuple):
    """The batches of a block of `n_steps` steps, which are read in chunks of `size` steps: `read(first)` returns those from a step on."""

    n_steps: int
    size: int
    read: Callable[[Any], Batch]


def chunks_of(rows: Rows | Batch, order: Int[Array, "steps batch"] | None) -> Chunks:
    """Return the batches at these positions of the rows, or the batches that are given without an order, as one chunk."""
    if isinstance(rows, Batch):
        return Chunks(rows.weight.shape[0], rows.weight.shape[0], lambda _: rows)
    assert order is not None  # a feed gives rows with an order, or batches
    n_steps, size = order.shape[0], gathered_steps(rows, order)
    return Chunks(n_steps, size, lambda first: gather_steps(rows, lax.dynamic_slice_in_dim(order, first, size)))


def gathered_steps(rows: Rows, order: Int[Array, "steps batch"]) -> int:
    """Return the number of steps whose rows are gathered together: as many as fit in the processor's cache.

    A gather per step would cost more than its copying. XLA on a CPU estimates its cost from the size of all of X and splits
    it over threads, which takes longer than a step of a small network.
    """
    values_per_step: int = order.shape[1] * sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(rows.x))
    n_steps: int = order.shape[0]
    return max(1, min(n_steps, MAX_GATHERED_VALUES // max(1, values_per_step)))


def gather_steps(rows: Rows, order: Int[Array, "steps batch"]) -> Batch:
    """Return the rows of several steps, with a leading axis of steps, and no mask: `batch_of_step` makes it."""
    x, target, weight = taken((rows.x, rows.target, rows.weight), order)
    return Batch(x, target, weight, None)  # type: ignore[arg-type]  # see above


def batch_of_step(chunk: Batch, step: Any, position: Int[Array, ""], n_rows: Int[Array, ""]) -> Batch:
    """Return the batch of one step of a chunk of steps; `position` is the number of the step in its epoch."""
    x, target, weight, mask = jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, step, keepdims=False), tuple(chunk))
    if mask is None:
        batch_size = weight.shape[0]
        mask = (position * batch_size + jnp.arange(batch_size, dtype=position.dtype) < n_rows).astype(weight.dtype)
    return Batch(x, target, weight * mask, mask)
