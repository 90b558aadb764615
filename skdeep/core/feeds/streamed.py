"""A feed that reads its rows block by block, in a thread, while programs run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from skdeep.core.cpu.aligned import aligned_empty
from skdeep.core.feeds.block_order import BlockOrder
from skdeep.core.feeds.feed import BlockRows, masks_of
from skdeep.core.feeds.read_ahead import ReadAhead
from skdeep.core.feeds.resident import largest_block
from skdeep.core.inputs import InShape, in_shape_for
from skdeep.core.rows import WeightedRows
from skdeep.core.sharding import with_batches_split
from skdeep.core.streamed_rows import StreamedRows
from skdeep.records import Batch


class _Window(NamedTuple):
    """The rows of several blocks, the order in which they are used, their epoch, and the number of rows of the epoch before them."""

    parts: list[Any]
    order: Int[np.ndarray, " rows"] | None
    epoch: int
    before: int

    @property
    def n(self) -> int:
        return len(self.parts[-1])

    def holds(self, epoch: int, row: int) -> bool:
        return epoch == self.epoch and self.before <= row < self.before + self.n


class StreamedFeed:
    """Hands out blocks of rows that are read from sources. Two windows of rows are in memory: one in use, one that is read ahead.

    If each of several processes has its own rows, `n` and `batch_size` are the numbers of this one's rows, in all and in each batch.
    """

    def __init__(self, rows: StreamedRows, in_shape: InShape, batch_size: int, order: BlockOrder) -> None:
        self.n, self.batch_size = rows.n_own, batch_size // max(1, len(rows.counts))
        self.steps_per_epoch = rows.steps_per_epoch(batch_size)
        self.max_steps = most_steps(rows, batch_size)
        self._rows, self._in_shape, self._order = rows, in_shape, order
        self._epoch, self._position = 0, 0
        self._ahead: ReadAhead | None = None
        self._window: _Window | None = None
        self._tree: Any = None

    def seek(self, epoch: int, position: int) -> None:
        """Let the next block begin at step `position` of an epoch, both counted from 0."""
        self.close()
        self._epoch, self._position = epoch, position

    def close(self) -> None:
        """Stop reading ahead, and forget the rows that were read."""
        if self._ahead is not None:
            self._ahead.close()
        self._ahead = self._window = self._tree = None

    def next_block(self, n_steps: int) -> BlockRows:
        """Return the batches of the next `n_steps` steps; those after them are padding."""
        parts = self._empty(self.max_steps * self.batch_size)
        mask = masks_of(self, self._position, n_steps, self._rows.encoding.dtype)
        filled = 0
        while n_steps:
            if self._position == self.steps_per_epoch:
                self._epoch, self._position = self._epoch + 1, 0
            steps = min(n_steps, self.steps_per_epoch - self._position)
            first, last = (step * self.batch_size for step in (self._position, self._position + steps))
            end = filled + max(0, min(last, self.n) - first)
            self._fill(parts, filled, first, min(last, self.n))
            filled += last - first
            # An epoch's last batch is filled up with its last row, and batches that only other processes have rows for with any row.
            for part, of_window in zip(parts, self._window.parts, strict=True):  # type: ignore[union-attr]  # of _empty
                part[end:filled] = part[end - 1 : end] if end else of_window[:1]
            self._position += steps
            n_steps -= steps
        for part in parts:
            part[filled:] = 0
        in_steps = [part.reshape(self.max_steps, self.batch_size, *part.shape[1:]) for part in parts]
        x, target, weight = jax.tree.unflatten(self._tree, in_steps)
        batches = Batch(x, target, weight, mask)  # type: ignore[arg-type]  # of NumPy
        return BlockRows(with_batches_split(batches), None)

    def _empty(self, size: int) -> list[Any]:
        window = self._window or self._next_window()
        return [aligned_empty((size, *part.shape[1:]), part.dtype) for part in window.parts]

    def _fill(self, parts: list[Any], filled: int, first: int, last: int) -> None:
        """Copy the rows from the `first`-th to the one before the `last`-th of the epoch to the position `filled`."""
        while first < last:
            window = self._window
            if window is None or not window.holds(self._epoch, first):
                window = self._next_window()
            start = first - window.before
            stop = min(window.n, start + last - first)
            for part, values in zip(parts, window.parts, strict=True):
                to = part[filled : filled + stop - start]
                if window.order is None:
                    to[...] = values[start:stop]
                else:
                    np.take(values, window.order[start:stop], axis=0, out=to, mode="clip")
            filled, first = filled + stop - start, first + stop - start

    def _next_window(self) -> _Window:
        if self._ahead is None:
            self._ahead = ReadAhead(self._windows(self._epoch, self._position * self.batch_size))
        self._window = None  # so that only one more window is in memory
        self._window, self._tree = next(self._ahead)
        return self._window

    def _windows(self, epoch: int, row: int) -> Callable[[Callable[[], bool]], Iterator[Any]]:
        """Return a function that yields the window which holds the `row`-th row of an epoch, and all windows after it."""

        def windows(is_closed: Callable[[], bool]) -> Iterator[Any]:
            first = row if row < self.n else 0
            for number_of_epoch in count(epoch if row < self.n else epoch + 1):
                self._rows.check_unchanged()
                blocks, number, before = self._order.windows_from(number_of_epoch, first)
                for i in range(number, len(blocks)):
                    n_rows = int(np.diff(blocks[i]).sum())
                    parts, tree = self._read(blocks[i], n_rows, is_closed)
                    order = self._order.order_in(number_of_epoch, i, n_rows) if self._order.key is not None else None
                    yield _Window(parts, order, number_of_epoch, before), tree
                    before += n_rows
                first = 0

        return windows

    def _read(
        self, blocks: Int[np.ndarray, "blocks 2"], n_rows: int, is_closed: Callable[[], bool]
    ) -> tuple[list[Any], Any]:
        """Return the arrays of a window and their tree; nothing if the feed was closed meanwhile."""
        parts: list[Any] = []
        tree, filled = None, 0
        for start, stop in blocks:
            if is_closed():
                return [], None
            found, tree = jax.tree.flatten(self._shaped(self._rows.read(int(start), int(stop))))
            if len(blocks) == 1:
                return found, tree
            parts = parts or [np.empty((n_rows, *array.shape[1:]), array.dtype) for array in found]
            for part, values in zip(parts, found, strict=True):
                part[filled : filled + len(values)] = values
            filled += int(stop - start)
        return parts, tree

    def _shaped(self, rows: WeightedRows) -> tuple[Any, Any, Any]:
        weight = rows.weight.astype(self._rows.encoding.dtype)
        return in_shape_for(rows.x, self._in_shape), rows.target, weight


def most_steps(rows: StreamedRows, batch_size: int) -> int:
    """Return the largest number of steps of a block, which depends on the padded number of rows and the values of a row."""
    return largest_block(rows.n, batch_size, rows.rows_per_block)
