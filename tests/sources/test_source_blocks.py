"""Blocks as arrays of numbers and labels, with messages that name the row in the whole data."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skdeep.sources.blocks import joined, labels_of, numbers_of, read_block, taken
from skdeep.sources.sliced import SlicedSource

COLUMNS = {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}
FRAMES = [pd.DataFrame(COLUMNS), pl.DataFrame(COLUMNS), pa.table(COLUMNS)]


@pytest.mark.parametrize("frame", FRAMES, ids=["pandas", "polars", "pyarrow"])
def test_tables_become_arrays(frame):
    assert numbers_of(frame, 0).tolist() == [[1, 0.5], [2, 1.5], [3, 2.5]]
    assert numbers_of(taken(frame, np.array([2, 0])), 0).tolist() == [[3, 2.5], [1, 0.5]]
    assert numbers_of(joined([frame, frame]), 0).shape == (6, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "bool"])
def test_the_dtype_of_numbers(dtype):
    expected = "float32" if dtype == "float32" else "float64"
    values = np.ones((3, 2), dtype)
    assert numbers_of(values, 0).dtype == expected
    assert numbers_of(pd.DataFrame(values), 0).dtype == expected
    assert numbers_of(values.astype(object), 0).dtype == "float64"


def test_values_that_are_no_numbers():
    with pytest.raises(TypeError, match="X must hold numbers. Got values of type object from row 7 on"):
        numbers_of(np.array([["a"]], dtype=object), 7)
    with pytest.raises(TypeError, match="column 'a' of X held numbers in fit"):
        numbers_of(pd.DataFrame({"a": ["x"]}), 7)


def test_values_that_are_not_finite():
    with pytest.raises(ValueError, match="Input X contains NaN in row 11, column 'b'"):
        numbers_of(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, None]}), 10)
    with pytest.raises(ValueError, match="Input y contains infinity in row 11. y that is read"):
        numbers_of(np.array([1.0, np.inf]), 10, "y")
    large = np.full((3, 1), np.finfo(np.float64).max)
    assert numbers_of(large, 0) is large


def test_labels():
    assert labels_of(pa.table({"y": ["a", "b"]}), 0).tolist() == ["a", "b"]
    assert labels_of(np.array([[1], [2]]), 0).tolist() == [1, 2]
    assert labels_of(np.array([[1, 0], [0, 1]]), 0).shape == (2, 2)
    with pytest.raises(ValueError, match="Input y contains missing values, the first in row 6"):
        labels_of(pa.table({"y": ["a", None]}), 5)


def test_a_source_that_returns_too_few_rows():
    class Short:
        def __len__(self):
            return 10

        def __getitem__(self, index):
            return np.zeros((1, 2))

    with pytest.raises(ValueError, match="X returned 1 rows for the rows 2 to 4 of 10"):
        read_block(SlicedSource(Short()), 2, 5, "X")
