"""Rows of each step, compared with a loop over the order; seeking; threads; the largest block that is read."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skdeep.core.encoding import Classes, Encoding
from skdeep.core.feeds import Feed, feed_of
from skdeep.core.feeds.block_order import BlockOrder
from skdeep.core.feeds.feed import form_of, order_of
from skdeep.core.feeds.streamed import StreamedFeed
from skdeep.core.random import key_of_seed
from skdeep.core.streamed_rows import Sources, StreamedRows
from skdeep.sources.sliced import SlicedSource

N, BATCH = 53, 5
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 4)).astype(np.float32)
ENCODING = Encoding(Classes(np.arange(N)), columns=(4,), in_shape=(4,))


class Counted:
    """Rows that note the largest block that was read."""

    def __init__(self, rows, fails_at=None):
        self.rows, self.largest, self.fails_at = rows, 0, fails_at

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        block = self.rows[index]
        self.largest = max(self.largest, len(block))
        if self.fails_at is not None and index.start <= self.fails_at < index.stop and len(block) > 1:
            raise OSError("the disk is gone")
        return block


def rows_of(x, left_out=()):
    sources = Sources(SlicedSource(x), SlicedSource(np.arange(N)), SlicedSource(np.arange(N) + 1.0))
    return StreamedRows(sources, ENCODING, sources.state(), np.array(left_out, np.int64))


def feed(order, x=X, left_out=(), batch_size=BATCH):
    return StreamedFeed(rows_of(x, left_out), (4,), batch_size, order)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "skdeep-read-ahead"]


@settings(deadline=None, max_examples=100)
@given(
    edges=st.lists(st.integers(1, N - 1), max_size=5),
    block_rows=st.integers(1, 30),
    buffer_rows=st.integers(1, 80),
    key=st.sampled_from([None, (1, 2), (5, 7)]),
    batch_size=st.integers(1, 70),
    blocks=st.lists(st.integers(0, 9), min_size=1, max_size=5),
    epoch=st.integers(0, 2),
    position=st.integers(0, 99),
)
def test_blocks_hold_the_rows_of_consecutive_steps(
    edges, block_rows, buffer_rows, key, batch_size, blocks, epoch, position
):
    order = BlockOrder((0, *sorted({*edges}), N), block_rows, buffer_rows, key)
    made = feed(order, batch_size=batch_size)
    position %= made.steps_per_epoch
    made.seek(epoch, position)
    for n_steps in (min(n, made.max_steps) for n in blocks):
        batches, where = made.next_block(n_steps)
        assert where is None
        assert batches.weight.shape == (made.max_steps, batch_size)
        for x, found, weight, mask in zip(*(part[:n_steps] for part in batches), strict=True):
            if position == made.steps_per_epoch:
                epoch, position = epoch + 1, 0
            expected = order.rows_of(epoch)[position * batch_size : (position + 1) * batch_size]
            np.testing.assert_array_equal(found[: len(expected)], expected)
            assert (found[len(expected) :] == expected[-1]).all()
            assert mask.tolist() == [1.0] * len(expected) + [0.0] * (batch_size - len(expected))
            np.testing.assert_array_equal(x, X[found])
            np.testing.assert_array_equal(weight, found + 1)
            position += 1
    made.close()
    assert threads() == []


def test_rows_may_be_left_out():
    left_out = [0, 7, 8, 9, 52]
    made = feed(BlockOrder((0, N - 5), 6, 20, (1, 2)), left_out=left_out)
    assert (made.n, made.steps_per_epoch) == (N - 5, 10)
    batches, _ = made.next_block(10)
    made.close()
    assert sorted(batches.target[batches.mask > 0].tolist()) == sorted(set(range(N)) - set(left_out))


def test_batches_without_own_rows_have_no_weight():
    """Another process has more rows, so that an epoch has more steps than this one's rows make batches."""
    rows = rows_of(X).replace(counts=(N, 2 * N))
    made = feed_of(rows, (4,), 2 * BATCH, BlockOrder((0, N), 6, 12, None))
    assert (made.n, made.batch_size, made.steps_per_epoch) == (N, BATCH, -(-2 * N // BATCH))
    found = []
    for n_steps in (3, 4, 15, 9, 20):
        made.max_steps = max(made.max_steps, n_steps)
        batches, _ = made.next_block(n_steps)
        assert np.isin(batches.target[:n_steps], range(N)).all()
        found += [
            target[mask > 0].tolist() for target, mask in zip(batches.target[:n_steps], batches.mask, strict=False)
        ]
    made.close()
    epoch = [list(range(N))[i : i + BATCH] for i in range(0, N, BATCH)]
    epoch += [[]] * (made.steps_per_epoch - len(epoch))
    assert found == (epoch * 3)[: len(found)]


def test_the_kind_of_feed_and_of_order():
    rows = rows_of(X)
    order = order_of(rows, key_of_seed(0), shuffle=True)
    assert isinstance(order, BlockOrder)
    assert order_of(rows, key_of_seed(0), shuffle=False).key is None
    made = feed_of(rows, (4,), BATCH, order)
    assert isinstance(made, StreamedFeed)
    assert isinstance(made, Feed)
    assert form_of(rows, (4,), BATCH) == form_of(rows_of(X, [1]), (4,), BATCH)


def test_no_larger_block_than_those_of_the_order_is_read():
    x = Counted(X)
    made = feed(BlockOrder((0, N), 6, 20, (1, 2)), x)
    for _ in range(3):
        made.next_block(4)
    made.close()
    assert x.largest == 6


def test_an_error_of_the_source_is_raised_and_no_thread_stays():
    made = feed(BlockOrder((0, N), 6, 12, None), Counted(X, fails_at=30))
    with pytest.raises(OSError, match="the disk is gone"):
        made.next_block(11)
    made.close()
    assert threads() == []


def test_a_change_between_epochs_is_found():
    x = X.copy()
    made = feed(BlockOrder((0, N), 6, 12, None), x)
    made.next_block(2)
    x[-1] += 1
    with pytest.raises(ValueError, match="has changed during the fit: its length, its first or last row"):
        made.next_block(made.steps_per_epoch)
    made.close()


def test_max_steps_may_be_lowered():
    made = feed(BlockOrder((0, N), 6, 12, None))
    made.next_block(0)
    made.max_steps = 1
    batches, _ = made.next_block(1)
    made.close()
    assert batches.target.tolist() == [[0, 1, 2, 3, 4]]
