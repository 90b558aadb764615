"""Stage 4: rows -> padded, weighted batches by index.

The host makes the order of rows, one shuffle an epoch, and hands a block of steps its index array;
the program gathers the rows. `Feed` does this for rows that live on the device, sparse ones as their stored
entries. Sparse rows that are not sparse enough for that are gathered and made dense on the host, a block at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int, Shaped, UInt32

from skdeep.contract import Batch, Rows
from skdeep.core.arrays import ALIGNMENT, aligned_empty
from skdeep.core.encode import dense_block, is_sparse
from skdeep.core.lowering import runs_on_cpu
from skdeep.core.random import host_generator
from skdeep.core.rows import WeightedRows, padded_size
from skdeep.core.sparse_rows import entries_of, most_entries, takes_entries

MAX_INDEX_ENTRIES = 2**18
MAX_BLOCK_VALUES = 2**24
MAX_GATHERED_VALUES = 2**17

EpochOrder: TypeAlias = Callable[[int], Int[np.ndarray, " n"]]
"""The order of the rows in an epoch, by the number of epochs before; asked for one epoch after the other."""


def epoch_order(n: int, key: UInt32[np.ndarray, "2"], shuffle: bool) -> EpochOrder:
    """Return orders of `n` rows: as they come, or shuffled, depending on the key and the epoch's number only."""

    def order_of(epoch: int) -> Int[np.ndarray, " n"]:
        order = np.arange(n, dtype=np.int32)
        if shuffle:
            host_generator(key, epoch).shuffle(order)
        return order

    return order_of


class BlockRows(NamedTuple):
    """What one block of steps reads: rows, and for each step the positions of its batch among them."""

    rows: Rows
    order: Int[np.ndarray, "steps batch"]


def gathered_steps(rows: Rows, order: Int[Array, "steps batch"]) -> int:
    """Return for how many steps the rows are gathered at once: as many as stay in the cache.

    A gather of its own in each step costs more than its copying: XLA for CPU judges it by the size
    of all of X and splits it over threads, which takes longer than the step of a small network.
    """
    values_per_step: int = order.shape[1] * sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(rows.x))
    n_steps: int = order.shape[0]
    return max(1, min(n_steps, MAX_GATHERED_VALUES // max(1, values_per_step)))


def gather_steps(rows: Rows, order: Int[Array, "steps batch"]) -> Batch:
    """Return the rows of several steps, with a leading axis of steps; the mask is still to come."""
    x, target, weight = jax.tree.map(
        lambda a: a.at[order].get(mode="promise_in_bounds"), (rows.x, rows.target, rows.weight)
    )
    return Batch(x, target, weight, weight)


def batch_of_step(chunk: Batch, step: Any, position: Int[Array, ""], n_rows: Int[Array, ""]) -> Batch:
    """Return the batch of one step of a chunk; `position` is the number of the step in its epoch."""
    x, target, weight, _ = jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, step, keepdims=False), tuple(chunk))
    batch_size = weight.shape[0]
    mask = (position * batch_size + jnp.arange(batch_size, dtype=position.dtype) < n_rows).astype(weight.dtype)
    return Batch(x, target, weight * mask, mask)


