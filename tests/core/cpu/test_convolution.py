"""`convolve`: values and gradients equal those of a NumPy loop over windows."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose

from skdeep.core.cpu import convolution
from skdeep.core.cpu.convolution import Patches, convolve

LAYOUTS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def by_loops(x, kernel, cotangent, strides, padding, lhs_dilation, rhs_dilation, groups):
    """Return the convolution of `(n, *space, c)` with `(*sizes, c / groups, out)`, and both gradients, in float64."""
    x, kernel = x.astype(float), kernel.astype(float)
    n, *lengths, c = x.shape
    *sizes, c_of_group, width = kernel.shape
    axes = list(zip(lengths, padding, lhs_dilation, strict=True))
    padded_lengths = [low + (length - 1) * d + 1 + high for length, (low, high), d in axes]
    places = [low + d * np.arange(length) for length, (low, _), d in axes]
    inside = [(place >= 0) & (place < length) for place, length in zip(places, padded_lengths, strict=True)]
    source = np.ix_(range(n), *map(np.flatnonzero, inside), range(c))
    goal = np.ix_(range(n), *(place[i] for place, i in zip(places, inside, strict=True)), range(c))
    padded = np.zeros((n, *padded_lengths, c))
    padded[goal] = x[source]
    counts = [
        (length - (size - 1) * d - 1) // stride + 1
        for length, size, d, stride in zip(padded_lengths, sizes, rhs_dilation, strides, strict=True)
    ]
    out, of_padded, of_kernel = np.zeros((n, *counts, width)), np.zeros_like(padded), np.zeros_like(kernel)
    cotangent = np.zeros_like(out) if cotangent is None else cotangent.astype(float)
    per_group = width // groups
    for where in itertools.product(*map(range, counts)):
        seen = [p * s + d * np.arange(k) for p, s, d, k in zip(where, strides, rhs_dilation, sizes, strict=True)]
        for group in range(groups):
            window = np.ix_(range(n), *seen, range(group * c_of_group, (group + 1) * c_of_group))
            outputs = slice(group * per_group, (group + 1) * per_group)
            k = kernel[..., outputs]
            g = cotangent[(slice(None), *where, outputs)]
            out[(slice(None), *where, outputs)] = np.tensordot(padded[window], k, axes=k.ndim - 1)
            of_kernel[..., outputs] += np.tensordot(padded[window], g, axes=(0, 0))
            of_padded[window] += np.tensordot(g, k, axes=(1, k.ndim - 1))
    of_x = np.zeros_like(x)
    of_x[source] = of_padded[goal]
    return out, of_x, of_kernel


def drawn(x_shape, kernel_shape, strides, padding, rhs_dilation=None, lhs_dilation=None, groups=1):
    rng = np.random.default_rng(0)
    x, kernel = (rng.normal(size=shape).astype(np.float32) for shape in (x_shape, kernel_shape))
    ones = (1,) * len(strides)
    return x, kernel, (strides, padding, lhs_dilation or ones, rhs_dilation or ones, groups)


def run(x, kernel, strides, padding, lhs_dilation, rhs_dilation, groups, **changes):
    """Call `convolve` as the pass for the CPU does, with the parameters of the operation."""
    options = {
        "window_strides": strides,
        "padding": padding,
        "lhs_dilation": lhs_dilation,
        "rhs_dilation": rhs_dilation,
        "dimension_numbers": lax.conv_dimension_numbers(x.shape, kernel.shape, LAYOUTS[x.ndim - 2]),
        "feature_group_count": groups,
        "batch_group_count": 1,
        "precision": None,
        "preferred_element_type": None,
    }
    return convolve(x, kernel, **options | changes, sharding=None)


CASES = {
    "causal": drawn((3, 7, 2), (3, 2, 4), (1,), ((2, 0),)),
    "strided": drawn((2, 9, 3), (4, 3, 2), (2,), ((1, 2),)),
    "dilated": drawn((2, 12, 2), (3, 2, 3), (1,), ((0, 0),), rhs_dilation=(3,)),
    "transposed": drawn((2, 4, 2), (4, 2, 3), (1,), ((2, 2),), lhs_dilation=(2,)),
    "cut off": drawn((2, 8, 2), (3, 2, 3), (1,), ((-2, -1),)),
    "images": drawn((2, 5, 6, 2), (3, 3, 2, 3), (1, 1), ((1, 1), (1, 1))),
    "images, all at once": drawn((2, 6, 5, 2), (2, 3, 2, 3), (2, 3), ((1, 0), (2, 4)), (2, 1), (1, 2)),
    "images of many channels": drawn((3, 5, 6, 8), (3, 2, 8, 3), (1, 1), ((1, 1), (0, 2))),
    "nothing but padding": drawn((2, 5, 6, 8), (3, 2, 8, 3), (1, 1), ((-5, 8), (0, 0))),
    "a kernel of one pixel": drawn((2, 3, 4, 8), (1, 1, 8, 3), (1, 1), ((0, 0), (0, 0))),
    "groups": drawn((2, 5, 6, 4), (3, 3, 2, 6), (1, 2), ((1, 1), (1, 1)), groups=2),
    "depthwise": drawn((2, 5, 6, 3), (3, 3, 1, 6), (1, 1), ((1, 1), (1, 1)), groups=3),
    "volumes": drawn((2, 4, 3, 4, 2), (2, 2, 3, 2, 2), (1, 2, 1), ((0, 1), (0, 0), (1, 1))),
}
BOUNDS = {"whole": 2**24, "blocks": 200, "one offset at a time": 0}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_those_of_a_loop(case):
    x, kernel, options = CASES[case]

    @jax.jit
    def with_gradients(x, kernel, cotangent):
        output, pull_back = jax.vjp(lambda x, kernel: run(x, kernel, *options), x, kernel)
        return output, *pull_back(cotangent)

    shape = by_loops(x, kernel, None, *options)[0].shape
    cotangent = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    expected = by_loops(x, kernel, cotangent, *options)
    for found, wanted in zip(with_gradients(x, kernel, cotangent), expected, strict=True):
        assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("case", ["strided", "images, all at once", "depthwise"])
def test_results_do_not_depend_on_the_bound_on_patches(monkeypatch, case, bound):
    x, kernel, options = CASES[case]
    x = np.concatenate([x, 2 * x, 3 * x[:1]])  # five rows, so that the last block is not full
    monkeypatch.setattr(convolution, "MAX_PATCH_VALUES", BOUNDS[bound])
    found = jax.jit(lambda x, kernel: run(x, kernel, *options))(x, kernel)
    assert_allclose(found, by_loops(x, kernel, None, *options)[0], rtol=1e-4, atol=1e-5)


def test_axes_may_have_any_order():
    x, kernel, options = CASES["groups"]
    # Positions of (n, c, height, width), of (out, in, height, width), and of the output's axes.
    specs = ((3, 0, 2, 1), (1, 3, 2, 0), (2, 0, 3, 1))
    numbers = lax.ConvDimensionNumbers(*specs)
    moved_x = np.empty([dict(zip(specs[0], (2, 4, 5, 6), strict=True))[axis] for axis in range(4)], np.float32)
    moved_x[...] = np.moveaxis(x, (0, 3, 1, 2), specs[0])
    moved_kernel = np.moveaxis(kernel, (3, 2, 0, 1), specs[1])
    found = jax.jit(lambda x, kernel: run(x, kernel, *options, dimension_numbers=numbers))(moved_x, moved_kernel)
    expected = np.moveaxis(by_loops(x, kernel, None, *options)[0], (0, 3, 1, 2), specs[2])
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", ["images of many channels", "groups", "depthwise"])
def test_bfloat16_products_are_summed_in_preferred_element_type(case):
    """A sum in float32 keeps digits that a sum in bfloat16 loses."""
    x, kernel, options = CASES[case]
    x, kernel = jnp.asarray(x, jnp.bfloat16), jnp.asarray(kernel, jnp.bfloat16)
    types = (jnp.float32, None)
    found, short = jax.jit(
        lambda x, kernel: [run(x, kernel, *options, preferred_element_type=dtype) for dtype in types]
    )(x, kernel)
    assert (found.dtype, short.dtype) == (jnp.float32, jnp.bfloat16)
    expected, _, _ = by_loops(np.asarray(x, float), np.asarray(kernel, float), None, *options)
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_convolve_returns_none_for_batch_groups_and_empty_arrays():
    x, kernel, options = CASES["strided"]
    assert run(x[:0], kernel, *options) is None
    assert run(x[:, :1], kernel, (2,), ((0, 0),), *options[2:]) is None  # no window fits
    images, image_kernel, image_options = CASES["images of many channels"]
    assert run(images[:, :2], image_kernel, (1, 1), ((0, 0), (0, 0)), *image_options[2:]) is None
    assert run(x, kernel[:, :, :0], *options) is None
    assert run(np.concatenate([x, x]), kernel, *options, batch_group_count=2) is None


@pytest.mark.parametrize(
    ("lengths", "sizes", "strides", "dilation", "counts"),
    [((7,), (3,), (1,), (1,), (5,)), ((7, 9), (3, 2), (2, 3), (2, 4), (2, 2)), ((2,), (3,), (1,), (1,), (0,))],
)
def test_number_of_windows(lengths, sizes, strides, dilation, counts):
    windows = Patches.of(lengths, sizes, strides, dilation)
    assert windows.counts == counts
    places = [[d * i for i in range(size)] for size, d in zip(sizes, dilation, strict=True)]
    assert list(windows.offsets) == list(itertools.product(*places))
