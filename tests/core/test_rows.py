"""Weights, the merging of equal rows, and the choice of held-out rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from skdeep.core.rows import WeightedRows, bounded_weights, choose_held_out, merge_equal_rows, unit_mean

X = np.array([[3.0], [1.0], [3.0], [2.0], [3.0]])
ZEROS = np.zeros(5, np.int32)


def merged(weight, x=X, **options):
    return merge_equal_rows(WeightedRows(x, np.zeros(len(x), np.int32), np.asarray(weight, float)), **options)


def test_members_are_the_rows_that_were_merged():
    rows, position = found = merged([1, 1, 1, 1, 1])
    for k in range(len(rows.x)):
        np.testing.assert_array_equal(found.members(np.arange(3) == k), np.flatnonzero(X[:, 0] == rows.x[k, 0]))
        assert rows.weight[k] == (X[:, 0] == rows.x[k, 0]).sum()
    np.testing.assert_array_equal(rows.x[position], X)


def test_rows_of_weight_zero_belong_to_none():
    rows, position = merged([0, 1, 2, 3, 0])
    np.testing.assert_array_equal(position < 0, [True, False, False, False, True])
    np.testing.assert_array_equal(rows.x[position[1:4]], X[1:4])
    assert len(rows.x) == 3


def test_without_shuffling_rows_keep_the_order_of_first_occurrence():
    rows, position = merged([1, 5, 1, 2, 1], keep_order=True)
    np.testing.assert_array_equal(rows.x[:, 0], [3, 1, 2])
    np.testing.assert_array_equal(rows.weight / rows.weight[0], [1, 5 / 3, 2 / 3])
    np.testing.assert_array_equal(position, [0, 1, 0, 2, 0])


@pytest.mark.parametrize("factor", [1.0, 10.0, 0.1, 1 / 3, 7e-300, 1e300, 2.0**-1000])
def test_order_and_weights_do_not_depend_on_the_scale(factor):
    """Three rows of weight .1 and rows of weight .3 are equal, though not to the last digit of float64."""
    x = np.array([[2.0], [1.0], [2.0], [0.0], [2.0], [5.0]])
    rows, _ = merged(factor * np.array([0.1, 0.3, 0.1, 0.3, 0.1, 0.3]), x)
    np.testing.assert_array_equal(rows.x[:, 0], [2, 1, 0, 5])
    assert (rows.weight == rows.weight[0]).all()


@pytest.mark.parametrize("weight", [[1e308] * 7, [1e308, 5e307, 1.0], [5e-324, 1e-323], [1e-310, 3e-310], [3.0, 0.0]])
def test_unit_mean_in_exact_arithmetic(weight):
    exact = [Fraction(w) for w in weight]
    mean = sum(exact) / len(exact)
    expected = [float(w / mean) for w in exact]
    np.testing.assert_allclose(unit_mean(np.array(weight)), expected, rtol=1e-14, atol=1e-300)


def test_bounding_weights_is_exact():
    weight = np.array([0.1, 0.7, 123.456, 0.0])
    ratio = bounded_weights(weight)[:3] / weight[:3]
    assert (ratio == ratio[0]).all()
    assert np.frexp(ratio[0])[0] == 0.5  # a power of two


@pytest.mark.parametrize(("sizes", "fraction"), [((196, 5), 0.1), ((95, 4), 0.1), ((38, 2), 2), ((5, 5, 5), 3)])
def test_rounding_leaves_no_class_without_a_held_out_row(sizes, fraction):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    is_held_out = choose_held_out(codes, fraction, True, np.random.default_rng(0))
    wanted = fraction if isinstance(fraction, int) else round(fraction * len(codes))
    assert is_held_out.sum() == wanted
    assert set(codes[is_held_out]) == set(codes[~is_held_out]) == set(range(len(sizes)))


def test_a_class_of_one_row_trains():
    codes = np.array([0] * 20 + [1])
    for seed in range(20):
        assert not choose_held_out(codes, 0.5, True, np.random.default_rng(seed))[-1]


def test_without_a_generator_the_last_rows_are_held_out():
    is_held_out = choose_held_out(np.arange(20) % 2, 0.25, True, None)
    np.testing.assert_array_equal(is_held_out, np.arange(20) >= 15)
    with pytest.raises(ValueError, match="leaves 0 to train on and 20 to validate on"):
        choose_held_out(np.zeros(20), 30, False, None)
