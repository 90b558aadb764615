"""Pools by slices: values and gradients equal those of a NumPy loop over windows."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from skdeep.core.cpu.pooling import MAX_SLICES, pool_max, pool_min, pool_sum

KINDS = {"max": (pool_max, -np.inf, np.argmax), "min": (pool_min, np.inf, np.argmin), "sum": (pool_sum, 0.0, None)}


def by_loops(x, cotangent, neutral, choose, sizes, strides, padding, base_dilation, dilation):
    """Return the pool, and the gradient of its product with the cotangent. Among equal values, the first gets the gradient."""
    axes = list(zip(x.shape, padding, base_dilation, strict=True))
    lengths = [low + (length - 1) * d + 1 + high for length, (low, high), d in axes]
    padded, of_padded = np.full(lengths, neutral), np.zeros(lengths)
    inside = tuple(slice(low, low + (length - 1) * d + 1, d) for length, (low, _), d in axes)
    padded[inside] = x
    spans = [(size - 1) * d for size, d in zip(sizes, dilation, strict=True)]
    counts = [(length - span - 1) // s + 1 for length, span, s in zip(lengths, spans, strides, strict=True)]
    out = np.zeros(counts)
    for where in itertools.product(*map(range, counts)):
        seen = np.ix_(*(p * s + d * np.arange(k) for p, s, d, k in zip(where, strides, dilation, sizes, strict=True)))
        window = padded[seen]
        share = np.ones(window.shape)
        if choose is not None:
            share = (np.arange(window.size) == choose(window)).reshape(window.shape)
        out[where] = window.sum() if choose is None else window.ravel()[choose(window)]
        of_padded[seen] += share * (1.0 if cotangent is None else cotangent[where])
    return out, of_padded[inside]


def windows(sizes, strides, padding, base_dilation=None, dilation=None):
    ones = (1,) * len(sizes)
    return sizes, strides, padding, base_dilation or ones, dilation or ones


NONE = (0, 0)
CASES = {
    "apart": ((3, 8, 2), windows((1, 2, 1), (1, 2, 1), (NONE, NONE, NONE))),
    "overlapping": ((3, 8, 2), windows((1, 3, 1), (1, 1, 1), (NONE, (1, 1), NONE))),
    "with gaps": ((2, 11, 2), windows((1, 2, 1), (1, 3, 1), (NONE, (1, 0), NONE))),
    "dilated": ((2, 11, 2), windows((1, 3, 1), (1, 2, 1), (NONE, (1, 2), NONE), dilation=(1, 3, 1))),
    "spread": ((2, 5, 2), windows((1, 3, 1), (1, 1, 1), (NONE, (1, 2), NONE), base_dilation=(1, 2, 1))),
    "images": ((2, 6, 7, 2), windows((1, 2, 3, 1), (1, 2, 1, 1), (NONE, (0, 1), (1, 1), NONE))),
    "over all axes": ((4, 5, 3), windows((2, 2, 3), (1, 2, 1), ((1, 0), (0, 1), (1, 1)))),
    "as long as slices go": ((2, 15), windows((1, MAX_SLICES), (1, 1), (NONE, (3, 4)))),
    "one longer": ((2, 15), windows((1, MAX_SLICES + 1), (1, 2), (NONE, (4, 4)))),
    "long and dilated": ((2, 30), windows((1, 13), (1, 3), (NONE, (5, 0)), dilation=(1, 2))),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_those_of_a_loop(case):
    shape, (sizes, strides, padding, base_dilation, dilation) = CASES[case]
    x = np.random.default_rng(0).integers(-2, 3, shape).astype(np.float32)  # many values are equal
    options = {"window_dimensions": sizes, "window_strides": strides, "padding": padding}
    options |= {"base_dilation": base_dilation, "window_dilation": dilation}

    @jax.jit
    def with_gradients(cotangent):
        runs = {kind: jax.vjp(lambda x, pool=pool: pool(x, **options), x) for kind, (pool, _, _) in KINDS.items()}
        return {kind: (output, *pull_back(cotangent)) for kind, (output, pull_back) in runs.items()}

    counts = by_loops(x, None, 0.0, None, *CASES[case][1])[0].shape
    cotangent = np.random.default_rng(1).integers(1, 100, counts).astype(np.float32)
    for kind, (output, gradient) in with_gradients(cotangent).items():
        expected, expected_gradient = by_loops(x, cotangent, *KINDS[kind][1:], *CASES[case][1])
        assert_array_equal(output, expected)
        assert_allclose(gradient, expected_gradient, rtol=1e-6)


REFERENCES = {"max": ndimage.maximum_filter1d, "min": ndimage.minimum_filter1d}


@pytest.mark.parametrize("kind", REFERENCES)
def test_long_windows_equal_scipys_filters(kind):
    pool, neutral, _ = KINDS[kind]
    x = np.random.default_rng(0).normal(size=(2, 25)).astype(np.float32)
    sizes = (2, 5, 8, 9, 16, 21)
    options = {"window_strides": (1, 1), "base_dilation": (1, 1), "window_dilation": (1, 1)}

    @jax.jit
    def pools(x):  # SciPy's window begins `size // 2` values before its position
        edges = [(NONE, (size // 2, size - 1 - size // 2)) for size in sizes]
        return [
            pool(x, window_dimensions=(1, size), padding=edge, **options)
            for size, edge in zip(sizes, edges, strict=True)
        ]

    for size, found in zip(sizes, pools(x), strict=True):
        assert_array_equal(found, REFERENCES[kind](x, size, axis=1, mode="constant", cval=neutral))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.int8, np.uint8, np.int32, np.bool_])
@pytest.mark.parametrize("kind", ["max", "min"])
def test_padding_never_changes_a_maximum_or_minimum(kind, dtype):
    """Padding is the smallest value of the type for maxima, the largest for minima."""
    lowest, highest = (False, True) if dtype == np.bool_ else (-100, 100) if dtype != np.uint8 else (0, 100)
    x = jnp.full((1, 4), lowest if kind == "max" else highest, dtype)
    found = KINDS[kind][0](
        x,
        window_dimensions=(1, 3),
        window_strides=(1, 1),
        padding=(NONE, (1, 1)),
        base_dilation=(1, 1),
        window_dilation=(1, 1),
    )
    assert found.dtype == dtype
    assert_array_equal(found, x)


def test_pools_without_windows_return_none():
    options = {"window_strides": (1,), "padding": (NONE,), "base_dilation": (1,), "window_dilation": (2,)}
    assert pool_sum(jnp.ones(4), window_dimensions=(3,), **options) is None
    assert_array_equal(pool_sum(jnp.ones(5), window_dimensions=(3,), **options), [3.0])
