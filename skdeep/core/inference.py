"""From parameters and rows to raw outputs, in blocks of one fixed size.

Because all blocks have one size, the result of a row depends neither on other rows nor on their number, and a new number of
rows needs no new compile. One program computes a single block; another program loops over several blocks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from skdeep.config import Model
from skdeep.core.cpu.rewriting import inside_a_loop
from skdeep.core.feeds.blocks import BLOCK_ROWS, Taker, taker_of
from skdeep.core.inputs import float_dtype
from skdeep.core.network import functions_of
from skdeep.core.programs import program
from skdeep.core.raw import empty, n_rows, total_width
from skdeep.records import ModelState, Params

MAX_VALUES = 2**20
BLOCKS_PER_CALL = 32
CALLS_UNDER_WAY = 4


@program()
def predict_block(model: Model, params: Params, model_state: ModelState, x: Any) -> Any:
    """Return the raw outputs of one block of rows, in inference mode."""
    network = functions_of(model.network, model.in_shape, model.n_raw)
    raw, _ = network.apply(params, model_state, x, False, None, jnp.ones(n_rows(x), float_dtype(x)))
    return raw


@program()
def predict_blocks(model: Model, params: Params, model_state: ModelState, part: tuple[Any, Int[Array, ""]]) -> Any:
    """Return the raw outputs of the first `n_blocks` blocks of rows, and zeros for the other rows.

    Parameters
    ----------
    model, params, model_state
    part : tuple of rows and n_blocks
        Rows after the first `n_blocks` blocks are not read.
    """
    x, n_blocks = part

    def fill(i: Int[Array, ""], raw: Any) -> Any:
        block = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, i * BLOCK_ROWS, BLOCK_ROWS), x)
        of_block = predict_block.function(model, params, model_state, block)
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice_in_dim(whole, part, i * BLOCK_ROWS, axis=0), raw, of_block
        )

    with inside_a_loop():
        return lax.fori_loop(0, n_blocks, fill, empty(model.n_raw, n_rows(x), float_dtype(x), jnp))


def predict_raw(model: Model, params: Params, model_state: ModelState, x: Any, dtype: Any = None) -> Any:
    """Return the raw outputs of all rows, on the host: `(n, raw)`, or several by name.

    Parameters
    ----------
    model : Model
        Its float fields must be cast (`skdeep.core.as_traced`).
    params, model_state : pytrees of arrays
    x : array (n, ...), sparse matrix (n, features) or Inputs, as `skdeep.core.encode.encode_inputs` returns it
    dtype : NumPy dtype, default=None
        Type of the result, by default the floating type of x.
    """
    n, raw = x.shape[0], empty(model.n_raw, x.shape[0], float_dtype(x) if dtype is None else dtype)
    take = taker_of(x, model.in_shape)
    n_blocks = _blocks_per_call(model, take) if n > BLOCK_ROWS else 1
    if n > n_blocks * BLOCK_ROWS:  # several calls
        params, model_state = jax.device_put((params, model_state))
    fixed, size = (model, params, model_state), n_blocks * BLOCK_ROWS
    if n_blocks > 1:
        parts = _parts_from(take, n, size)
        first = next(parts)
        predict = predict_blocks.with_others(*fixed, first[1])
        if predict is not None:
            return _fill(raw, predict, chain([first], parts))
    blocks = ((start, take(start, BLOCK_ROWS)) for start in range(0, n, BLOCK_ROWS))
    first = next(blocks)
    return _fill(raw, predict_block.with_others(*fixed, first[1]), chain([first], blocks))


def _blocks_per_call(model: Model, take: Taker) -> int:
    """Return the number of blocks per program call, limited so that the copies of their rows and raw outputs stay small."""
    values_per_row: int = max(
        total_width(model.n_raw), *(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(take(0, 1)))
    )
    return max(1, min(BLOCKS_PER_CALL, MAX_VALUES // (BLOCK_ROWS * values_per_row)))


def _parts_from(take: Taker, n: int, size: int) -> Iterator[tuple[int, Any]]:
    """Yield for each call the position of its first row, and a pair of its rows and their number of blocks."""
    for start in range(0, n, size):
        yield start, (take(start, size), np.int32(-(-min(size, n - start) // BLOCK_ROWS)))


def _fill(raw: Any, predict: Callable[[Any], Any], parts: Iterable[tuple[int, Any]]) -> Any:
    """Call `predict` on each part and write the outputs to `raw`; each part comes with the position of its first row.

    A few calls run at the same time.
    """
    under_way: deque[tuple[int, Any]] = deque()
    for start, part in parts:
        under_way.append((start, predict(part)))
        if len(under_way) > CALLS_UNDER_WAY:
            _collect(raw, *under_way.popleft())
    for start, output in under_way:
        _collect(raw, start, output)
    return raw


def _collect(raw: Any, start: int, output: Any) -> None:
    if isinstance(raw, dict):
        for name, values in raw.items():
            _collect(values, start, output[name])
        return
    part = raw[start : start + len(output)]
    part[...] = np.asarray(output)[: len(part)]
