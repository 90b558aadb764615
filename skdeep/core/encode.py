"""Stage 1, on the host: validated X -> rows of floats of the shape that the network takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

ROWS_PER_BLOCK = 4096


def row_shape(columns: tuple[int, ...], input_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the shape of one row as the network sees it.

    Raises
    ------
    ValueError
        If `input_shape` does not hold as many values as a row of X has.
    """
    if input_shape is None:
        return columns
    if math.prod(columns) != math.prod(input_shape):
        raise ValueError(
            f"The 'input_shape' parameter is {input_shape}, which is {math.prod(input_shape)} values a row, but X has "
            f"{math.prod(columns)} values a row. Give an input_shape whose product is {math.prod(columns)}."
        )
    return input_shape


def encode_rows(x: Any, dtype: Any = np.float32) -> Any:
    """Return X in the type of training, in the form it has; the network's shape is given to blocks of rows later.

    Raises
    ------
    ValueError
        If a finite value is infinite in that type.
    """
    if is_sparse(x):
        if not x.has_canonical_format:  # an entry may be stored in parts, or out of order
            x = x.copy()
            x.sum_duplicates()
        return x.__class__((_cast(x.data, np.dtype(dtype)), x.indices, x.indptr), shape=x.shape)
    return _cast(x, np.dtype(dtype))


def is_sparse(x: Any) -> bool:
    """Tell whether X is a SciPy sparse matrix or array."""
    return hasattr(x, "indptr")


def dense_block(x: Any, index: Shaped[np.ndarray, " n"] | slice, shape: tuple[int, ...]) -> Float[np.ndarray, "n ..."]:
    """Return some rows of X as a dense array of rows of this shape."""
    rows = x[index]
    dense = rows.toarray() if is_sparse(rows) else rows
    return np.asarray(dense).reshape(-1, *shape)


def _cast(values: Shaped[np.ndarray, "..."], dtype: np.dtype[Any]) -> Float[np.ndarray, "..."]:
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore"):
        encoded = values.astype(dtype)
    if not math.isfinite(float(np.sum(encoded, dtype=np.float64))):
        position = np.unravel_index(np.argmax(~np.isfinite(encoded)), encoded.shape)
        raise ValueError(
            f"Input X contains a value too large for {dtype!r}: {values[position]!r} at {tuple(map(int, position))}. "
            "Scale the column, for example with StandardScaler."
        )
    return encoded
