"""A feed that keeps its rows on the host, gathers the rows of each block there and makes them dense."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skdeep.core.encode import dense_block
from skdeep.core.feeds.feed import MAX_INDEX_ENTRIES, Batches, BlockRows
from skdeep.core.feeds.orders import EpochOrder
from skdeep.core.feeds.resident import largest_block
from skdeep.core.inputs import InShape, row_shapes
from skdeep.core.rows import WeightedRows
from skdeep.records import Rows

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
        """Return the rows of the next `n_steps` steps, batch by batch; rows after them are padding."""
        rows = self._rows
        index = self._batches.next_steps(n_steps, self.max_steps).ravel()
        n_read = n_steps * self.batch_size
        x = np.zeros((len(index), *self._shape), dtype=rows.x.dtype)
        x[:n_read] = dense_block(rows.x, index[:n_read], self._in_shape)
        weight = rows.weight[index].astype(rows.x.dtype)
        parts: list[Any] = [x, rows.target[index], weight, np.int32(self.n)]
        order = np.arange(index.size, dtype=np.int32).reshape(self.max_steps, self.batch_size)
        return BlockRows(Rows(*parts), order)
