"""NumPy arrays whose memory compiled programs read without a copy.

On a CPU, XLA reads an array without a copy if its address is a multiple of 64, which is rare for NumPy's own arrays. A copy
of large parameters takes longer than a prediction with them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Shaped

ALIGNMENT = 64
SMALL_BYTES = 2**16
"""Arrays with fewer bytes are not aligned, because XLA copies them in negligible time."""


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> Shaped[np.ndarray, "..."]:
    """Return an aligned array with arbitrary values, which the caller must fill.

    Examples
    --------
    >>> from skdeep.core.cpu.aligned import aligned_empty
    >>> aligned_empty((3, 5), "float32").ctypes.data % 64
    0
    """
    dtype = np.dtype(dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    room = np.empty(n_bytes + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    values: Shaped[np.ndarray, "..."] = room[start : start + n_bytes].view(dtype).reshape(shape)
    return values


def aligned_copy(values: Any, dtype: Any = None) -> Shaped[np.ndarray, "..."]:
    """Return a writable copy on the host, of type `dtype` if given. It is aligned unless it is small."""
    values = np.asarray(values)
    if values.nbytes < SMALL_BYTES:
        return np.array(values, dtype)
    copy = aligned_empty(values.shape, values.dtype if dtype is None else dtype)
    copy[...] = values
    return copy
