"""From X to encoded rows: shapes of rows, types, duplicate sparse entries, and values that are too large."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse as sp

from skdeep.core.encode import dense_block, encode_rows, is_sparse, row_shape

X = np.arange(24.0).reshape(4, 6)
FORMS = {
    "csr_matrix": sp.csr_matrix,
    "csr_array": sp.csr_array,
}


@pytest.mark.parametrize(
    ("columns", "input_shape", "expected"),
    [
        ((6,), None, (6,)),
        ((2, 3), None, (2, 3)),
        ((6,), (2, 3), (2, 3)),
        ((2, 3), (6,), (6,)),
        ((6,), (3, 1, 2), (3, 1, 2)),
    ],
)
def test_row_shape_is_input_shape_if_given(columns, input_shape, expected):
    assert row_shape(columns, input_shape) == expected


def test_an_input_shape_of_another_size_raises():
    message = (
        "The 'input_shape' parameter is (2, 4), which is 8 values per row, but X has 6 values per row. "
        "Give an input_shape whose product is 6."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        row_shape((2, 3), (2, 4))


@pytest.mark.parametrize("given", [np.int64, np.uint8, np.bool_, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_cast_and_not_copied_if_the_type_is_right(given, dtype):
    x = X.astype(given)
    encoded = encode_rows(x, dtype)
    assert encoded.dtype == dtype
    np.testing.assert_array_equal(encoded, x)
    assert (encoded is x) == (given == dtype)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_duplicate_and_unsorted_entries_are_summed_and_sorted(form, dtype):
    """NumPy adds the entries up for the expected dense array."""
    row, column = [0, 0, 0, 2, 2, 2, 3], [5, 1, 5, 4, 0, 4, 3]
    value = [1.0, 2.0, 0.5, -1.0, 3.0, 1.0, 0.0]
    expected = np.zeros((4, 6))
    np.add.at(expected, (row, column), value)
    x = FORMS[form]((np.array(value), np.array(column), np.array([0, 3, 3, 6, 7])), shape=(4, 6))
    before = x.data.copy(), x.indices.copy(), x.indptr.copy()
    encoded = encode_rows(x, dtype)
    assert type(encoded) is FORMS[form]
    assert encoded.dtype == dtype
    assert encoded.has_canonical_format
    assert encoded.nnz == 5
    np.testing.assert_array_equal(encoded.toarray(), expected)
    for left, right in zip((x.data, x.indices, x.indptr), before, strict=True):
        np.testing.assert_array_equal(left, right)


LARGE = X.copy()
LARGE[2, 3] = -1e39


def test_the_largest_float32_is_accepted():
    """A float64 halfway between the largest float32 and the next power of two rounds to infinity."""
    largest = float(np.finfo(np.float32).max)
    np.testing.assert_array_equal(encode_rows(np.array([[largest, -largest]] * 3)), [[largest, -largest]] * 3)
    with pytest.raises(ValueError, match="too large"):
        encode_rows(np.array([[largest + 2.0**103]]))


@pytest.mark.parametrize("n_axes", [2, 3])
def test_the_error_gives_a_too_large_value_and_its_index(n_axes):
    x = LARGE if n_axes == 2 else LARGE.reshape(4, 2, 3)
    place = (2, 3) if n_axes == 2 else (2, 1, 0)
    message = (
        f"Input X contains a value too large for dtype('float32'): {np.float64(-1e39)!r} at {place}. "
        "Scale the column, for example with StandardScaler."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        encode_rows(x)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_too_large_sparse_values_raise(form):
    with pytest.raises(ValueError, match=re.escape(f"too large for dtype('float32'): {np.float64(-1e39)!r}")):
        encode_rows(form(LARGE))


@pytest.mark.parametrize("form", [np.asarray, *FORMS.values()], ids=["dense", *FORMS])
@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 1, 2)])
@pytest.mark.parametrize("index", [slice(1, 3), np.array([3, 0, 3]), slice(0, 0)], ids=["slice", "positions", "none"])
def test_blocks_are_dense_rows_in_the_networks_shape(form, shape, index):
    x = form(X)
    assert is_sparse(x) == (form is not np.asarray)
    block = dense_block(x, index, shape)
    assert type(block) is np.ndarray
    np.testing.assert_array_equal(block, X[index].reshape(-1, *shape))


def test_duplicate_entries_whose_sum_is_too_large_raise():
    for dtype, large in ((np.float32, 3e38), (np.float64, 1.5e308)):
        x = sp.csr_matrix((np.array([large, large], dtype), [1, 1], [0, 0, 2]), shape=(2, 3))
        with pytest.raises(ValueError, match=r"too large for .* at \(1, 1\)"):
            encode_rows(x, dtype)


def test_the_error_gives_row_and_column_of_a_sparse_value():
    x = sp.csr_matrix(np.array([[1.0, 0, 0], [0, 0, 1e39]]))
    with pytest.raises(ValueError, match=r"at \(1, 2\)"):
        encode_rows(x)
