"""Stage 10: parameters and rows -> raw outputs, in blocks of one fixed size.

A row's result then depends neither on its neighbours nor on how many there are, and no row count
compiles anew: one program serves a single block, another loops over many.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from skdeep.contract import Model, ModelState, Params
from skdeep.core.encode import dense_block
from skdeep.core.lowering import LeftAloneError, inside_a_loop
from skdeep.core.network import functions_of
from skdeep.core.programs import Program

BLOCK_ROWS = 128
MAX_BYTES = 2**22


def raw_of_block(
    model: Model, params: Params, model_state: ModelState, x: Float[Array, "block ..."]
) -> Float[Array, "block raw"]:
    """Return the raw outputs of one block of rows, in inference mode."""
    network = functions_of(model.network, model.in_shape, model.n_raw)
    raw, _ = network.apply(params, model_state, x, False, None, jnp.ones(x.shape[0], x.dtype))
    return raw


def raw_of_blocks(
    model: Model, params: Params, model_state: ModelState, x: Float[Array, "rows ..."], n_blocks: Int[Array, ""]
) -> Float[Array, "rows raw"]:
    """Return the raw outputs of the first `n_blocks` blocks; the rest is zero."""

    def fill(i: Int[Array, ""], raw: Float[Array, "rows raw"]) -> Float[Array, "rows raw"]:
        block = lax.dynamic_slice_in_dim(x, i * BLOCK_ROWS, BLOCK_ROWS)
        return lax.dynamic_update_slice_in_dim(
            raw, raw_of_block(model, params, model_state, block), i * BLOCK_ROWS, axis=0
        )

    with inside_a_loop():
        raw: Float[Array, "rows raw"] = lax.fori_loop(0, n_blocks, fill, jnp.zeros((x.shape[0], model.n_raw), x.dtype))
    return raw


predict_block = Program(raw_of_block, name="predict_block")
predict_blocks = Program(raw_of_blocks, name="predict_blocks")


def predict_raw(model: Model, params: Params, model_state: ModelState, x: Any) -> Float[np.ndarray, "n raw"]:
    """Return the raw outputs of all rows, on the host.

    Parameters
    ----------
    model : Model
        Its float fields must be cast (`skdeep.core.as_traced`).
    params, model_state : pytrees of arrays
    x : float array (n, ...) or sparse matrix (n, features), in the type of training
    """
    n = x.shape[0]
    n_blocks = max(2, MAX_BYTES // (x.dtype.itemsize * BLOCK_ROWS * max(1, math.prod(model.in_shape))))
    if n > BLOCK_ROWS:
        try:
            return _predict(model, params, model_state, x, n_blocks)
        except LeftAloneError:  # slow inside a loop: one program call a block
            pass
    return _predict(model, params, model_state, x, 1)


def _predict(
    model: Model, params: Params, model_state: ModelState, x: Any, n_blocks: int
) -> Float[np.ndarray, "n raw"]:
    """Return the raw outputs by calls of a program for so many blocks."""
    n, rows = x.shape[0], n_blocks * BLOCK_ROWS
    raw = np.empty((n, model.n_raw), dtype=x.dtype)
    for start in range(0, n, rows):
        part = dense_block(x, slice(start, start + rows), model.in_shape)
        padded = _zero_padded(part, rows)
        if n_blocks == 1:
            out = predict_block(model, params, model_state, padded)
        else:
            out = predict_blocks(model, params, model_state, padded, np.int32(-(-len(part) // BLOCK_ROWS)))
        raw[start : start + rows] = np.asarray(out)[: len(part)]
    return raw


def _zero_padded(x: Float[np.ndarray, "n ..."], size: int) -> Float[np.ndarray, "size ..."]:
    if len(x) == size:
        return x
    padded = np.zeros((size, *x.shape[1:]), dtype=x.dtype)
    padded[: len(x)] = x
    return padded