class Feed:
    """Hands out index arrays for blocks of steps, shuffling anew for each epoch.

    Parameters
    ----------
    rows : WeightedRows
        All training rows; X may be sparse.
    shape : tuple of int
        Shape of one row for the network.
    batch_size : int
    order : function of the epoch's number to positions (n,)
        For example from `epoch_order`.
    first_epoch : int
        Number of epochs done before.
    """

    def __init__(
        self,
        rows: WeightedRows,
        shape: tuple[int, ...],
        batch_size: int,
        order: EpochOrder,
        first_epoch: int = 0,
    ) -> None:
        self.n = len(rows.target)
        self.batch_size = batch_size
        self.steps_per_epoch = math.ceil(self.n / batch_size)
        self.max_steps = self._block_limit(rows, shape)
        self.row_shape = shape
        # Rows are held once, on the device; what does not fit there as stored entries stays on the host.
        self._rows: Rows | WeightedRows = rows if _stays_on_host(rows.x) else pad_rows(rows, shape)
        self._order = order
        self._epoch, self._position = first_epoch, 0
        self._epoch_order = self._order_of_epoch()

    def next_block(self, n_steps: int) -> BlockRows:
        """Return the rows and the order of the next `n_steps` steps (at most `max_steps`)."""
        order = np.zeros((self.max_steps, self.batch_size), dtype=np.int32)
        filled = 0
        while filled < n_steps:
            if self._position == self.steps_per_epoch:
                self._epoch, self._position = self._epoch + 1, 0
                self._epoch_order = self._order_of_epoch()
            take = min(n_steps - filled, self.steps_per_epoch - self._position)
            order[filled : filled + take] = self._epoch_order[self._position : self._position + take]
            self._position += take
            filled += take
        if isinstance(self._rows, WeightedRows):
            return self._gather(self._rows, order, n_steps)
        return BlockRows(self._rows, order)

    def _order_of_epoch(self) -> Int[np.ndarray, "steps batch"]:
        # The last batch is filled with rows from the start, at weight 0.
        return np.resize(self._order(self._epoch), (self.steps_per_epoch, self.batch_size))

    def _gather(self, source: WeightedRows, order: Int[np.ndarray, "steps batch"], n_steps: int) -> BlockRows:
        """Make the rows of a block dense; the steps beyond `n_steps` stay zero."""
        index = order.ravel()
        x = np.zeros((len(index), *self.row_shape), dtype=source.x.dtype)
        x[: n_steps * self.batch_size] = dense_block(source.x, index[: n_steps * self.batch_size], self.row_shape)
        weight = source.weight[index].astype(source.x.dtype)
        parts: list[Any] = [x, source.target[index], weight, np.int32(self.n)]
        rows = Rows(*parts)
        return BlockRows(rows, np.arange(order.size, dtype=np.int32).reshape(order.shape))

    def _block_limit(self, rows: WeightedRows, shape: tuple[int, ...]) -> int:
        """Steps of one block: a function of padded sizes only, since it is a shape of the program."""
        entries = MAX_INDEX_ENTRIES
        if _stays_on_host(rows.x):
            entries = min(entries, MAX_BLOCK_VALUES // max(1, math.prod(shape)))
        steps = -(-padded_size(self.n) // self.batch_size)
        return max(1, min(entries // self.batch_size, 64 * steps))


def pad_rows(rows: WeightedRows, shape: tuple[int, ...]) -> Rows:
    """Return rows padded to a shared size, sparse ones as their stored entries; on the device, where that is not the host."""
    n = len(rows.target)
    size = padded_size(n)
    x = entries_of(rows.x, most_entries(rows.x)) if is_sparse(rows.x) else rows.x.reshape(n, *shape)
    x = jax.tree.map(lambda values: _padded(values, size, values.dtype), x)
    target = _padded(rows.target, size, rows.target.dtype)
    weight = _padded(rows.weight, size, rows.x.dtype)
    arrays = (x, target, weight)
    parts: list[Any] = [*(arrays if runs_on_cpu() else jax.device_put(arrays)), np.int32(n)]
    return Rows(*parts)


def _stays_on_host(x: Any) -> bool:
    return is_sparse(x) and not takes_entries(x)


def _padded(values: Any, size: int, dtype: np.dtype[Any]) -> Shaped[np.ndarray, "{size} ..."]:
    """Copy rows into a longer zeroed array; aligned, so that the device can use it without another copy."""
    if len(values) == size and values.dtype == dtype and values.ctypes.data % ALIGNMENT == 0:
        return np.ascontiguousarray(values)
    padded = aligned_empty((size, *values.shape[1:]), dtype)
    padded[len(values) :] = 0
    padded[: len(values)] = values
    return padded
