"""Windows of texts, and tokens drawn from raw outputs, against loops and closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from skdeep.core.generation import Sampling, choose
from skdeep.core.random import key_of_seed
from skdeep.core.tokens import windows_of


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    length=st.integers(1, 7),
    stride=st.integers(1, 7),
    once=st.booleans(),
)
def test_windows_have_each_pair_of_neighbours_where_a_loop_has_it(sizes, length, stride, once):
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


def test_context_before_a_target_is_at_least_what_overlaps():
    x, target, _ = windows_of([np.arange(50)], length=8, stride=3, once=True)
    for ids, wanted in zip(x[1:], target[1:], strict=True):
        assert np.flatnonzero(wanted >= 0)[0] == 5
        assert (np.diff(ids[: (wanted >= 0).sum() + 5]) == 1).all()


RAW = np.array([0.3, -1.0, 2.0, 0.9, -0.2], np.float32)


def draws(n=4000, **changes):
    sampling = Sampling(np.float32(1), np.int32(5), np.int32(-1), np.bool_(False), key_of_seed(0))
    sampling = sampling._replace(
        **{name: np.asarray(value, getattr(sampling, name).dtype) for name, value in changes.items()}
    )
    keys = jax.random.split(jax.random.key(0), n)
    return np.asarray(jax.jit(jax.vmap(lambda key: choose(jnp.asarray(RAW), sampling, key)))(keys))


@pytest.mark.parametrize(
    ("changes", "log_probability"),
    [
        ({}, RAW),
        ({"temperature": 0.5}, RAW / 0.5),
        ({"temperature": 3.0}, RAW / 3),
        ({"top_k": 2}, np.where(RAW >= 0.9, RAW, -np.inf)),
        ({"end": 2}, np.where(np.arange(5) == 2, -np.inf, RAW)),
        ({"end": 2, "may_end": True}, RAW),
        ({"end": 2, "top_k": 2}, np.where(np.isin(np.arange(5), [0, 3]), RAW, -np.inf)),
    ],
)
def test_tokens_are_drawn_with_the_probabilities_of_the_closed_form(changes, log_probability):
    counts = np.bincount(draws(**changes), minlength=5)
    expected = special.softmax(log_probability.astype(float)) * counts.sum()
    assert (counts[expected == 0] == 0).all()
    assert stats.chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-3


def test_equally_likely_tokens_are_taken_in_order():
    sampling = Sampling(np.float32(0), np.int32(5), np.int32(0), np.bool_(False), key_of_seed(0))
    equal = jnp.zeros(5)
    assert {int(choose(equal, sampling, jax.random.key(seed))) for seed in range(10)} == {1}
    two = sampling._replace(temperature=np.float32(1), top_k=np.int32(2))
    assert {int(choose(equal, two, jax.random.key(seed))) for seed in range(20)} == {1, 2}


@pytest.mark.parametrize("changes", [{"temperature": 0.0}, {"top_k": 1}, {"temperature": 1e-20}])
def test_the_likeliest_is_taken(changes):
    assert set(draws(100, **changes)) == {2}
