"""Pad rows to one of a few sizes, so that similar row counts share one program."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped

from skdeep.core.cpu.aligned import ALIGNMENT, aligned_empty
from skdeep.core.encode import is_sparse
from skdeep.core.inputs import InShape, float_dtype, in_shape_for
from skdeep.core.rows import WeightedRows, padded_size
from skdeep.core.sharding import divisible, with_rows_split
from skdeep.core.sparse_rows import entries_of, most_entries
from skdeep.records import Rows


def pad_rows(rows: WeightedRows, in_shape: InShape) -> Rows:
    """Return rows padded to `padded_size`, sparse rows as their stored entries, in the memory of the device or devices."""
    n = len(rows.target)
    size = divisible(padded_size(n))
    x = entries_of(rows.x, most_entries(rows.x)) if is_sparse(rows.x) else in_shape_for(rows.x, in_shape)
    x = jax.tree.map(lambda values: _padded(values, size, values.dtype), x)
    target = _padded(rows.target, size, rows.target.dtype)
    weight = _padded(rows.weight, size, float_dtype(rows.x))
    parts: list[Any] = [*with_rows_split((x, target, weight)), np.int32(n)]
    return Rows(*parts)


def _padded(values: Any, size: int, dtype: np.dtype[Any]) -> Shaped[np.ndarray, "{size} ..."]:
    """Return rows followed by zeros, in aligned memory that XLA on a CPU reads without a copy. Copy only if needed."""
    if len(values) == size and values.dtype == dtype and values.ctypes.data % ALIGNMENT == 0:
        return np.ascontiguousarray(values)
    padded = aligned_empty((size, *values.shape[1:]), dtype)
    padded[len(values) :] = 0
    padded[: len(values)] = values
    return padded
