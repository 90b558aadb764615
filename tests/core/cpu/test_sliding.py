"""Convolution of images side by side, compared with SciPy's correlation; gradients in closed form."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import signal

from skdeep.core.cpu.sliding import N_PARTS, slide

# Sizes of the batch, the images and the kernel, and the padding.
CASES = {
    "valid": ((3, 5, 6), (3, 2), ((0, 0), (0, 0))),
    "same": ((2, 5, 6), (3, 3), ((1, 1), (1, 1))),
    "even kernel": ((2, 5, 6), (2, 4), ((0, 1), (1, 2))),
    "one side only": ((2, 5, 6), (3, 3), ((2, 0), (0, 2))),
    "wider than the kernel": ((2, 4, 3), (2, 2), ((3, 2), (4, 3))),
    "cut off": ((2, 6, 7), (3, 2), ((-1, -2), (2, -1))),
    "a kernel of one row": ((2, 4, 6), (1, 3), ((0, 0), (1, 1))),
    "a kernel of one column": ((2, 4, 6), (3, 1), ((1, 1), (0, 0))),
    "as large as the image": ((2, 4, 3), (4, 3), ((0, 0), (0, 0))),
    "one image": ((1, 5, 4), (3, 3), ((1, 1), (1, 1))),
    "more images than parts": ((N_PARTS + 3, 4, 4), (3, 3), ((1, 1), (1, 1))),
}


def crop(padding):
    return tuple(slice(max(0, -low), -max(0, -high) or None) for low, high in padding)


def by_scipy(x, kernel, padding, cotangent):
    """Return the convolution, and the gradients of its product with the cotangent, channel by channel."""
    x, kernel, cotangent = (values.astype(float) for values in (x, kernel, cotangent))
    edges = [(max(low, 0), max(high, 0)) for low, high in padding]
    cut = (slice(None), *crop(padding))
    padded = np.pad(x[cut], ((0, 0), *edges, (0, 0)))
    out, of_padded, of_kernel = np.zeros(cotangent.shape), np.zeros(padded.shape), np.zeros(kernel.shape)
    for image in range(len(x)):
        for c in range(kernel.shape[2]):
            for o in range(kernel.shape[3]):
                seen, g = padded[image, :, :, c], cotangent[image, :, :, o]
                out[image, :, :, o] += signal.correlate(seen, kernel[:, :, c, o], "valid", method="direct")
                of_kernel[:, :, c, o] += signal.correlate(seen, g, "valid", method="direct")
                of_padded[image, :, :, c] += signal.convolve(g, kernel[:, :, c, o], "full", method="direct")
    inner = tuple(slice(low, -high or None) for low, high in edges)
    of_x = np.zeros(x.shape)
    of_x[cut] = of_padded[:, inner[0], inner[1]]
    return out, of_x, of_kernel


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_equal_scipys(case):
    sizes, kernel_sizes, padding = CASES[case]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*sizes, 3)).astype(np.float32)
    kernel = rng.normal(size=(*kernel_sizes, 3, 2)).astype(np.float32)

    @jax.jit
    def with_gradients(cotangent):
        output, pull_back = jax.vjp(lambda x, kernel: slide(x, kernel, padding), x, kernel)
        return output, *pull_back(cotangent)

    lengths = [n + sum(edges) - k + 1 for n, edges, k in zip(sizes[1:], padding, kernel_sizes, strict=True)]
    cotangent = rng.normal(size=(sizes[0], *lengths, 2)).astype(np.float32)
    expected = by_scipy(x, kernel, padding, cotangent)
    for found, wanted in zip(with_gradients(cotangent), expected, strict=True):
        assert found.shape == wanted.shape
        assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_images_side_by_side_do_not_affect_each_other():
    x = np.random.default_rng(0).normal(size=(4, 4, 5, 2)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(3, 3, 2, 2)).astype(np.float32)
    padding = ((1, 1), (2, 2))
    changed = x.copy()
    changed[1] = 1e6
    run = jax.jit(lambda x: slide(x, kernel, padding))
    found, expected = run(changed), run(x)
    others = [0, 2, 3]
    np.testing.assert_array_equal(np.asarray(found)[others], np.asarray(expected)[others])
    assert (np.asarray(found)[1] != np.asarray(expected)[1]).all()
