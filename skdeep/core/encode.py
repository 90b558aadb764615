"""Stage 1, on the host: validated X -> rows of floats of the shape that the network takes."""

from __future__ import annotations

import math
from collections.abc import Callable
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
    dtype = np.dtype(dtype)
    if not is_sparse(x):
        return _cast(x, dtype, lambda i: tuple(map(int, np.unravel_index(i, x.shape))))

    def place_of(entry: int) -> tuple[int, ...]:
        place = int(np.searchsorted(x.indptr, entry, side="right")) - 1, int(x.indices[entry])
        return place if x.format == "csr" else place[::-1]

    if not x.has_canonical_format:  # an entry may be stored in parts, or out of order
        x = x.astype(np.float64)
        x.sum_duplicates()
        _check_finite(x.data, x.data, dtype, place_of)
    return x.__class__((_cast(x.data, dtype, place_of), x.indices, x.indptr), shape=x.shape)


def is_sparse(x: Any) -> bool:
    """Tell whether X is a SciPy sparse matrix or array."""
    return hasattr(x, "indptr")


def dense_block(x: Any, index: Shaped[np.ndarray, " n"] | slice, shape: tuple[int, ...]) -> Float[np.ndarray, "n ..."]:
    """Return some rows of X as a dense array of rows of this shape."""
    rows = x[index]
    dense = rows.toarray() if is_sparse(rows) else rows
    return np.asarray(dense).reshape(-1, *shape)


def _cast(
    values: Shaped[np.ndarray, "..."], dtype: np.dtype[Any], place_of: Callable[[int], tuple[int, ...]]
) -> Float[np.ndarray, "..."]:
    """Return values in a type; `place_of` tells row and column of one by its number, for the error."""
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore"):
        encoded = values.astype(dtype)
    if not math.isfinite(float(np.sum(encoded, dtype=np.float64))):
        _check_finite(values, encoded, dtype, place_of)
    return encoded


def _check_finite(values: Any, encoded: Any, dtype: np.dtype[Any], place_of: Callable[[int], tuple[int, ...]]) -> None:
    is_infinite = ~np.isfinite(encoded)
    if is_infinite.any():
        first = int(np.argmax(is_infinite))
        raise ValueError(
            f"Input X contains a value too large for {dtype!r}: {values.ravel()[first]!r} at {place_of(first)}. "
            "Scale the column, for example with StandardScaler."
        )
