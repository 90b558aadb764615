"""Levels, ids and kinds of columns."""

import binascii

import numpy as np
import pytest

from skdeep.tables.columns import MOST_LEVELS, N_BUCKETS, as_numbers, check_kind, learn_column
from skdeep.tables.frames import Read


def learned(values, weight=None, kind="text"):
    values = np.array(values, dtype=object)
    return learn_column("c", Read(kind, values), np.ones(len(values)) if weight is None else weight, is_category=True)


def ids(column, values):
    return column.ids(np.array(values, dtype=object)).tolist()


def test_levels_are_sorted_and_their_ids_begin_at_one():
    column = learned(["b", "a", None, "b", np.nan])
    assert column.levels == ("a", "b")
    assert column.n_ids == 3
    assert column.has_missing
    assert ids(column, ["b", "a", None, "new", np.nan]) == [2, 1, 0, 0, 0]


def test_numbers_and_booleans_are_levels_too():
    column = learn_column("c", Read("number", np.array([[3.0], [np.nan], [-1.0]])), np.ones(3), is_category=True)
    assert column.levels == (-1.0, 3.0)
    assert column.ids(np.array([[3], [7], [-1]])).tolist() == [2, 0, 1]
    assert ids(learned([True, False, None], kind="boolean"), [False, True, None]) == [1, 2, 0]


def test_rows_of_weight_zero_teach_nothing():
    column = learned(["a", "b", None], weight=np.array([1.0, 0.0, 0.0]))
    assert column.levels == ("a",)
    assert not column.has_missing
    assert learned([None, "b"], weight=np.array([1.0, 0.0])).kind == "empty"


def test_the_heaviest_of_many_levels_are_kept():
    names = [f"{i:05}" for i in range(MOST_LEVELS + 5)]
    weight = np.ones(len(names))
    weight[:5] = 0.5
    column = learned(names, weight)
    assert column.levels == tuple(names[5:])
    assert column.n_buckets == N_BUCKETS
    others = ids(column, [*names[:5], "new", None])
    assert others[-1] == 0
    assert all(MOST_LEVELS < i <= MOST_LEVELS + N_BUCKETS for i in others[:-1])
    # The bucket must not depend on the process, as Python's own hash of a string does.
    assert ids(column, ["new"]) == [1 + MOST_LEVELS + binascii.crc32(b"'new'") % N_BUCKETS]


def test_levels_of_a_tiny_share_are_not_kept():
    names = [f"{i:06}" for i in range(20_000)]
    assert learned(names).levels == ()
    names = ["often"] * 10 + names
    assert learned(names).levels == ("often",)


def test_weights_count_as_repeated_rows():
    names = [f"{i:05}" for i in range(MOST_LEVELS + 2)]
    weight = np.ones(len(names))
    weight[-2:] = 2
    assert learned(names, weight) == learned(names + names[-2:])


def test_a_column_without_values_is_empty():
    column = learn_column("c", Read("number", np.full((2, 1), np.nan)), np.ones(2), is_category=False)
    assert column.kind == "empty"
    assert column.numeric_names == ()


def test_names_of_numbers():
    date = learn_column("d", Read("date", np.zeros((1, 6))), np.ones(1), is_category=False)
    assert date.numeric_names == ("d (year)", "d (month)", "d (day)", "d (hour)", "d (weekday)", "d (seconds)")
    assert learn_column(0, Read("number", np.zeros((1, 1))), np.ones(1), is_category=False).numeric_names == ("0",)


def test_booleans_as_numbers():
    np.testing.assert_array_equal(as_numbers(np.array([True, None, False], dtype=object), 1), [[1], [np.nan], [0]])
    np.testing.assert_array_equal(as_numbers(np.empty((2, 0)), 1), [[np.nan], [np.nan]])


@pytest.mark.parametrize(
    ("then", "now", "message"),
    [
        ("number", "text", "The column 'c' of X held numbers in fit, but holds text now."),
        ("number", "date", "The column 'c' of X held numbers in fit, but holds dates now."),
        ("text", "number", "The column 'c' of X held text in fit, but holds numbers now."),
    ],
)
def test_another_kind_is_refused(then, now, message):
    values = {"number": np.zeros((2, 1)), "date": np.zeros((2, 6)), "text": np.array(["a", "b"], dtype=object)}
    column = learn_column("c", Read(then, values[then]), np.ones(2), is_category=then == "text")
    with pytest.raises(TypeError) as err:
        check_kind(column, now)
    assert str(err.value) == f"{message} Give it in the form that it had in fit."
    check_kind(column, "empty")
