"""The order in which blocks of rows are read in each epoch, and the order of rows within a buffer."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
from jaxtyping import Int, UInt32

from skdeep.core.random import shuffle
from skdeep.sources.source import OPEN_PARTS

BLOCKS_IN_BUFFER = 8


@dataclasses.dataclass(frozen=True)
class BlockOrder:
    """The order of `n` rows in each epoch, for rows that are read block by block.

    With a key, parts are shuffled, and blocks of a few parts are read in turn. Rows are shuffled within a window of so many blocks that
    they fill the buffer. Without a key, rows come in their given order.

    Parameters
    ----------
    edges : tuple of int
        The first row of each part, and the number of rows. A part is read from its start on.
    block_rows : int
        The largest number of rows of a block.
    buffer_rows : int
        A window has at least so many rows, except the last one.
    key : tuple of two ints, or None

    Examples
    --------
    >>> from skdeep.core.feeds.block_order import BlockOrder
    >>> BlockOrder((0, 3, 5), block_rows=2, buffer_rows=4, key=None).blocks_of(0).tolist()
    [[0, 2], [2, 3], [3, 5]]
    """

    edges: tuple[int, ...]
    block_rows: int
    buffer_rows: int
    key: tuple[int, int] | None

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.edges[-1]

    def blocks_of(self, epoch: int) -> Int[np.ndarray, "blocks 2"]:
        """Return the first row and the row after the last of each block, in the order of this epoch."""
        parts = np.arange(len(self.edges) - 1)
        if self.key is None:
            return np.concatenate([self._blocks_in(int(part)) for part in parts])
        shuffle(parts, _words(self.key), epoch)
        turns = [self._in_turn(parts[i : i + OPEN_PARTS]) for i in range(0, len(parts), OPEN_PARTS)]
        return np.concatenate(turns)

    def windows_from(self, epoch: int, row: int) -> tuple[list[Int[np.ndarray, "blocks 2"]], int, int]:
        """Return the blocks of each window of an epoch, the number of the window that holds its `row`-th row, and the rows before it."""
        blocks = self.blocks_of(epoch)
        bounds = self._bounds(blocks)
        windows = [blocks[start:stop] for start, stop in pairwise(bounds)]
        before = np.concatenate([[0], np.cumsum([int(np.diff(window).sum()) for window in windows])])
        number = int(np.searchsorted(before, row, side="right")) - 1
        return windows, number, int(before[number])

    def rows_of(self, epoch: int) -> Int[np.ndarray, " n"]:
        """Return the positions of the rows in this epoch."""
        found = []
        for number, blocks in enumerate(self.windows_from(epoch, 0)[0]):
            rows = np.concatenate([np.arange(start, stop) for start, stop in blocks])
            found.append(rows[self.order_in(epoch, number, len(rows))])
        return np.concatenate(found).astype(np.int32)

    def order_in(self, epoch: int, number: int, n_rows: int) -> Int[np.ndarray, " rows"]:
        """Return the order of the rows in a window, which are counted in the order of its blocks."""
        order = np.arange(n_rows)
        if self.key is not None:
            # The number of the shuffle of parts is the epoch alone, so the windows are counted from 1 in the upper half.
            shuffle(order, _words(self.key), (number + 1) << 32 | epoch)
        return order

    def _blocks_in(self, part: int) -> Int[np.ndarray, "blocks 2"]:
        first, last = self.edges[part], self.edges[part + 1]
        starts = np.arange(first, last, self.block_rows)
        return np.stack([starts, np.minimum(starts + self.block_rows, last)], axis=1)

    def _in_turn(self, parts: Int[np.ndarray, " parts"]) -> Int[np.ndarray, "blocks 2"]:
        """Return the first blocks of some parts, then their second blocks, and so on."""
        of_part = [self._blocks_in(int(part)) for part in parts]
        blocks = np.concatenate(of_part)
        turn = np.concatenate([np.arange(len(each)) for each in of_part])
        return blocks[np.argsort(turn, kind="stable")]

    def _bounds(self, blocks: Int[np.ndarray, "blocks 2"]) -> list[int]:
        """Return the position of the first block of each window, and the number of blocks."""
        bounds, n_rows = [0], 0
        for i, n_in_block in enumerate(np.diff(blocks).ravel()):
            if n_rows >= self.buffer_rows:
                bounds.append(i)
                n_rows = 0
            n_rows += int(n_in_block)
        return [*bounds, len(blocks)]


def block_order(edges: tuple[int, ...], block_rows: int, key: UInt32[np.ndarray, "2"] | None) -> BlockOrder:
    """Return the order for blocks of `block_rows` rows, with a buffer of `BLOCKS_IN_BUFFER` of them."""
    return BlockOrder(
        edges, block_rows, BLOCKS_IN_BUFFER * block_rows, None if key is None else (int(key[0]), int(key[1]))
    )


def _words(key: tuple[int, int]) -> UInt32[np.ndarray, "2"]:
    return np.array(key, np.uint32)
