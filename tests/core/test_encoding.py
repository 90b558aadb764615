"""Encodings: each kind of target decodes the raw outputs that belong to its encoded values."""

import pickle

import numpy as np
import pytest

from skdeep.core.encoding import Classes, Encoding, Labels, RowItself, Values
from skdeep.core.target import TargetScale
from skdeep.losses import CrossEntropy, Poisson, Quantile, SquaredError
from skdeep.records import Task

MANY = 30.0  # raw outputs of this size have probabilities of almost 1


def encoding_of(target, dtype="float32"):
    return Encoding(target, columns=(2,), in_shape=(2,), dtype=dtype)


def test_class_labels_are_encoded_and_decoded():
    y = np.array(["b", "a", "c", "a"])
    encoding = encoding_of(Classes(np.unique(y)))
    codes = encoding.encode_target(y)
    assert encoding.task == Task("multiclass", 3)
    np.testing.assert_array_equal(codes, [1, 0, 2, 0])
    np.testing.assert_array_equal(encoding.target.restore(codes), y)
    np.testing.assert_array_equal(encoding.decode(CrossEntropy(), MANY * np.eye(3)[codes]), y)
    with pytest.raises(ValueError, match="not among the classes"):
        encoding.encode_target(np.array(["d"]))


def test_two_classes_are_binary_and_a_single_class_is_always_predicted():
    two = encoding_of(Classes(np.array([False, True])))
    assert two.task == Task("binary", 2)
    np.testing.assert_array_equal(two.decode(CrossEntropy(), np.array([[-1.0], [1.0]])), [False, True])
    one = encoding_of(Classes(np.array(["only"])))
    np.testing.assert_array_equal(one.decode(CrossEntropy(), np.array([[-1.0], [1.0]])), ["only", "only"])


@pytest.mark.parametrize("codes", [(0, 1), (-1, 1), (2, 5)])
def test_indicator_matrices_are_encoded_and_decoded_in_the_users_codes(codes):
    y = np.array([[1, 0, 1], [0, 0, 1]])
    given = np.array(codes)[y]
    encoding = encoding_of(Labels(3, np.array(codes)), "float64")
    encoded = encoding.encode_target(given)
    assert encoded.dtype == np.float64
    np.testing.assert_array_equal(encoded, y)
    np.testing.assert_array_equal(encoding.target.restore(encoded), given)
    np.testing.assert_array_equal(encoding.decode(CrossEntropy(), 2.0 * y - 1), given)
    np.testing.assert_array_equal(encoding.target.classes, [0, 1, 2])


@pytest.mark.parametrize("is_1d", [True, False])
def test_values_are_decoded_in_units_and_form_of_y(is_1d):
    y = np.array([[100.0], [300.0]])
    encoding = encoding_of(Values(1, is_1d)).with_scale(TargetScale(np.array([200.0]), np.array([100.0])))
    encoded = encoding.encode_target(y)
    np.testing.assert_array_equal(encoded, [[-1], [1]])
    np.testing.assert_array_equal(encoding.decode(SquaredError(), encoded.astype(float)), y[:, 0] if is_1d else y)
    poisson = encoding.with_scale(TargetScale(np.zeros(1), np.array([10.0])))
    np.testing.assert_allclose(poisson.decode(Poisson(), np.array([[0.0], [1.0]])).ravel(), [10, 10 * np.e], rtol=1e-6)


def test_several_predictions_per_output_keep_their_axis():
    encoding = encoding_of(Values(1, is_1d=True)).with_scale(TargetScale(np.zeros(1), np.ones(1)))
    loss, raw = Quantile((0.1, 0.5, 0.9)), np.zeros((4, 3))
    assert encoding.decode(loss, raw).shape == (4, 3)
    assert encoding.target.decode_point(loss, raw).shape == (4,)


def test_predictions_are_float64_if_float32_is_not_precise_enough():
    far = TargetScale(np.array([1e8]), np.array([1.0]))
    assert encoding_of(Values(1, True)).with_scale(far).decode(SquaredError(), np.zeros((2, 1))).dtype == np.float64
    assert encoding_of(Values(1, True)).decode(SquaredError(), np.zeros((2, 1))).dtype == np.float32


def test_the_target_of_an_autoencoder_is_the_flat_row():
    x = np.arange(12.0).reshape(2, 3, 2)
    encoding = encoding_of(RowItself((3, 2)))
    assert encoding.task == Task("regression", 6)
    np.testing.assert_array_equal(encoding.encode_target(x), x.reshape(2, 6))


def test_rows_are_cast_and_checked():
    assert encoding_of(Classes(np.arange(2))).encode(np.ones((3, 2))).dtype == np.float32
    with pytest.raises(ValueError, match="too large"):
        encoding_of(Classes(np.arange(2))).encode(np.array([[1e39, 0.0]]))


def test_an_encoding_can_be_pickled():
    encoding = pickle.loads(pickle.dumps(encoding_of(Classes(np.array(["a", "b"])))))
    np.testing.assert_array_equal(encoding.encode_target(np.array(["b"])), [1])
