"""Inputs of a network, one array or several by name: their specs, and rows in this form."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix

from skdeep import Inputs, InputSpec
from skdeep.core import inputs
from skdeep.core.placement import Placement

NAMED = inputs.hashable_specs({"table": InputSpec((3,)), "ids": InputSpec((2,), "int32", 9)})
X = Inputs(table=np.arange(6.0).reshape(2, 3), ids=np.arange(4).reshape(2, 2))
FORMS = {"shape": (4, 2), "one": InputSpec((4, 2), "int32"), "named": NAMED, "empty": ()}


@pytest.mark.parametrize(
    ("form", "names", "built_for", "shapes", "n_axes"),
    [
        ("shape", False, (4, 2), (4, 2), 2),
        ("one", False, (4, 2), (4, 2), 2),
        ("named", True, dict(NAMED), {"table": (3,), "ids": (2,)}, 1),
        ("empty", False, (), (), 0),
    ],
)
def test_properties_of_each_form_of_in_shape(form, names, built_for, shapes, n_axes):
    in_shape = FORMS[form]
    hash(in_shape)
    assert inputs.hashable_specs(in_shape) == in_shape
    assert inputs.has_names(in_shape) is names
    assert inputs.as_built_for(in_shape) == built_for
    assert inputs.row_shapes(in_shape) == shapes
    assert inputs.most_axes(in_shape) == n_axes


def test_example_rows_have_the_types_of_the_inputs():
    example = inputs.example_of(NAMED, 5, np.float32)
    assert {name: (rows.shape, str(rows.dtype)) for name, rows in example.items()} == {
        "ids": ((5, 2), "int32"),
        "table": ((5, 3), "float32"),
    }
    assert inputs.example_of((4, 2), 1, np.float32).shape == (1, 4, 2)


def test_rows_are_reshaped_for_the_network():
    images = inputs.hashable_specs({"table": InputSpec((3, 1)), "ids": InputSpec((2,), "int32")})
    shaped = inputs.in_shape_for(X, images)
    assert_array_equal(shaped["table"], X["table"][:, :, None])
    assert_array_equal(inputs.in_shape_for(np.arange(16.0).reshape(2, 8), (4, 2)), np.arange(16.0).reshape(2, 4, 2))


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (np.zeros((2, 1), np.float32), "float32"),
        (csr_matrix(np.eye(2)), "float64"),
        (X, "float64"),
        ({"a": np.zeros((2, 1), np.float32), "b": np.zeros((2, 1), np.int32)}, "float32"),
    ],
    ids=["array", "sparse", "inputs", "dict"],
)
def test_floating_type_of_rows(x, dtype):
    assert inputs.float_dtype(x) == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floating_type_of_rows_of_ids_is_the_type_of_training(dtype):
    with Placement("cpu", 0, dtype).active():
        assert inputs.float_dtype(np.zeros((2, 1), np.int32)) == dtype


def test_columns_and_arrays():
    assert inputs.columns_of(X) == {"ids": (2,), "table": (3,)}
    assert inputs.columns_of(np.zeros((5, 2))) == (2,)
    assert [array.shape for array in inputs.arrays_of(X)] == [(2, 2), (2, 3)]
