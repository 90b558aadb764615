"""A feed that keeps its rows on the host, gathers the rows of each block there and makes them dense."""

from __future__ import annotations

import math

import numpy as np

from skdeep.core.encode import dense_block
from skdeep.core.feeds.feed import MAX_INDEX_ENTRIES, Batches, BlockRows, masks_of
from skdeep.core.feeds.orders import EpochOrder
from skdeep.core.feeds.resident import largest_block
from skdeep.core.inputs import InShape, row_shapes
from skdeep.core.rows import WeightedRows
from skdeep.core.sharding import with_batches_split
from skdeep.records import Batch

MAX_BLOCK_VALUES = 2**24


class GatheredFeed:
    """Hands out blocks of dense rows, for sparse rows with too many entries to be kept as entries (`takes_entries`)."""

    def __init__(self, rows: WeightedRows, in_shape: InShape, batch_size: int, order: EpochOrder) -> None:
        self.n, self._shape = len(rows.target), row_shapes(in_shape)
        self.batch_size = batch_size
        most_entries = min(MAX_INDEX_ENTRIES, MAX_BLOCK_VALUES // max(1, math.prod(self._shape)))
        self.max_steps = largest_block(self.n, batch_size, most_entries)
        self._rows, self._in_shape = rows, in_shape
        self._batches = Batches(self.n, batch_size, order)
        self.steps_per_epoch = self._batches.steps_per_epoch

    def seek(self, epoch: int, position: int) -> None:
        """Let the next block begin at step `position` of an epoch, both counted from 0."""
        self._batches.seek(epoch, position)

    def close(self) -> None:
        """Do nothing: this feed does nothing beside the caller."""

    def next_block(self, n_steps: int) -> BlockRows:
        """Return the batches of the next `n_steps` steps; those after them are padding."""
        rows, dtype = self._rows, self._rows.x.dtype
        mask = masks_of(self, self._batches.position, n_steps, dtype)
        index = self._batches.next_steps(n_steps, self.max_steps)
        x = np.zeros((*index.shape, *self._shape), dtype)
        read = dense_block(rows.x, index[:n_steps].ravel(), self._in_shape)
        x[:n_steps] = read.reshape(n_steps, self.batch_size, *self._shape)
        batches = Batch(x, rows.target[index], rows.weight[index].astype(dtype), mask)  # type: ignore[arg-type]  # of NumPy
        return BlockRows(with_batches_split(batches), None)
