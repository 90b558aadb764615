"""Stage 4: how rows reach the programs. The files here decide where rows stand and in which form, sparse rows too.

`feed` defines what the training loop asks of a feed, and chooses one. `resident` feeds hold all rows where programs read
them; `gathered` feeds make the rows of each block on the host. `orders` are the orders of rows per epoch. `validation`,
`passes` and `blocks` do the same for the rows of validation, of a pass over all rows, and of predictions.
"""

from skdeep.core.feeds.feed import BlockRows, Feed, feed_of
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
    "pad_rows",
]
