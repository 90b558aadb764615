"""The kind of feed for each kind of rows, and the rows of each step, compared with a loop over the order."""

import numpy as np
import pytest
import scipy.sparse as sp

from skdeep.core.feeds import Feed, epoch_order, feed_of
from skdeep.core.feeds.feed import Batches, form_of
from skdeep.core.feeds.gathered import GatheredFeed
from skdeep.core.feeds.resident import ResidentFeed
from skdeep.core.random import key_of_seed
from skdeep.core.rows import WeightedRows
from skdeep.records import SparseRows

N, BATCH = 23, 5
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 4)).astype(np.float32)
FULL = sp.csr_matrix(X)
ENTRIES = sp.random(N, 400, density=0.01, format="csr", random_state=0, dtype=np.float32)
ORDER = epoch_order(N, key_of_seed(3), shuffle=True)


def rows_of(x):
    return WeightedRows(x, np.arange(N, dtype=np.int32), np.arange(N) + 1.0)


def feed(x, shape=(4,)):
    return feed_of(rows_of(x), shape, BATCH, ORDER)


def expected_batches(first_step, n_steps):
    """Yield the rows of each step. An epoch's last batch is filled up with the epoch's first rows."""
    steps_per_epoch = -(-N // BATCH)
    for step in range(first_step, first_step + n_steps):
        epoch, position = divmod(step, steps_per_epoch)
        order = ORDER.rows_of(epoch)
        yield [order[(position * BATCH + i) % N] for i in range(BATCH)]


@pytest.mark.parametrize(("x", "kind"), [(X, ResidentFeed), (ENTRIES, ResidentFeed), (FULL, GatheredFeed)])
def test_the_kind_of_feed_depends_on_the_rows(x, kind):
    made = feed(x, x.shape[1:])
    assert type(made) is kind
    assert isinstance(made, Feed)
    assert (made.n, made.batch_size, made.steps_per_epoch) == (N, BATCH, 5)
    assert isinstance(made.next_block(1).rows.x, SparseRows) == (x is ENTRIES)


def steps_of(made, n_steps):
    """Return the x, target and weight of each of the next steps."""
    rows, order = made.next_block(n_steps)
    arrays = [np.asarray(part) for part in rows[:3]]
    if order is not None:
        assert order.shape == (made.max_steps, BATCH)
        arrays = [part[order] for part in arrays]
    assert all(part.shape[:2] == (made.max_steps, BATCH) for part in arrays)
    return list(zip(*arrays, strict=True))[:n_steps]


@pytest.mark.parametrize("x", [X, FULL], ids=["dense", "gathered"])
@pytest.mark.parametrize("blocks", [(1, 1, 1), (3, 4, 6), (12,), (0, 7)])
def test_blocks_hold_the_rows_of_consecutive_steps(x, blocks):
    made, step = feed(x), 0
    for n_steps in blocks:
        found = steps_of(made, n_steps)
        for (x_of_step, target, weight), expected in zip(found, expected_batches(step, n_steps), strict=True):
            np.testing.assert_array_equal(x_of_step, X[expected])
            np.testing.assert_array_equal(target, expected)
            np.testing.assert_array_equal(weight, np.array(expected) + 1)
        step += n_steps


def test_gathered_batches_have_masks():
    made = feed(FULL)
    made.seek(0, 3)
    batches, order = made.next_block(3)  # the last two steps of an epoch, and the first of the next one
    assert order is None
    assert batches.mask[:4].sum(axis=1).tolist() == [BATCH, N - 4 * BATCH, BATCH, 0]
    assert batches.mask[1].tolist() == [1.0] * (N - 4 * BATCH) + [0.0] * (5 * BATCH - N)


@pytest.mark.parametrize("x", [X, FULL], ids=["dense", "gathered"])
def test_seek_goes_to_any_step(x):
    made = feed(x)
    made.next_block(8)
    for epoch, position in ((0, 3), (2, 0), (1, 4)):
        made.seek(epoch, position)
        for (_, target, _), expected in zip(steps_of(made, 4), expected_batches(5 * epoch + position, 4), strict=True):
            np.testing.assert_array_equal(target, expected)


def test_positions_after_the_requested_steps_are_0():
    order = Batches(N, BATCH, ORDER).next_steps(2, size=6)
    assert (order[2:] == 0).all()


def test_the_form_is_equal_for_row_counts_of_one_padded_size():
    def form(x, n):
        rows = rows_of(x)
        return form_of(WeightedRows(rows.x[:n], rows.target[:n], rows.weight[:n]), x.shape[1:], BATCH)

    for x in (X, FULL):
        assert form(x, 20) == form(x, 23)
    assert len({form(X, 23), form(FULL, 23), form(ENTRIES, 23)}) == 3
