"""Each row comes once per epoch, from any parts, blocks and buffers, and seeking finds the window of a row."""

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skdeep.core.feeds import EpochOrder
from skdeep.core.feeds.block_order import BlockOrder, block_order
from skdeep.core.random import key_of_seed
from skdeep.sources.source import OPEN_PARTS

KEYS = st.one_of(st.none(), st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)))
LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def edges_of(lengths):
    return (0, *np.cumsum(lengths).tolist())


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 30), st.integers(1, 100), KEYS, st.integers(0, 5))
def test_each_row_comes_once_per_epoch(lengths, block_rows, buffer_rows, key, epoch):
    order = BlockOrder(edges_of(lengths), block_rows, buffer_rows, key)
    assert isinstance(order, EpochOrder)
    rows = order.rows_of(epoch)
    assert sorted(rows.tolist()) == list(range(sum(lengths)))
    if key is None:
        assert (np.diff(rows) == 1).all()


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 30), st.integers(1, 100), KEYS)
def test_blocks_stay_in_their_part_and_windows_are_no_larger_than_needed(lengths, block_rows, buffer_rows, key):
    edges = edges_of(lengths)
    order = BlockOrder(edges, block_rows, buffer_rows, key)
    for start, stop in order.blocks_of(1):
        assert 0 < stop - start <= block_rows
        assert np.searchsorted(edges, start, side="right") == np.searchsorted(edges, stop, side="left")
    for window in order.windows_from(1, 0)[0]:
        assert np.diff(window)[:-1].sum() < buffer_rows


def test_the_window_of_a_row_is_found():
    order = BlockOrder((0, 50, 60, 100), block_rows=7, buffer_rows=20, key=(1, 2))
    rows = order.rows_of(3)
    for row in range(100):
        windows, number, before = order.windows_from(3, row)
        n_rows = int(np.diff(windows[number]).sum())
        assert before <= row < before + n_rows
        inside = np.concatenate([np.arange(*block) for block in windows[number]])
        assert inside[order.order_in(3, number, n_rows)][row - before] == rows[row]


def test_orders_depend_on_the_key_and_the_epoch():
    order = BlockOrder((0, 64), 16, 32, (1, 2))
    same, other = (dataclasses.replace(order, key=key) for key in ((1, 2), (1, 3)))
    assert (order.rows_of(0) == same.rows_of(0)).all()
    assert (order.rows_of(0) != order.rows_of(1)).any()
    assert (order.rows_of(0) != other.rows_of(0)).any()


def test_blocks_of_parts_come_in_turn():
    """So data that is sorted by class does not give windows of one class."""
    edges = tuple(range(0, 100 * OPEN_PARTS + 1, 100))
    order = BlockOrder(edges, block_rows=10, buffer_rows=10 * OPEN_PARTS, key=(0, 0))
    first = order.windows_from(0, 0)[0][0]
    assert sorted(first[:, 0].tolist()) == list(edges[:-1])


def test_without_shuffle_there_is_no_key():
    assert block_order((0, 10), 4, None).key is None
    assert block_order((0, 10), 4, key_of_seed(0)).buffer_rows == 32
