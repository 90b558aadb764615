"""Feeds hand rows to the programs. They decide where rows are kept and in which form, for dense and sparse rows.

`feed` defines the interface of a feed and chooses one. A `resident` feed keeps all rows where programs read them; a
`gathered` feed gathers the rows of each block on the host; a `streamed` feed reads them block by block (`read_ahead`). `orders` and
`block_order` are the orders of rows in each epoch. `validation` hands
out validation rows, `passes` all rows for L-BFGS-B, and `blocks` the rows to predict for.
"""

from skdeep.core.feeds.feed import BlockRows, Feed, feed_of, order_of
from skdeep.core.feeds.orders import CumulativeShuffles, EpochOrder, InOrder, Shuffled, epoch_order
from skdeep.core.feeds.padding import pad_rows

__all__ = [
    "BlockRows",
    "CumulativeShuffles",
    "EpochOrder",
    "Feed",
    "InOrder",
    "Shuffled",
    "epoch_order",
    "feed_of",
    "order_of",
    "pad_rows",
]
