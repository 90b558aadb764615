"""`Inputs`: X of several arrays, which scikit-learn indexes by rows."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing

from skdeep import Inputs

IMAGE, TOKENS = np.arange(48.0).reshape(6, 2, 2, 2), np.arange(18).reshape(6, 3)


@pytest.fixture
def inputs():
    return Inputs(tokens=TOKENS, image=IMAGE)


def test_names_shape_and_repr(inputs):
    assert inputs.names == ("image", "tokens")
    assert inputs.shape == (6,)
    assert len(inputs) == 6
    assert repr(inputs) == "Inputs(image=(6, 2, 2, 2) float64, tokens=(6, 3) int64)"


@pytest.mark.parametrize(
    "index",
    [slice(1, 4), [0, 5], np.array([2, 2]), np.arange(6) % 2 == 0, slice(0, 0)],
    ids=["slice", "list", "repeated", "mask", "none"],
)
def test_indexing_takes_rows_of_each_array(inputs, index):
    for taken in (inputs[index], inputs[index, ...]):
        assert_array_equal(taken["image"], IMAGE[index])
        assert_array_equal(taken["tokens"], TOKENS[index])


def test_scikit_learn_can_split_inputs(inputs):
    assert_array_equal(_safe_indexing(inputs, np.array([3, 1]))["tokens"], TOKENS[[3, 1]])
    kept, left_out, codes, _ = train_test_split(inputs, np.arange(6), test_size=2, random_state=0)
    assert_array_equal(kept["image"], IMAGE[codes])
    assert len(left_out) == 2


def test_inputs_can_be_pickled(inputs):
    again = pickle.loads(pickle.dumps(inputs))
    assert_array_equal(again["tokens"], TOKENS)


def test_names_that_are_not_identifiers():
    assert Inputs({"a table": TOKENS}, image=IMAGE).names == ("a table", "image")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Inputs(), ValueError, "Inputs needs at least one array"),
        (lambda: Inputs({1: TOKENS}), TypeError, "names of Inputs must be strings. Got 1."),
        (lambda: Inputs(a=TOKENS, b=TOKENS[:2]), ValueError, r"same number of rows. Got \{'a': 6, 'b': 2\}"),
        (
            lambda: Inputs(a=np.arange(3)),
            ValueError,
            r"'a' must have rows .* Got shape \(3,\). .* reshape it to \(n, 1\)",
        ),
        (lambda: Inputs(a=TOKENS)[0], IndexError, r"For one row, give a slice or a list: \[\[0\]\]"),
        (lambda: Inputs(a=TOKENS)[:, 0], IndexError, "by a name or by rows only"),
        (lambda: iter(Inputs(a=TOKENS)), TypeError, r"use items\(\)"),
        (lambda: np.asarray(Inputs(a=TOKENS)), TypeError, r"give one of the arrays, such as X\['a'\]"),
    ],
)
def test_wrong_inputs_and_indices_raise(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_sparse_arrays_raise():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="'a' is sparse, .* Give a.toarray"):
        Inputs(a=csr_array(TOKENS))
