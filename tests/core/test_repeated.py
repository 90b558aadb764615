"""Repeats of rows whose x occurs with several targets."""

import numpy as np
import pytest

from skdeep.core.repeated import MOST_REPEATS, repeat_all_rows, repeat_rows, whole_rows
from skdeep.core.rows import DistinctRows, WeightedRows, merge_equal_rows

X = np.array([[0.0], [0.0], [1.0], [2.0], [2.0]])
TARGET = np.array([0, 1, 1, 0, 1])


def repeated(weight, x=X, target=TARGET):
    return repeat_rows(DistinctRows(WeightedRows(x, target, np.asarray(weight, float)), np.arange(len(x))))


def repeats(*args, **kwargs):
    return np.bincount(repeated(*args, **kwargs).part_of).tolist()


@pytest.mark.parametrize("factor", [1.0, 0.1, 1e300, 1e-300])
def test_a_row_whose_x_has_other_targets_is_repeated_by_the_largest_common_unit(factor):
    weight = np.array([6, 2, 500, 3, 4]) * factor
    found = repeated(weight)
    assert np.bincount(found.part_of).tolist() == [6, 2, 1, 3, 4]
    np.testing.assert_array_equal(found.rows.x, X[found.part_of])
    np.testing.assert_array_equal(found.rows.target, TARGET[found.part_of])
    np.testing.assert_allclose(np.bincount(found.part_of, found.rows.weight), weight)


def test_without_a_common_unit_the_lightest_row_is_the_unit():
    assert repeats([3 * np.pi, np.e, 500, 1, 2.4]) == [9, 3, 1, 1, 2]


def test_rows_stay_whole_if_all_weights_are_equal_or_each_x_has_one_target():
    assert repeats([7] * 5) == [1] * 5
    assert repeats(range(1, 6), x=np.arange(5.0)[:, None]) == [1] * 5
    rows = WeightedRows(X, TARGET, np.arange(1.0, 6))
    assert whole_rows(DistinctRows(rows, np.arange(5))).rows is rows


def test_all_rows_are_repeated_if_a_tenth_of_the_weight_has_an_x_with_several_targets():
    assert repeats([6, 2, 136, 3, 4]) == [6, 2, 1, 3, 4]
    assert repeats([6, 2, 135, 3, 4]) == [6, 2, 135, 3, 4]


def test_there_are_about_so_many_repeats_at_most():
    assert repeats([1, 1e9, 1, 1, 1]) == [1, MOST_REPEATS, 1, 1, 1]
    weight = np.random.default_rng(0).uniform(1e-6, 1, 40_000)
    x = np.arange(40_000.0)[:, None] // 2
    assert len(repeated(weight, x, np.arange(40_000)).part_of) == 40_000


@pytest.mark.parametrize("factor", [1.0, 0.1, 1e307])
def test_the_members_of_chosen_repeats_are_as_many_copies(factor):
    copies = np.array([6, 2, 150, 3, 4])
    order = np.random.default_rng(0).permutation(165)
    x, target = np.repeat(X, copies, axis=0)[order], np.repeat(TARGET, copies)[order]
    weight = np.full(165, factor)
    weight[::5] = 0
    found = repeat_rows(merge_equal_rows(WeightedRows(x, target, weight)))
    is_chosen = np.random.default_rng(1).random(len(found.part_of)) < 0.4
    got = found.members(is_chosen, weight)
    of_row = np.bincount(found.distinct.position[got], minlength=5)
    n_repeats = np.bincount(found.part_of)
    n_copies = np.bincount(found.distinct.position[weight > 0])
    wanted = np.bincount(found.part_of[is_chosen], minlength=5) / n_repeats * n_copies
    assert (n_repeats > 1).any()
    assert of_row.tolist() == np.ceil(wanted.round(9)).tolist()
    assert (weight[got] > 0).all()
    assert got.tolist() == sorted(got)


def test_a_single_heavy_row_is_a_member_of_any_part_of_it():
    weight = [6.0, 2, 500, 3, 4]
    found = repeated(weight)
    assert found.members(np.arange(16) == 0, np.array(weight)).tolist() == [0]


@pytest.mark.parametrize(
    ("weight", "wanted"), [([15, 15, 15], [15] * 3), ([0.2, 2, 0.7], [1, 2, 1]), ([1, 1, 1], [1] * 3)]
)
def test_all_rows_are_repeated_as_often_as_they_were_given(weight, wanted):
    x, target = np.arange(3.0)[:, None], np.arange(3)
    weight = np.array(weight, float)
    found = repeat_all_rows(merge_equal_rows(WeightedRows(x, target, weight)), weight)
    assert np.bincount(found.part_of).tolist() == wanted
    np.testing.assert_allclose(np.bincount(found.part_of, found.rows.weight), found.distinct.rows.weight)


def test_copies_are_repeated_as_their_weights_would_be():
    weight = np.array([3.0, 0, 1, 2])
    given = WeightedRows(np.array([[0.0], [5], [1], [0]]), np.array([0, 2, 1, 0]), weight)
    assert np.bincount(repeat_all_rows(merge_equal_rows(given), weight).part_of).tolist() == [5, 1]


def test_there_are_so_many_repeats_of_all_rows_at_most():
    weight = np.array([1e308, 1e308, 1.0])
    found = repeat_all_rows(merge_equal_rows(WeightedRows(np.eye(3), np.arange(3), weight)), weight)
    assert sorted(np.bincount(found.part_of)) == [1, MOST_REPEATS // 2, MOST_REPEATS // 2]
