"""A feed that keeps all rows where programs read them. Sparse rows are kept as their stored entries."""

from __future__ import annotations

from skdeep.core.feeds.feed import MAX_INDEX_ENTRIES, Batches, BlockRows
from skdeep.core.feeds.orders import EpochOrder
from skdeep.core.feeds.padding import pad_rows
from skdeep.core.inputs import InShape
from skdeep.core.rows import WeightedRows, padded_size


class ResidentFeed:
    """Hands out the positions of rows for each block of steps; the rows are the same in all blocks."""

    def __init__(self, rows: WeightedRows, in_shape: InShape, batch_size: int, order: EpochOrder) -> None:
        self.n = len(rows.target)
        self.batch_size = batch_size
        self.max_steps = largest_block(self.n, batch_size, MAX_INDEX_ENTRIES)
        self._rows = pad_rows(rows, in_shape)
        self._batches = Batches(self.n, batch_size, order)
        self.steps_per_epoch = self._batches.steps_per_epoch

    def seek(self, epoch: int, position: int) -> None:
        """Let the next block begin at step `position` of an epoch, both counted from 0."""
        self._batches.seek(epoch, position)

    def close(self) -> None:
        """Do nothing: this feed does nothing beside the caller."""

    def next_block(self, n_steps: int) -> BlockRows:
        """Return all rows, and the positions of the batches of the next `n_steps` steps in them."""
        return BlockRows(self._rows, self._batches.next_steps(n_steps, self.max_steps))


def largest_block(n: int, batch_size: int, most_entries: int) -> int:
    """Return the largest number of steps in a block.

    It is a shape of the program, so it depends on the padded size of `n`, not on `n` itself.
    """
    steps = -(-padded_size(n) // batch_size)
    return max(1, min(most_entries // batch_size, 64 * steps))
