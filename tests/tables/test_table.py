"""A table: from a data frame to the inputs of a network, with RealMLP's preprocessing as reference."""

import dataclasses
import pathlib
import re

import numpy as np
import pandas as pd
import pytest

from skdeep.records import InputSpec
from skdeep.tables.frames import as_frame
from skdeep.tables.learning import learn_table
from skdeep.tables.table import one_hot

REFERENCE = np.load(pathlib.Path(__file__).parents[1] / "references" / "preprocessing.npz")


def reference_frame(part):
    frame = pd.DataFrame(REFERENCE[f"{part}/num"], columns=["normal", "heavy", "iqr0", "const"])
    for i, name in enumerate(["c2", "c5", "c12"]):
        frame[name] = [value or None for value in REFERENCE[f"{part}/cat"][:, i]]
    return as_frame(frame)


def learned(frame, scaling=None, categories="from_dtype", max_one_hot_levels=0):
    table, rows, warnings = learn_table(frame, np.ones(len(frame)), categories, scaling, "float64")
    table = dataclasses.replace(table, max_one_hot_levels=max_one_hot_levels)
    return table.with_scale_of(rows, np.ones(len(frame))), rows, warnings


@pytest.mark.parametrize("part", ["train", "new"])
def test_preprocessing_of_realmlp(part):
    table, _, _ = learned(reference_frame("train"), "robust", max_one_hot_levels=8)
    rows = table.read(reference_frame(part))
    np.testing.assert_array_equal(rows["category"], REFERENCE[f"{part}/cat_ids"])
    inputs = table.encode(rows)
    both = np.concatenate([inputs["numeric"], inputs["one_hot"]], axis=1)
    np.testing.assert_allclose(both, REFERENCE[f"{part}/out_f64"], atol=1e-12)
    np.testing.assert_array_equal(inputs["category"], REFERENCE[f"{part}/left_cat_ids"])


@pytest.mark.parametrize("part", ["train", "new"])
def test_preprocessing_of_realmlp_td_s(part):
    table, _, _ = learned(reference_frame("train"), "robust", max_one_hot_levels=100)
    inputs = table.encode(table.read(reference_frame(part)))
    both = np.concatenate([inputs["one_hot"], inputs["numeric"]], axis=1)
    np.testing.assert_allclose(both, REFERENCE[f"{part}/out_td_s"], atol=1e-12)


FRAME = as_frame(pd.DataFrame({"n": [1.0, None, 3.0], "c": ["a", "b", None], "e": [None] * 3, "m": [1, 2, 3]}))


def test_missing_numbers_have_a_category_of_their_own():
    table, rows, warnings = learned(FRAME)
    np.testing.assert_array_equal(rows["numeric"], [[1, 1], [np.nan, 2], [3, 3]])
    np.testing.assert_array_equal(rows["category"], [[1, 0], [2, 1], [0, 0]])
    assert table.specs == {"numeric": InputSpec((2,)), "category": InputSpec((2,), "int32", (3, 2))}
    np.testing.assert_array_equal(table.encode(rows)["numeric"], [[1, 1], [2, 2], [3, 3]])
    assert warnings == ["All values are missing in the column 'e' of X, which is not used."]


def test_a_table_of_numbers_is_one_array():
    table, rows, _ = learned(as_frame(pd.DataFrame({"a": [1.0, 3.0], "b": [0.0, 0.0]})), "standard")
    assert not table.has_categories
    np.testing.assert_array_equal(table.encode(rows), [[-1, 0], [1, 0]])


def test_a_column_without_values_may_get_values_later():
    table, _, _ = learned(FRAME)
    later = as_frame(pd.DataFrame({"n": [1.0], "c": ["a"], "e": [5.0], "m": [1]}))
    np.testing.assert_array_equal(table.read(later)["numeric"], [[1, 1]])


def test_numbers_that_are_missing_for_the_first_time():
    table, _, _ = learned(FRAME)
    later = table.read(as_frame(pd.DataFrame({"n": [1.0], "c": ["b"], "e": [None], "m": [None]})))
    np.testing.assert_array_equal(table.encode(later)["numeric"], [[1, 2]])  # 2 is the mean of 1, 2, 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("from_dtype", [False, True, False, True]),
        (None, [False] * 4),
        (["n"], [True, False, False, False]),
        ([0, 2], [True, False, True, False]),
        ([False, True, True, False], [False, True, True, False]),
        ([], [False] * 4),
    ],
)
def test_which_columns_are_categories(given, expected):
    frame = as_frame(pd.DataFrame({"n": [1.0, 2.0], "b": [True, False], "m": [3, 4], "k": pd.Categorical([1, 2])}))
    table, _, _ = learned(frame, categories=given)
    assert [column.is_category for column in table.columns] == expected


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (["x"], ValueError, "categorical_features names the column 'x', but X has the columns 'n', 'c', 'e', 'm'."),
        ([4], ValueError, "categorical_features names the column 4, but X has 4 columns, with positions from 0 to 3."),
        ([True], ValueError, "categorical_features is a mask of 1 values, but X has 4 columns. Give one value per column."),
        (None, TypeError, "The column 'c' of X holds text, but categorical_features=None does not name it. Add it, leave the column out"),
        (["n"], TypeError, "The column 'c' of X holds text, but categorical_features=['n'] does not name it."),
    ],
)  # fmt: skip
def test_categories_that_cannot_be(given, error, message):
    with pytest.raises(error) as err:
        learned(FRAME, categories=given)
    assert message in str(err.value)


def test_a_table_of_nothing_is_refused():
    with pytest.raises(ValueError, match="X has no column with values: all values are missing."):
        learned(as_frame(pd.DataFrame({"e": [None, None]})))


def test_infinity_is_refused_where_it_would_stay():
    frame = as_frame(pd.DataFrame({"c": ["a", "b"], "n": [1.0, np.inf]}))
    message = (
        "Input X contains infinity or a value too large: inf in row 1 of the column 'n'. Replace it, for example by a missing "
        "value, or set numeric_scaling='robust'."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        learned(frame)
    assert np.isfinite(learned(frame, "robust")[0].encode(learned(frame, "robust")[1])["numeric"]).all()


def test_an_identifier_is_reported():
    frame = as_frame(pd.DataFrame({"id": [f"{i}" for i in range(1200)], "n": np.arange(1200)}))
    (warning,) = learned(frame)[2]
    assert warning == (
        "Most rows have a value of their own in the column 'id' of X, which looks like an identifier. Such a category says nothing of "
        "new rows: leave it out."
    )


def test_one_hot_columns():
    np.testing.assert_array_equal(one_hot(np.array([0, 1]), 2), [[-1], [1]])
    np.testing.assert_array_equal(one_hot(np.array([0, 1, 2]), 3), [[0], [1], [-1]])
    np.testing.assert_array_equal(one_hot(np.array([0, 1, 3]), 4), [[0, 0, 0], [1, 0, 0], [0, 0, 1]])
