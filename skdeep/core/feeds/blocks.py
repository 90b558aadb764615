"""Rows to predict for, in blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import numpy as np
from jaxtyping import Shaped

from skdeep.core.cpu.aligned import aligned_empty
from skdeep.core.encode import dense_block, is_sparse
from skdeep.core.inputs import InShape
from skdeep.core.sparse_rows import entries_of, most_entries, takes_entries
from skdeep.records import SparseRows

Taker: TypeAlias = Callable[[int, int], Any]
"""`take(start, size)` returns the rows from `start` on, padded to `size` rows."""

BLOCK_ROWS = 128


def taker_of(x: Any, in_shape: InShape) -> Taker:
    """Return a function that returns rows of X: dense rows in the network's shape, or stored entries of sparse rows."""
    return _entries_taker(x) if is_sparse(x) and takes_entries(x) else _dense_taker(x, in_shape)


def _dense_taker(x: Any, in_shape: InShape) -> Taker:
    def take(start: int, size: int) -> Any:
        block = dense_block(x, slice(start, start + size), in_shape)
        if isinstance(block, dict):
            return {name: _padded(values, size) for name, values in block.items()}
        return _padded(block, size)

    return take


def _entries_taker(x: Any) -> Taker:
    n_entries = most_entries(x)

    def take(start: int, size: int) -> SparseRows:
        rows: SparseRows = jax.tree.map(
            lambda values: _padded(values, size), entries_of(x[start : start + size], n_entries)
        )
        return rows

    return take


def _padded(x: Shaped[np.ndarray, "n ..."], size: int) -> Shaped[np.ndarray, "{size} ..."]:
    """Return rows padded to a size: zeros up to the end of the last block, after it arbitrary values that nobody reads."""
    if len(x) == size:
        return x
    padded = aligned_empty((size, *x.shape[1:]), x.dtype)
    padded[: len(x)] = x
    padded[len(x) : -(-len(x) // BLOCK_ROWS) * BLOCK_ROWS] = 0
    return padded
