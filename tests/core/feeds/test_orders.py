"""Orders of rows: the order of any epoch; cumulative shuffles equal consecutive shuffles by NumPy."""

import pickle

import numpy as np
import pytest

from skdeep.core.feeds import CumulativeShuffles, EpochOrder, InOrder, Shuffled, epoch_order
from skdeep.core.random import key_of_seed

START = np.random.RandomState(7).get_state(legacy=False)
ORDERS = {"in order": InOrder(9), "shuffled": Shuffled(9, (3, 4)), "cumulative": CumulativeShuffles(9, START)}


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_an_epoch_does_not_depend_on_earlier_calls(name):
    order = ORDERS[name]
    assert isinstance(order, EpochOrder)
    first = [order.rows_of(epoch).tolist() for epoch in range(4)]
    for epoch in (2, 0, 3, 3, 1):
        assert order.rows_of(epoch).tolist() == first[epoch]
        assert pickle.loads(pickle.dumps(order)).rows_of(epoch).tolist() == first[epoch]
    for rows in first:
        assert sorted(rows) == list(range(9))
    assert len({tuple(rows) for rows in first}) == (1 if name == "in order" else 4)


def test_cumulative_shuffles_equal_those_of_scikit_learns_perceptron():
    generator, rows = np.random.RandomState(7), np.arange(9)
    orders = CumulativeShuffles(9, START)
    for epoch in range(4):
        shuffled = np.arange(9)
        generator.shuffle(shuffled)
        rows = rows[shuffled]
        np.testing.assert_array_equal(orders.rows_of(epoch), rows)
    ours = np.random.RandomState(7)
    orders.advance(ours, 4)
    assert ours.randint(10**6) == generator.randint(10**6)


def test_shuffles_depend_on_key_and_epoch():
    key, other = key_of_seed(0), key_of_seed(1)
    orders = [
        epoch_order(100, k, shuffle=True).rows_of(epoch).tolist() for k, epoch in ((key, 0), (key, 1), (other, 0))
    ]
    assert len({tuple(order) for order in orders}) == 3
    assert epoch_order(4, key, shuffle=False) == InOrder(4)
