"""Stage 10: parameters and rows -> raw outputs, in blocks of one fixed size.

A row's result then depends neither on its neighbours nor on how many there are, and no row count
compiles anew: one program serves a single block, another loops over many.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Shaped

from skdeep.contract import Model, ModelState, Params, SparseRows
from skdeep.core.encode import dense_block, is_sparse
from skdeep.core.lowering import LeftAloneError, inside_a_loop
from skdeep.core.network import functions_of
from skdeep.core.programs import Program
from skdeep.core.sparse_rows import entries_of, most_entries, takes_entries

Taker: TypeAlias = Callable[[int, int], Any]
"""Returns the rows from a start on, padded with zeros to a size."""

BLOCK_ROWS = 128
MAX_VALUES = 2**20
# Up to so many blocks are one program call each: that takes less time than a loop over a padded copy, and no compile.
FEW_BLOCKS = 8


def raw_of_block(model: Model, params: Params, model_state: ModelState, x: Any) -> Float[Array, "block raw"]:
    """Return the raw outputs of one block of rows, in inference mode."""
    network = functions_of(model.network, model.in_shape, model.n_raw)
    values = jax.tree.leaves(x)[-1]
    raw, _ = network.apply(params, model_state, x, False, None, jnp.ones(len(values), values.dtype))
    return raw


def raw_of_blocks(
    model: Model, params: Params, model_state: ModelState, x: Any, n_blocks: Int[Array, ""]
) -> Float[Array, "rows raw"]:
    """Return the raw outputs of the first `n_blocks` blocks; the rest is zero."""

    def fill(i: Int[Array, ""], raw: Float[Array, "rows raw"]) -> Float[Array, "rows raw"]:
        block = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, i * BLOCK_ROWS, BLOCK_ROWS), x)
        return lax.dynamic_update_slice_in_dim(
            raw, raw_of_block(model, params, model_state, block), i * BLOCK_ROWS, axis=0
        )

    values = jax.tree.leaves(x)[-1]
    with inside_a_loop():
        raw: Float[Array, "rows raw"] = lax.fori_loop(
            0, n_blocks, fill, jnp.zeros((len(values), model.n_raw), values.dtype)
        )
    return raw


predict_block = Program(raw_of_block, name="predict_block")
predict_blocks = Program(raw_of_blocks, name="predict_blocks")


def predict_raw(
    model: Model, params: Params, model_state: ModelState, x: Any, dtype: Any = None
) -> Float[np.ndarray, "n raw"]:
    """Return the raw outputs of all rows, on the host.

    Parameters
    ----------
    model : Model
        Its float fields must be cast (`skdeep.core.as_traced`).
    params, model_state : pytrees of arrays
    x : float array (n, ...) or sparse matrix (n, features), in the type of training
    dtype : NumPy dtype, default=None
        Type of the result; by default that of x.
    """
    raw = np.empty((x.shape[0], model.n_raw), dtype=x.dtype if dtype is None else dtype)
    take = _entries_taker(x) if is_sparse(x) and takes_entries(x) else _dense_taker(x, model.in_shape)
    if x.shape[0] > FEW_BLOCKS * BLOCK_ROWS // 2:  # many calls
        params, model_state = jax.device_put((params, model_state))
    if x.shape[0] > FEW_BLOCKS * BLOCK_ROWS:
        try:
            return _fill_by_loops(raw, model, params, model_state, take)
        except LeftAloneError:  # slow inside a loop: one program call a block
            pass
    return _fill_by_blocks(raw, model, params, model_state, take)


def _fill_by_blocks(
    raw: Float[np.ndarray, "n raw"], model: Model, params: Params, model_state: ModelState, take: Taker
) -> Float[np.ndarray, "n raw"]:
    """Fill in the raw outputs by one program call per block; a few calls are under way at once."""
    predict = None
    for first in range(0, len(raw), FEW_BLOCKS * BLOCK_ROWS):
        starts = range(first, min(first + FEW_BLOCKS * BLOCK_ROWS, len(raw)), BLOCK_ROWS)
        blocks = [take(start, BLOCK_ROWS) for start in starts]
        predict = predict or predict_block.with_others(model, params, model_state, blocks[0])
        outputs = [predict(block) for block in blocks]
        for start, output in zip(starts, outputs, strict=True):
            part = raw[start : start + BLOCK_ROWS]
            part[...] = np.asarray(output)[: len(part)]
    return raw


def _fill_by_loops(
    raw: Float[np.ndarray, "n raw"], model: Model, params: Params, model_state: ModelState, take: Taker
) -> Float[np.ndarray, "n raw"]:
    """Fill in the raw outputs by program calls that loop over many blocks each."""
    values_per_row = max(model.n_raw, *(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(take(0, 1))))
    n_blocks = max(2, MAX_VALUES // (BLOCK_ROWS * values_per_row))
    size = n_blocks * BLOCK_ROWS
    for start in range(0, len(raw), size):
        part = raw[start : start + size]
        n_here = np.int32(-(-len(part) // BLOCK_ROWS))
        part[...] = np.asarray(predict_blocks(model, params, model_state, take(start, size), n_here))[: len(part)]
    return raw


def _dense_taker(x: Any, shape: tuple[int, ...]) -> Taker:
    return lambda start, size: _zero_padded(dense_block(x, slice(start, start + size), shape), size)


def _entries_taker(x: Any) -> Taker:
    n_entries = most_entries(x)

    def take(start: int, size: int) -> SparseRows:
        rows: SparseRows = jax.tree.map(
            lambda values: _zero_padded(values, size), entries_of(x[start : start + size], n_entries)
        )
        return rows

    return take


def _zero_padded(x: Shaped[np.ndarray, "n ..."], size: int) -> Shaped[np.ndarray, "{size} ..."]:
    if len(x) == size:
        return x
    padded = np.zeros((size, *x.shape[1:]), dtype=x.dtype)
    padded[: len(x)] = x
    return padded
