"""Weights, the merging of equal rows, and the choice of held-out rows."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from skdeep.core import rows as rows_module
from skdeep.core.rows import (
    WeightedRows,
    are_divisible,
    bounded_weights,
    choose_held_out,
    drop_zero_weights,
    hash_rows,
    merge_equal_rows,
    padded_size,
    unit_mean,
)

QUICK = settings(deadline=None, max_examples=100, derandomize=True)

X = np.array([[3.0], [1.0], [3.0], [2.0], [3.0]])
ZEROS = np.zeros(5, np.int32)


def merged(weight, x=X, **options):
    return merge_equal_rows(WeightedRows(x, np.zeros(len(x), np.int32), np.asarray(weight, float)), **options)


def test_weights_are_sums_and_positions_lead_to_the_merged_row():
    rows, position = merged([1, 1, 1, 1, 1])
    for k in range(len(rows.x)):
        assert rows.weight[k] == (X[:, 0] == rows.x[k, 0]).sum()
    np.testing.assert_array_equal(rows.x[position], X)


def test_rows_of_weight_zero_have_position_minus_1():
    rows, position = merged([0, 1, 2, 3, 0])
    np.testing.assert_array_equal(position < 0, [True, False, False, False, True])
    np.testing.assert_array_equal(rows.x[position[1:4]], X[1:4])
    assert len(rows.x) == 3


def test_with_keep_order_rows_keep_the_order_of_first_occurrence():
    rows, position = merged([1, 5, 1, 2, 1], keep_order=True)
    np.testing.assert_array_equal(rows.x[:, 0], [3, 1, 2])
    np.testing.assert_array_equal(rows.weight / rows.weight[0], [1, 5 / 3, 2 / 3])
    np.testing.assert_array_equal(position, [0, 1, 0, 2, 0])


@pytest.mark.parametrize("factor", [1.0, 10.0, 0.1, 1 / 3, 7e-300, 1e300, 2.0**-1000])
def test_merging_does_not_depend_on_the_scale_of_weights(factor):
    """Three merged rows of weight 0.1 weigh as much as a row of weight 0.3, up to rounding in float64."""
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


def test_bounded_weights_are_exact():
    weight = np.array([0.1, 0.7, 123.456, 0.0])
    ratio = bounded_weights(weight)[:3] / weight[:3]
    assert (ratio == ratio[0]).all()
    assert np.frexp(ratio[0])[0] == 0.5  # a power of two


@pytest.mark.parametrize(("sizes", "fraction"), [((196, 5), 0.1), ((95, 4), 0.1), ((38, 2), 2), ((5, 5, 5), 3)])
def test_every_class_has_a_held_out_row_and_a_training_row(sizes, fraction):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    is_held_out = choose_held_out(codes, fraction, True, np.random.default_rng(0))
    wanted = fraction if isinstance(fraction, int) else round(fraction * len(codes))
    assert is_held_out.sum() == wanted
    assert set(codes[is_held_out]) == set(codes[~is_held_out]) == set(range(len(sizes)))


def test_the_row_of_a_class_of_one_row_is_not_held_out():
    codes = np.array([0] * 20 + [1])
    for seed in range(20):
        assert not choose_held_out(codes, 0.5, True, np.random.default_rng(seed))[-1]


def test_the_share_of_classes_of_one_row_is_drawn_from_other_classes():
    codes = np.array([*range(10), *[10] * 10])
    is_held_out = choose_held_out(codes, 5, True, np.random.default_rng(0))
    assert (is_held_out.sum(), is_held_out[:10].sum()) == (5, 0)
    # One row of each class is not held out.
    assert choose_held_out(codes, 15, True, np.random.default_rng(0)).sum() == 9


@pytest.mark.parametrize("n_wanted", [20, 30])
def test_holding_out_all_rows_by_class_raises(n_wanted):
    with pytest.raises(ValueError, match="leaves 0 to train on and 20 to validate on"):
        choose_held_out(np.arange(20) % 2, n_wanted, True, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("target", "fraction", "stratify"),
    [([0, 1, 2], 0.2, True), ([0, 1, 2, 2], 0.2, True), ([0, 1], 0.2, False), ([0], 0.2, False), ([0, 0, 0], 3, True)],
)
def test_rows_are_divisible_if_some_can_be_held_out(target, fraction, stratify):
    target, can_hold_out = np.array(target), True
    try:
        choose_held_out(target, fraction, stratify, np.random.default_rng(0))
    except ValueError:
        can_hold_out = False
    assert are_divisible(target, fraction, stratify) == can_hold_out


def test_without_a_generator_the_last_rows_are_held_out():
    is_held_out = choose_held_out(np.arange(20) % 2, 0.25, True, None)
    np.testing.assert_array_equal(is_held_out, np.arange(20) >= 15)
    with pytest.raises(ValueError, match="leaves 0 to train on and 20 to validate on"):
        choose_held_out(np.zeros(20), 30, False, None)


# Padded sizes.


@QUICK
@given(st.integers(1, 10**9))
def test_padded_size_is_the_smallest_allowed_size(n):
    power = 32
    while power < n:
        power *= 2
    size = padded_size(n)
    if n <= 4096:
        assert size == power
    else:
        sixteenths = [power * k // 16 for k in range(8, 17)]
        assert size == min(allowed for allowed in sixteenths if allowed >= n)
        assert n <= size < n * 9 / 8
    assert padded_size(size) == size
    assert padded_size(n) <= padded_size(n + 1)


def test_number_of_different_padded_sizes():
    assert len({padded_size(n) for n in range(4097, 65537, 7)}) == 4 * 8


# Weights.


WEIGHTS = st.lists(st.sampled_from([0.0, 5e-324, 1e-300, 2.0**-40, 0.1, 1.0, 3.0, 1e300, 1.7e308]), min_size=1).filter(
    any
)


@QUICK
@given(WEIGHTS)
def test_bounded_weights_are_the_weights_times_one_power_of_two(weight):
    bounded = bounded_weights(np.array(weight))
    assert 1 <= bounded.max() < 2
    factor = Fraction(bounded.max()) / Fraction(max(weight))
    assert factor.numerator == 1 or factor.denominator == 1
    assert (factor.numerator * factor.denominator).bit_count() == 1
    for given_weight, found in zip(weight, bounded.tolist(), strict=True):
        exact = Fraction(given_weight) * factor
        assert abs(Fraction(found) - exact) <= (0 if exact >= Fraction(2) ** -1022 else Fraction(2) ** -1074)


@QUICK
@given(WEIGHTS)
def test_unit_mean_of_extreme_weights_in_exact_arithmetic(weight):
    mean = sum(map(Fraction, weight)) / len(weight)
    found = unit_mean(np.array(weight))
    np.testing.assert_allclose(found, [float(Fraction(w) / mean) for w in weight], rtol=1e-14, atol=1e-300)
    assert abs(found.mean() - 1) < 1e-14


def test_rows_are_not_copied_if_all_weights_are_positive():
    given_rows = WeightedRows(X, ZEROS, np.ones(5))
    found = drop_zero_weights(given_rows)
    assert found.rows is given_rows
    np.testing.assert_array_equal(found.position, np.arange(5))


# Merging, also if different rows have equal hashes.


def weighted_rows(form, seed=0, n=60):
    """Draw rows from few values, so that many are equal; zeros have both signs."""
    rng = np.random.default_rng(seed)
    values = np.array([-1.0, -0.0, 0.0, 2.5])
    x = rng.choice(values, size=(n, 2)).astype(np.float32 if form in ("float32", "sparse") else np.float64)
    target = rng.integers(0, 2, n).astype(np.int32)
    if form == "image":
        x = rng.choice(values, size=(n, 2, 1, 2))
    elif form == "columns":
        target = rng.choice(values, size=(n, 2)).astype(np.float32)
    elif form == "sparse":
        x = sp.csr_array(x)
        x.data[::3] = 0.0  # stored entries with value 0
        x.data[::7] *= -1
    return WeightedRows(x, target, rng.integers(0, 5, n) / 3)


def content(rows):
    """Return each row and its target as a tuple of Python numbers, in which -0.0 and 0.0 are equal."""
    x = rows.x.toarray() if sp.issparse(rows.x) else rows.x
    return [
        (*a, *b) for a, b in zip(x.reshape(len(x), -1).tolist(), rows.target.reshape(len(x), -1).tolist(), strict=True)
    ]


@pytest.fixture(params=["as they are", "three", "one"])
def hashes(request, monkeypatch):
    """Reduce the hashes of all rows to three values, or to one, so that different rows collide."""
    monkeypatch.setattr(rows_module, "hash_rows", HASHES[request.param])


HASHES = {
    "as they are": lambda rows: hash_rows(rows),
    "three": lambda rows: hash_rows(rows) % np.uint64(3),
    "one": lambda rows: np.zeros(len(rows.target), np.uint64),
}


@pytest.mark.parametrize("form", ["float32", "float64", "image", "columns", "sparse"])
@pytest.mark.parametrize("keep_order", [False, True])
@pytest.mark.parametrize("block", [4096, 7])
@pytest.mark.usefixtures("hashes")
def test_merged_rows_equal_those_of_a_dict_also_if_hashes_collide(monkeypatch, form, keep_order, block):
    monkeypatch.setattr(rows_module, "ROWS_PER_BLOCK", block)
    for seed in range(3):
        given_rows = weighted_rows(form, seed)
        expected = {}
        for row, weight in zip(content(given_rows), given_rows.weight, strict=True):
            if weight > 0:
                expected[row] = expected.get(row, 0.0) + weight
        found, position = merge_equal_rows(given_rows, keep_order)
        assert len(expected) < 50
        assert Counter(content(found)) == Counter(list(expected))
        factor = found.weight.sum() / sum(expected.values())
        np.testing.assert_allclose(found.weight, [factor * expected[row] for row in content(found)], rtol=1e-12)
        assert np.log2(factor) == pytest.approx(round(np.log2(factor)), abs=1e-12)  # a power of two
        np.testing.assert_array_equal(position < 0, given_rows.weight == 0)
        merged_content = content(found)
        for row, place in zip(content(given_rows), position, strict=True):
            assert place < 0 or merged_content[place] == row
        if keep_order:
            assert merged_content == list(expected)


@pytest.mark.parametrize("form", ["float32", "columns", "sparse"])
@pytest.mark.usefixtures("hashes")
def test_the_order_of_merged_rows_depends_on_content_only(form):
    given_rows = weighted_rows(form)
    assert len(set(Counter(content(given_rows)).values())) > 1
    first = merge_equal_rows(given_rows).rows
    for seed in range(5):
        other = merge_equal_rows(given_rows.take(np.random.default_rng(seed).permutation(60))).rows
        assert content(other) == content(first)
        np.testing.assert_allclose(other.weight, first.weight, rtol=1e-12)


def test_distinct_rows_have_distinct_hashes():
    """With random 64-bit hashes, two of 30,000 rows would collide with a probability of 2e-11."""
    grid = np.array(np.meshgrid(*[np.arange(30)] * 3)).reshape(3, -1).T
    parts = [grid, 2.0**-20 * grid + 100, np.ldexp(1.0, -grid), np.nextafter(1.0, 2.0) * (grid + 1)]
    for dtype in (np.float32, np.float64):
        distinct = np.unique(np.concatenate(parts[: 3 if dtype == np.float32 else 4]).astype(dtype), axis=0)
        hashes = hash_rows(WeightedRows(distinct, np.zeros(len(distinct), np.int32), np.ones(len(distinct))))
        assert len(np.unique(hashes)) == len(distinct)


def test_sparse_and_dense_rows_have_equal_hashes_that_depend_on_targets():
    given_rows = weighted_rows("sparse")
    dense = given_rows._replace(x=given_rows.x.toarray())
    np.testing.assert_array_equal(hash_rows(given_rows), hash_rows(dense))
    assert (hash_rows(dense) != hash_rows(dense._replace(target=dense.target + 1))).all()


# Rows held out by class.


SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def held_out_by_class(sizes, wanted, seed=0):
    codes = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    is_held_out = choose_held_out(codes, wanted, True, np.random.default_rng(seed))
    return np.bincount(codes[is_held_out], minlength=len(sizes)).tolist()


@settings(QUICK, max_examples=150)
@given(SIZES, st.data())
def test_classes_are_held_out_by_largest_remainders(sizes, data):
    n = sum(sizes)
    wanted = data.draw(st.integers(1, max(1, n // 2)))
    quotas = [Fraction(wanted * size, n) for size in sizes]
    floors = [int(quota) for quota in quotas]
    room = [min(floor + 1, size - 1) - floor for floor, size in zip(floors, sizes, strict=True)]
    if wanted > sum(floors) + sum(room) or wanted >= n:  # too many classes of one row
        return
    taken = held_out_by_class(sizes, wanted)
    extra = [k - floor for k, floor in zip(taken, floors, strict=True)]
    assert sum(taken) == wanted
    assert all(0 <= e <= r for e, r in zip(extra, room, strict=True))
    # Classes with an extra row rank before classes that could have had one: first those without a row, then by remainder.
    rank = [(floor == 0, quota - floor) for floor, quota in zip(floors, quotas, strict=True)]
    got = [r for r, e in zip(rank, extra, strict=True) if e]
    missed = [r for r, e, free in zip(rank, extra, room, strict=True) if free and not e]
    assert not (got and missed) or min(got) >= max(missed)


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        ((50, 30, 20), 10, (5, 3, 2)),
        ((50, 30, 20), 0.5, (25, 15, 10)),
        ((47, 31, 22), 13, (6, 4, 3)),
        ((60, 25, 15), 17, (10, 4, 3)),
        ((70, 20, 10), 0.13, (9, 3, 1)),
        ((33, 33, 34), 33, (11, 11, 11)),
    ],
)
def test_shares_of_classes_equal_scikit_learns(sizes, wanted, expected):
    """If each class has a row by rounding down and no two remainders are equal, both apportion by largest remainders."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    size = wanted if isinstance(wanted, int) else round(wanted * len(codes))
    for seed in range(3):
        ((_, test),) = StratifiedShuffleSplit(1, test_size=size, random_state=seed).split(codes, codes)
        theirs = np.bincount(codes[test], minlength=len(sizes)).tolist()
        assert held_out_by_class(sizes, wanted, seed) == theirs == list(expected)


