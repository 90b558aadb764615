"""Aligned arrays: their addresses, copies, and reading by XLA without a copy."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from skdeep.core.cpu.aligned import ALIGNMENT, SMALL_BYTES, aligned_copy, aligned_empty

SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 0, 4), (129, 129), (33, 64, 17)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float32", "float64", "complex128"])
def test_empty_arrays_begin_at_a_multiple_of_64_bytes(shape, dtype):
    arrays = [aligned_empty(shape, dtype) for _ in range(5)]  # all kept, so at five addresses
    for number, values in enumerate(arrays):
        assert (values.shape, values.dtype) == (shape, np.dtype(dtype))
        assert values.size == 0 or values.ctypes.data % ALIGNMENT == 0  # NumPy changes the address of an empty array
        assert values.flags.c_contiguous
        assert values.flags.writeable
        values[...] = number % 2
    for number, values in enumerate(arrays):
        np.testing.assert_array_equal(values, np.full(shape, number % 2, dtype))


LARGE = np.random.default_rng(0).normal(size=(150, 120))
COPIES = {
    "small": (LARGE[:3, :4], None),
    "small, cast": (LARGE[:3, :4], np.float32),
    "large": (LARGE, None),
    "large, cast": (LARGE, np.float32),
    "of Fortran's order": (np.asfortranarray(LARGE), None),
    "strided": (np.repeat(LARGE, 2, axis=0)[::2], None),
    "on the device": (jax.numpy.asarray(LARGE, "float32"), None),
    "a list": ([1.0, 2.0], np.int32),
}


@pytest.mark.parametrize(("values", "dtype"), COPIES.values(), ids=COPIES)
def test_copies_equal_the_values_and_share_no_memory(values, dtype):
    expected = np.array(values, dtype)
    copy = aligned_copy(values, dtype)
    assert copy.dtype == expected.dtype
    np.testing.assert_array_equal(copy, expected)
    if np.asarray(values).nbytes >= SMALL_BYTES:
        assert copy.ctypes.data % ALIGNMENT == 0
    copy[...] = 7
    np.testing.assert_array_equal(np.array(values, dtype), expected)


def test_xla_reads_large_copies_without_a_copy():
    copy = aligned_copy(LARGE.astype(np.float32))
    on_device = jax.device_put(copy, jax.devices("cpu")[0], may_alias=True)
    assert on_device.unsafe_buffer_pointer() == copy.ctypes.data
