"""Windows of texts: ids, targets and sources."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skdeep.core.tokens import NO_TARGET, windows_of


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    length=st.integers(1, 7),
    stride=st.integers(1, 7),
    once=st.booleans(),
)
def test_every_token_but_the_first_is_a_target(sizes, length, stride, once):
    stride = min(stride, length)
    texts = [100 * number + np.arange(size) for number, size in enumerate(sizes)]
    x, target, source = windows_of(texts, length, stride, once)
    assert x.shape == target.shape == (len(source), length)
    found = {}
    for row, (ids, wanted) in enumerate(zip(x, target, strict=True)):
        for a, b in zip(ids, wanted, strict=True):
            if b >= 0:
                assert b == a + 1
                found[b] = found.get(b, 0) + 1
                assert source[row] == b // 100
    assert set(found) == {int(b) for ids in texts for b in ids[1:]}
    if once or stride == length:
        assert set(found.values()) <= {1}


def test_with_once_each_target_has_the_overlap_as_context():
    x, target, _ = windows_of([np.arange(50)], length=8, stride=3, once=True)
    for ids, wanted in zip(x[1:], target[1:], strict=True):
        assert np.flatnonzero(wanted >= 0)[0] == 5
        assert (np.diff(ids[: (wanted >= 0).sum() + 5]) == 1).all()


def test_windows_of_an_example():
    texts = [np.array([5, 6, 7, 8, 9]), np.array([3]), np.array([], int), np.array([1, 2])]
    windows = windows_of(texts, length=3, stride=2)
    np.testing.assert_array_equal(windows.x, [[5, 6, 7], [7, 8, 0], [1, 0, 0]])
    np.testing.assert_array_equal(windows.target, [[6, 7, 8], [8, 9, NO_TARGET], [2, NO_TARGET, NO_TARGET]])
    np.testing.assert_array_equal(windows.source, [0, 0, 3])
    np.testing.assert_array_equal(windows.n_targets, [3, 2, 1])
    assert (windows.x.dtype, windows.target.dtype) == (np.int32, np.int32)
    once = windows_of(texts, length=3, stride=2, once=True)
    np.testing.assert_array_equal(once.x, windows.x)
    np.testing.assert_array_equal(once.target, [[6, 7, 8], [NO_TARGET, 9, NO_TARGET], [2, NO_TARGET, NO_TARGET]])
    assert once.n_targets.sum() == 4 + 0 + 0 + 1


@pytest.mark.parametrize("texts", [[], [np.array([4])], [np.array([], int)] * 2])
def test_texts_without_a_next_token_have_no_window(texts):
    windows = windows_of(texts, length=3, stride=3)
    assert windows.x.shape == windows.target.shape == (0, 3)
    assert windows.source.shape == windows.n_targets.shape == (0,)
