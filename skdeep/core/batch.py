"""From the rows of a block to the padded, weighted batch of each step, inside the program."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from skdeep.records import Batch, Rows

MAX_GATHERED_VALUES = 2**17


def gathered_steps(rows: Rows, order: Int[Array, "steps batch"]) -> int:
    """Return the number of steps whose rows are gathered together: as many as fit in the processor's cache.

    A gather per step would cost more than its copying. XLA on a CPU estimates its cost from the size of all of X and splits
    it over threads, which takes longer than a step of a small network.
    """
    values_per_step: int = order.shape[1] * sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(rows.x))
    n_steps: int = order.shape[0]
    return max(1, min(n_steps, MAX_GATHERED_VALUES // max(1, values_per_step)))


def gather_steps(rows: Rows, order: Int[Array, "steps batch"]) -> Batch:
    """Return the rows of several steps, with a leading axis of steps. `mask` holds the weights until `batch_of_step` sets it."""
    x, target, weight = jax.tree.map(
        lambda a: a.at[order].get(mode="promise_in_bounds"), (rows.x, rows.target, rows.weight)
    )
    return Batch(x, target, weight, weight)


def batch_of_step(chunk: Batch, step: Any, position: Int[Array, ""], n_rows: Int[Array, ""]) -> Batch:
    """Return the batch of one step of a chunk of steps; `position` is the number of the step in its epoch."""
    x, target, weight, _ = jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, step, keepdims=False), tuple(chunk))
    batch_size = weight.shape[0]
    mask = (position * batch_size + jnp.arange(batch_size, dtype=position.dtype) < n_rows).astype(weight.dtype)
    return Batch(x, target, weight * mask, mask)
