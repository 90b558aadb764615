"""The interface of feeds, the choice of a feed for rows, and the batches of consecutive steps."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt32

from skdeep.core.encode import is_sparse
from skdeep.core.feeds.block_order import block_order
from skdeep.core.feeds.orders import EpochOrder, epoch_order
from skdeep.core.inputs import InShape, arrays_of, specs_of
from skdeep.core.rows import padded_size
from skdeep.core.sparse_rows import most_entries, stays_on_host
from skdeep.core.streamed_rows import StreamedRows
from skdeep.records import Batch, Rows

MAX_INDEX_ENTRIES = 2**18


class BlockRows(NamedTuple):
    """The input of one block of steps: rows, and for each step the positions of its batch in them.

    A feed that gathers batches itself returns these, with a leading axis of steps, and no order.
    """

    rows: Rows | Batch
    order: Int[np.ndarray, "steps batch"] | None


@runtime_checkable
class Feed(Protocol):
    """Hands out the rows of consecutive blocks of steps.

    `n` rows are `steps_per_epoch` batches of `batch_size` rows. A block has at most `max_steps` steps. The caller may lower
    `max_steps` before the first block.
    """

    n: int
    batch_size: int
    steps_per_epoch: int
    max_steps: int

    def seek(self, epoch: int, position: int) -> None:
        """Let the next block begin at step `position` of an epoch, both counted from 0."""
        ...

    def next_block(self, n_steps: int) -> BlockRows:
        """Return the rows of the next `n_steps` steps, and the positions `(max_steps, batch_size)` of each batch in them.

        Batches that the feed gathered have `max_steps` steps too.
        """
        ...

    def close(self) -> None:
        """End what the feed does beside the caller, such as reading ahead. It may be used again after `seek`."""
        ...


def order_of(rows: Any, key: UInt32[np.ndarray, "2"], shuffle: bool) -> EpochOrder:
    """Return the order of rows in each epoch: of `StreamedRows` a `BlockOrder`, else what `epoch_order` returns."""
    if isinstance(rows, StreamedRows):
        return block_order(rows.edges, rows.rows_per_block, key if shuffle else None)
    return epoch_order(rows.n, key, shuffle)


def feed_of(rows: Any, in_shape: InShape, batch_size: int, order: EpochOrder) -> Feed:
    """Return a feed of these rows, at the start of the first epoch.

    Parameters
    ----------
    rows : WeightedRows or StreamedRows
        All rows to train on; X may be sparse.
    in_shape : InShape
        Shape of a row for the network, or the `InputSpec`s of its inputs.
    batch_size : int
    order : EpochOrder
        The order of the rows in each epoch, for example from `order_of`; a `BlockOrder` for `StreamedRows`.
    """
    from skdeep.core.feeds.gathered import GatheredFeed
    from skdeep.core.feeds.resident import ResidentFeed
    from skdeep.core.feeds.streamed import StreamedFeed

    if isinstance(rows, StreamedRows):
        return StreamedFeed(rows, in_shape, batch_size, order)  # type: ignore[arg-type]  # a BlockOrder
    kind = GatheredFeed if stays_on_host(rows.x) else ResidentFeed
    return kind(rows, in_shape, batch_size, order)


def form_of(rows: Any, in_shape: InShape, batch_size: int) -> tuple[Any, ...]:
    """Return the properties of a feed on which its program depends. They are equal for row counts of one padded size."""
    n = rows.n
    if isinstance(rows, StreamedRows):
        return (
            "streamed",
            padded_size(n),
            batch_size,
            str(specs_of(in_shape)),
            rows.encoding.dtype,
            str(rows.encoding.task),
        )
    of_target = rows.target.shape[1:], str(rows.target.dtype)
    types = tuple(str(array.dtype) for array in arrays_of(rows.x))
    common = (padded_size(n), batch_size, str(specs_of(in_shape)), types, of_target)
    if not is_sparse(rows.x):
        return ("dense", *common)
    return ("gathered", *common) if stays_on_host(rows.x) else ("entries", most_entries(rows.x), *common)


class Batches:
    """Returns the positions of the rows in the batches of consecutive steps, across epochs.

    `position` is the number of the next step in its epoch.
    """

    def __init__(self, n: int, batch_size: int, order: EpochOrder) -> None:
        self.batch_size, self.steps_per_epoch = batch_size, math.ceil(n / batch_size)
        self._order = order
        self.seek(0, 0)

    def seek(self, epoch: int, position: int) -> None:
        """Continue at step `position` of an epoch, both counted from 0."""
        self._epoch, self.position = epoch, position
        self._of_epoch: Int[np.ndarray, "steps batch"] | None = None  # the epoch's batches, made when first needed

    def next_steps(self, n_steps: int, size: int) -> Int[np.ndarray, "size batch"]:
        """Return the positions of the rows in the batches of the next `n_steps` steps, padded with zeros to `size` steps."""
        order = np.zeros((size, self.batch_size), dtype=np.int32)
        filled = 0
        while filled < n_steps:
            if self.position == self.steps_per_epoch:
                self.seek(self._epoch + 1, 0)
            if self._of_epoch is None:
                # The last batch is filled with the epoch's first rows. The program gives them weight 0.
                self._of_epoch = np.resize(self._order.rows_of(self._epoch), (self.steps_per_epoch, self.batch_size))
            take = min(n_steps - filled, self.steps_per_epoch - self.position)
            order[filled : filled + take] = self._of_epoch[self.position : self.position + take]
            self.position += take
            filled += take
        return order


def masks_of(feed: Feed, position: int, n_steps: int, dtype: Any) -> Float[np.ndarray, "steps batch"]:
    """Return the masks of the batches of `n_steps` steps from step `position` of an epoch on, padded with zeros to `max_steps`."""
    mask = np.zeros((feed.max_steps, feed.batch_size), dtype)
    steps = (position + np.arange(n_steps)) % feed.steps_per_epoch
    mask[:n_steps] = steps[:, None] * feed.batch_size + np.arange(feed.batch_size) < feed.n
    return mask
