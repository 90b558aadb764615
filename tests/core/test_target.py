"""Targets: codes of classes and labels, scales in exact arithmetic, types, and weights of classes."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from skdeep.core.target import (
    TargetScale,
    balanced_weights,
    check_domain,
    check_same_form,
    decode_labels,
    decode_values,
    encode_classes,
    encode_labels,
    encode_values,
    fit_label_codes,
    fit_scale,
    mean_and_deviation,
    narrowed,
    narrowest_dtype,
)
from skdeep.losses import Bernoulli, Poisson, SquaredError
from skdeep.records import Task

QUICK = settings(deadline=None, max_examples=100, derandomize=True)
rng = np.random.default_rng(0)


def scale_of(mean, scale):
    return TargetScale(np.atleast_1d(np.float64(mean)), np.atleast_1d(np.float64(scale)))


# Classes and labels.


@pytest.mark.parametrize(
    "y",
    [
        np.array([3, 1, 1, 7, 3]),
        np.array([2.5, -1.0, 2.5]),
        np.array([True, False, True]),
        np.array(["b", "a", "c", "a"]),
        np.array(["b", "a", "c", "a"], dtype=object),
        np.array([b"b", b"a"]),
    ],
    ids=lambda y: str(y.dtype),
)
def test_codes_of_classes_equal_those_of_label_encoder(y):
    encoder = LabelEncoder().fit(y)
    codes = encode_classes(y, encoder.classes_)
    assert codes.dtype == np.int32
    np.testing.assert_array_equal(codes, encoder.transform(y))
    np.testing.assert_array_equal(encoder.classes_[codes], y)


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (
            [1, 5, 4],
            [1, 2, 3],
            "labels that are not among the classes: array([4, 5]). The classes are array([1, 2, 3]).",
        ),
        (
            ["a"],
            [1, 2],
            "y (or y_val) holds strings, but the classes are numbers: array([1, 2]). Give labels of one kind.",
        ),
        ([1], ["1", "2"], "y (or y_val) holds numbers, but the classes are strings: array(['1', '2'], dtype='<U1')."),
    ],
)
def test_unknown_labels_raise(y, classes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        encode_classes(np.array(y), np.array(classes))


@pytest.mark.parametrize(
    ("y", "announced", "expected"),
    [
        ([[0, 1], [1, 1]], None, [0, 1]),
        ([[0, 0], [0, 0]], None, [0, 1]),
        ([[1, 1]], None, [0, 1]),
        ([[-1, 1], [1, 1]], None, [-1, 1]),
        ([[2.0, 0.0]], None, [0, 2]),
        ([[False, True]], None, [False, True]),
        ([[2, 2]], [-1, 2], [-1, 2]),
        ([[1, 1]], [1, 2], [1, 2]),
        ([[5, 3]], [1, 2], [3, 5]),  # values that were not announced are taken from y
        ([[0, 1]], [0, 1, 2], [0, 1]),  # three announced values cannot be codes of labels
    ],
)
def test_codes_of_labels(y, announced, expected):
    y = np.array(y)
    codes = fit_label_codes(y, None if announced is None else np.array(announced))
    assert codes.dtype == y.dtype
    np.testing.assert_array_equal(codes, expected)
    encoded = encode_labels(y, codes)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, [[float(value == expected[1]) for value in row] for row in y.tolist()])
    decoded = decode_labels(encoded, codes)
    assert decoded.dtype == y.dtype
    np.testing.assert_array_equal(decoded, y)


def test_label_codes_that_are_unknown_or_too_many_raise():
    message = (
        "y has several columns of labels, which must hold 0 and 1 or two other values. Got the values [2]. Give rows with both "
        "values, absent and present, or labels of 0 and 1."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_label_codes(np.array([[2, 2]]))
    with pytest.raises(ValueError, match=re.escape("Got the values [0, 1, 2].")):
        fit_label_codes(np.array([[0, 1], [2, 2]]))


def test_labels_in_other_codes_raise():
    message = "y (or y_val) holds the values [-1, 1], but the labels of the first y were [0, 1] (absent, present). Give the same codes."
    with pytest.raises(ValueError, match=re.escape(message)):
        encode_labels(np.array([[-1, 1]]), np.array([0, 1]))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("found", ["binary", "multiclass", "multilabel-indicator"])
def test_a_change_between_labels_and_indicator_matrices_raises(kind, found):
    task = Task(kind, 3)
    if (kind == "multilabel") == (found == "multilabel-indicator"):
        check_same_form(task, found, "DeepClassifier")
        return
    message = (
        f"y has {found.removesuffix('-indicator')} targets, but DeepClassifier was trained on {kind} ones. Give y (and y_val) in "
        "the form of the first y, or fit a clone instead."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check_same_form(task, found, "DeepClassifier")


# Domains.


DOMAINS = [
    (SquaredError(), [[-5.0], [0.0], [1e300]], {}, None),
    (Poisson(), [[0.0], [3.0]], {}, None),
    (
        Poisson(),
        [[1.0], [2.0], [-0.5]],
        {},
        "The loss Poisson needs y >= 0. Got -0.5 in row 2. Choose another loss, such as",
    ),
    (
        Poisson(),
        [[1.0, 2.0], [2.0, -3.0]],
        {"name": "X"},
        "The loss Poisson needs X >= 0. Got -3.0 in row 1, output 1. Choose",
    ),
    (
        Poisson(),
        [[0.0, 1.0], [0.0, 2.0]],
        {},
        "The loss Poisson needs at least one y > 0 in each output. Got only zeros.",
    ),
    (Poisson(), [[0.0, 1.0], [0.0, 2.0]], {"scaled_by": scale_of([1, 1], [1, 1])}, None),
    (Bernoulli(), [[0.0], [0.3], [1.0]], {}, None),
    (Bernoulli(), [[0.0], [1.5]], {}, "The loss Bernoulli needs y in [0, 1]. Got 1.5 in row 1. Choose another loss"),
]


@pytest.mark.parametrize(("loss", "y", "options", "message"), DOMAINS)
def test_targets_outside_of_the_domain_raise(loss, y, options, message):
    if message is None:
        check_domain(loss, np.array(y), **options)
        return
    with pytest.raises(ValueError, match=re.escape(message)):
        check_domain(loss, np.array(y), **options)


# Scales.


def exact(y, weight):
    """Return the weighted mean and variance in exact arithmetic."""
    y, weight = [Fraction(v) for v in y], [Fraction(w) for w in weight]
    mean = sum(w * v for w, v in zip(weight, y, strict=True)) / sum(weight)
    return mean, sum(w * (v - mean) ** 2 for w, v in zip(weight, y, strict=True)) / sum(weight)


def root(value):
    """Return the square root of a fraction that may be too large or too small for float64."""
    shift = (value.numerator.bit_length() - value.denominator.bit_length()) // 2 if value else 0
    return Fraction(math.sqrt(value / Fraction(2) ** (2 * shift))) * Fraction(2) ** shift


@QUICK
@given(
    st.lists(
        st.tuples(st.floats(-1, 1, width=32), st.sampled_from([0.0, 0.1, 1.0, 3.0])), min_size=2, max_size=8
    ).filter(lambda rows: any(weight for _, weight in rows)),
    st.sampled_from([0, -900, 900, 1020]),
    st.sampled_from([0, -900, 1021]),
)
def test_mean_and_deviation_in_exact_arithmetic(rows, exponent, weight_exponent):
    y = np.ldexp([value for value, _ in rows], exponent)
    weight = np.ldexp([w for _, w in rows], weight_exponent)
    mean, variance = exact(y.tolist(), weight.tolist())
    ((found_mean,), (found_deviation,)) = mean_and_deviation(y[:, None], weight)
    largest = np.abs(y).max()
    np.testing.assert_allclose(found_mean, float(mean), rtol=1e-14, atol=1e-15 * largest)
    deviation = float(root(variance))
    if deviation > 1e-12 * largest:
        np.testing.assert_allclose(found_deviation, deviation, rtol=1e-3 if deviation < 1e-9 * largest else 1e-6)


def test_deviation_of_two_values():
    """The standard deviation of two values is half of their difference."""
    y = np.array([[1e308, 1e-300, 3.0, 1e8, -2e-310], [-1e308, 3e-300, 3.0, 1e8 + 2, 2e-310]])
    mean, deviation = mean_and_deviation(y, np.ones(2))
    np.testing.assert_allclose(mean, [0.0, 2e-300, 3.0, 1e8 + 1, 0.0], rtol=1e-15)
    np.testing.assert_allclose(deviation, [1e308, 1e-300, 0.0, 1.0, 2e-310], rtol=1e-12)


@pytest.mark.parametrize("constant", [0.1, 1e308, 5e-324, -3.7e12])
def test_a_target_that_is_constant_up_to_rounding_has_no_deviation(constant):
    y = np.full((1000, 1), constant)
    y[::2] = np.nextafter(constant, np.inf) if abs(constant) < 1e300 and abs(constant) > 1e-300 else constant
    mean, deviation = mean_and_deviation(y, rng.uniform(size=1000))
    np.testing.assert_allclose(mean, constant, rtol=1e-14)
    assert deviation == 0
    assert fit_scale(SquaredError(), y[:2] if abs(constant) < 1e300 else y[:2] / 1e10, np.ones(2)).scale == 1


@pytest.mark.parametrize(
    "weight", [np.ones(50), rng.uniform(size=50), np.arange(50.0)], ids=["equal", "any", "with zero"]
)
def test_scales_equal_those_of_standard_scaler(weight):
    y = rng.normal(size=(50, 3)) * [1, 1e3, 1e-5] + [0, -1e4, 1]
    scaler = StandardScaler().fit(y, sample_weight=weight)
    scale = fit_scale(SquaredError(), y, weight)
    np.testing.assert_allclose(scale.mean, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(scale.scale, scaler.scale_, rtol=1e-9)
    encoded = encode_values(y, scale, np.float64)
    np.testing.assert_allclose(encoded, scaler.transform(y), rtol=1e-7, atol=1e-9)
    assert encode_values(y, scale).dtype == np.float32
    np.testing.assert_allclose(decode_values(encoded, scale), y, rtol=1e-12)


def test_the_scale_depends_on_scaling_of_the_loss():
    y, weight = np.array([[0.0, 2.0], [0.0, 4.0], [0.0, 12.0]]), np.array([1.0, 1.0, 2.0])
    mean, scale = fit_scale(Poisson(), y, weight)
    np.testing.assert_allclose((mean, scale), [[0, 0], [1, 7.5]])
    np.testing.assert_allclose(fit_scale(Bernoulli(), y, weight), [[0, 0], [1, 1]])


def test_targets_near_the_largest_float64_raise():
    message = "Input y contains values too large for dtype('float64'): up to np.float64(1e+308). Scale y."
    with pytest.raises(ValueError, match=re.escape(message)):
        fit_scale(SquaredError(), np.array([[1e308], [-1e308]]), np.ones(2))
    fit_scale(SquaredError(), np.array([[1e305], [-1e305]]), np.ones(2))


def test_values_are_encoded_per_output_and_decoded_with_more_axes():
    scale = scale_of([1.0, -2.0], [2.0, 0.5])
    np.testing.assert_array_equal(encode_values(np.array([[5.0, -1.0]]), scale), [[2.0, 2.0]])
    np.testing.assert_array_equal(decode_values(np.array([[2.0, 2.0]]), scale), [[5.0, -1.0]])
    levels = np.array([[[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]])
    np.testing.assert_array_equal(decode_values(levels, scale), [[[1.0, 3.0, 5.0], [-2.0, -1.5, -1.0]]])


def test_values_too_large_for_the_type_of_training_raise():
    message = "Input y contains a value too large for dtype('float32'): array([0.e+00, 1.e+40]) in row 1. Scale y."
    with pytest.raises(ValueError, match=re.escape(message)):
        encode_values(np.array([[0.0, 0.0], [0.0, 1e40]]), scale_of([0, 0], [1, 1]))


# Types of predictions.


@pytest.mark.parametrize(
    ("mean", "scale", "expected"),
    [
        (0, 1, "float32"),
        (4095, 1, "float32"),
        (4096, 1, "float64"),
        (-4095, 1, "float32"),
        (-1e8, 1, "float64"),
        (1e8, 1e6, "float32"),
        (0, 1e35, "float32"),
        (0, 1e36, "float64"),
        (0, 2e-35, "float32"),
        (0, 1e-35, "float64"),
        ([0, 1e8], [1, 1], "float64"),
    ],
)
def test_predictions_are_float32_if_it_is_precise_enough(mean, scale, expected):
    assert narrowest_dtype(scale_of(mean, scale)) == expected
    if expected == "float32":
        values = mean + scale * np.linspace(-1, 1, 1001)
        error = np.abs(values.astype(np.float32).astype(float) - values).max()
        assert error <= scale / 1000


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0.1, 1e38], np.float32, np.float32),
        ([0.1, 1e39], np.float32, np.float64),
        ([0.1, np.inf, np.nan, 1e-60], np.float32, np.float32),
        ([0.1, 1e5], np.float16, np.float64),
        ([0.1], np.float64, np.float64),
    ],
)
def test_predictions_are_narrowed_unless_one_would_overflow(values, dtype, expected):
    values = np.array([values])
    found = narrowed(values, dtype)
    assert found.dtype == expected
    assert (found is values) == (expected == np.float64)
    np.testing.assert_array_equal(found, [[expected(v) for v in row] for row in values.tolist()])


# Weights of classes.


@pytest.mark.parametrize(("kind", "n_classes"), [("binary", 2), ("multiclass", 5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_weights_equal_scikit_learns(kind, n_classes, weighted):
    codes = np.r_[np.arange(n_classes), rng.integers(0, n_classes, 40), np.zeros(17, int)].astype(np.int32)
    weight = rng.uniform(0.1, 3, len(codes)) if weighted else np.ones(len(codes))
    found = balanced_weights(weight, codes, Task(kind, n_classes))
    expected = compute_class_weight("balanced", classes=np.arange(n_classes), y=codes, sample_weight=weight)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    totals = np.bincount(codes, weight * found[codes])
    np.testing.assert_allclose(totals, weight.sum() / n_classes)


@pytest.mark.parametrize("weight", [[1.0, 1.0, 2.0], [1.0, 0.0, 3.0]])
def test_a_class_without_weight_gets_1_and_the_others_balanced_weights(weight):
    codes = np.array([0, 1, 3], np.int32)
    found = balanced_weights(np.array(weight), codes, Task("multiclass", 4))
    present = [code for code, w in zip(codes, weight, strict=True) if w]
    expected = [sum(weight) / len(present) / weight[list(codes).index(k)] if k in present else 1.0 for k in range(4)]
    np.testing.assert_allclose(found, expected)


def test_mean_and_deviation_of_values_whose_difference_overflows():
    y = np.array([1.7e308] * 9 + [-1.7e308])[:, None]
    mean, deviation = mean_and_deviation(y, np.ones(10))
    np.testing.assert_allclose([mean, deviation], [[0.8 * 1.7e308], [0.6 * 1.7e308]])
    with pytest.raises(ValueError, match="values too large for dtype"):
        fit_scale(SquaredError(), y, np.ones(10))