def test_a_class_without_a_held_out_row_comes_before_larger_remainders():
    """The quotas of 20 rows are about 17.8, 1.8 and 0.36; by remainders alone, the first two classes would get the extra rows."""
    assert held_out_by_class((98, 10, 2), 20) == [17, 2, 1]


@pytest.mark.parametrize("stratify", [False, True])
def test_rows_are_held_out_at_random(stratify):
    codes = np.repeat([0, 1], [8, 4])
    counts = sum(choose_held_out(codes, 3, stratify, np.random.default_rng(seed)).astype(int) for seed in range(800))
    assert counts.sum() == 3 * 800
    # Each row is held out with a probability of 1/4; the standard deviation of its count is 12.2.
    assert np.abs(counts - 200).max() < 4 * 12.2


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.26, 7])
def test_number_of_held_out_rows(fraction):
    for stratify in (False, True):
        is_held_out = choose_held_out(np.repeat([0, 1, 2], [20, 17, 3]), fraction, stratify, np.random.default_rng(0))
        assert is_held_out.sum() == {0.01: 1, 0.1: 4, 0.26: 10, 7: 7}[fraction]


@pytest.mark.parametrize(
    ("codes", "fraction", "stratify", "message"),
    [
        ([0], 0.1, False, "validation_fraction=0.1 of n_samples=1 distinct rows, which leaves 0 to train on and 1 to"),
        (
            [0, 1, 1],
            4,
            False,
            "validation_fraction=4 of n_samples=3 distinct rows, which leaves 0 to train on and 3 to",
        ),
        (
            [0, 1, 2],
            0.5,
            True,
            "validation_fraction=0.5 of n_samples=3 distinct rows, which leaves 3 to train on and 0 to",
        ),
    ],
)
def test_no_row_to_train_or_to_validate_on_raises(codes, fraction, stratify, message):
    expected = f"early_stopping=True holds out {message} validate on. Give more rows or another validation_fraction, "
    with pytest.raises(ValueError, match=re.escape(expected + "or set early_stopping=False.")):
        choose_held_out(np.array(codes), fraction, stratify, np.random.default_rng(0))
