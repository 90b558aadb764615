"""Rows of several trainings in one set: each set is found again, and equal rows are there once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from skdeep.core.drivers.one_copy import one_copy
from skdeep.core.rows import WeightedRows

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
ALL = WeightedRows(X, np.arange(40, dtype=np.int32) % 3, np.ones(40, np.float32))


def assert_found_again(sets, in_shape=(3,)):
    rows, positions = one_copy(sets, in_shape)
    for each, places in zip(sets, positions, strict=True):
        found = rows.take(places)
        assert_array_equal(found.x, each.x)
        assert_array_equal(found.target, each.target)
        assert_array_equal(found.weight, each.weight)
    return rows


def test_folds_share_their_rows():
    folds = [ALL.take(np.flatnonzero(np.arange(40) % 5 != fold)) for fold in range(5)]
    assert len(assert_found_again(folds).target) == 40


def test_candidates_share_all_rows_without_a_look_at_them():
    assert len(assert_found_again([ALL] * 16).target) == 40


def test_rows_that_differ_in_target_or_weight_only_are_kept_apart():
    other_target = ALL._replace(target=(ALL.target + 1) % 3)
    other_weight = ALL._replace(weight=2 * ALL.weight)
    assert len(assert_found_again([ALL, other_target, other_weight]).target) == 120


def test_zeros_of_both_signs_and_nan_stay_as_they_are():
    """Bytes are compared: 0.0 == -0.0, but 1 / 0.0 is not 1 / -0.0."""
    x = np.array([[0.0], [-0.0], [np.nan], [np.nan]], np.float32)
    rows = WeightedRows(x, np.zeros(4, np.float32), np.ones(4, np.float32))
    found, (places,) = one_copy([rows], (1,))
    assert len(found.target) == 3
    assert_array_equal(np.signbit(found.x[places]), np.signbit(x))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.lists(
        arrays(np.float32, st.tuples(st.integers(1, 6), st.just(2)), elements=st.sampled_from([0, 1, 2])),
        min_size=1,
        max_size=4,
    )
)
def test_any_sets(sets):
    assert_found_again([WeightedRows(x, x[:, 0].copy(), np.ones(len(x), np.float32)) for x in sets], (2,))
