"""Stage 10: parameters and rows -> raw outputs, in blocks of one fixed size.

A row's result then depends neither on its neighbours nor on how many there are, and no row count
compiles anew: one program serves a single block, another loops over several.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Shaped

from skdeep.contract import Model, ModelState, Params, SparseRows
from skdeep.core.arrays import aligned_empty
from skdeep.core.encode import dense_block, is_sparse
from skdeep.core.lowering import LeftAloneError, inside_a_loop
from skdeep.core.network import functions_of
from skdeep.core.programs import Program
from skdeep.core.sparse_rows import entries_of, most_entries, takes_entries

Taker: TypeAlias = Callable[[int, int], Any]
"""Returns the rows from a start on, padded to a size."""

BLOCK_ROWS = 128
MAX_VALUES = 2**20
BLOCKS_PER_CALL = 32
CALLS_UNDER_WAY = 4


def raw_of_block(model: Model, params: Params, model_state: ModelState, x: Any) -> Float[Array, "block raw"]:
    """Return the raw outputs of one block of rows, in inference mode."""
    network = functions_of(model.network, model.in_shape, model.n_raw)
    values = jax.tree.leaves(x)[-1]
    raw, _ = network.apply(params, model_state, x, False, None, jnp.ones(len(values), values.dtype))
    return raw


def raw_of_blocks(
    model: Model, params: Params, model_state: ModelState, part: tuple[Any, Int[Array, ""]]
) -> Float[Array, "rows raw"]:
    """Return the raw outputs of the first blocks of rows; the rest is zero.

    Parameters
    ----------
    model, params, model_state
    part : rows and the number of blocks
        Rows after the last of these blocks are not read.
    """
    x, n_blocks = part

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
    n_blocks = _blocks_per_call(model, take) if len(raw) > BLOCK_ROWS else 1
    if len(raw) > n_blocks * BLOCK_ROWS:  # several calls
        params, model_state = jax.device_put((params, model_state))
    if n_blocks > 1:
        try:
            return _fill_by_loops(raw, model, params, model_state, take, n_blocks * BLOCK_ROWS)
        except LeftAloneError:  # slow inside a loop: one program call a block
            pass
    return _fill_by_blocks(raw, model, params, model_state, take)


def _blocks_per_call(model: Model, take: Taker) -> int:
    """Return how many blocks one program call loops over: few enough that their copy stays small."""
    values_per_row: int = max(model.n_raw, *(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(take(0, 1))))
    return max(1, min(BLOCKS_PER_CALL, MAX_VALUES // (BLOCK_ROWS * values_per_row)))


def _fill_by_loops(
    raw: Float[np.ndarray, "n raw"], model: Model, params: Params, model_state: ModelState, take: Taker, size: int
) -> Float[np.ndarray, "n raw"]:
    """Fill in the raw outputs by program calls that loop over many blocks each."""

    def part(start: int) -> Any:
        return take(start, size), np.int32(-(-min(size, len(raw) - start) // BLOCK_ROWS))

    return _fill(raw, size, predict_blocks, (model, params, model_state), part)


def _fill_by_blocks(
    raw: Float[np.ndarray, "n raw"], model: Model, params: Params, model_state: ModelState, take: Taker
) -> Float[np.ndarray, "n raw"]:
    """Fill in the raw outputs by one program call per block."""
    return _fill(raw, BLOCK_ROWS, predict_block, (model, params, model_state), lambda start: take(start, BLOCK_ROWS))


def _fill(
    raw: Float[np.ndarray, "n raw"],
    size: int,
    program: Program,
    fixed: tuple[Any, ...],
    part_from: Callable[[int], Any],
) -> Float[np.ndarray, "n raw"]:
    """Fill in the outputs of calls for `size` rows from a start on, a few of which are under way at once."""
    under_way: deque[tuple[int, Any]] = deque()
    predict = None
    for start in range(0, len(raw), size):
        part = part_from(start)
        predict = predict or program.with_others(*fixed, part)
        under_way.append((start, predict(part)))
        if len(under_way) > CALLS_UNDER_WAY:
            _collect(raw, *under_way.popleft())
    for start, output in under_way:
        _collect(raw, start, output)
    return raw


def _collect(raw: Float[np.ndarray, "n raw"], start: int, output: Any) -> None:
    part = raw[start : start + len(output)]
    part[...] = np.asarray(output)[: len(part)]


def _dense_taker(x: Any, shape: tuple[int, ...]) -> Taker:
    return lambda start, size: _padded(dense_block(x, slice(start, start + size), shape), size)


def _entries_taker(x: Any) -> Taker:
    n_entries = most_entries(x)

    def take(start: int, size: int) -> SparseRows:
        rows: SparseRows = jax.tree.map(
            lambda values: _padded(values, size), entries_of(x[start : start + size], n_entries)
        )
        return rows

    return take


def _padded(x: Shaped[np.ndarray, "n ..."], size: int) -> Shaped[np.ndarray, "{size} ..."]:
    """Return rows with more rows up to a size: zeros to the end of the last block, and then any values."""
    if len(x) == size:
        return x
    padded = aligned_empty((size, *x.shape[1:]), x.dtype)
    padded[: len(x)] = x
    padded[len(x) : -(-len(x) // BLOCK_ROWS) * BLOCK_ROWS] = 0
    return padded
