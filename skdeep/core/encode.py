"""Stage 1, on the host: validated X -> rows of floats of the shape that the network takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from skdeep.contract import Network
from skdeep.core.inputs import InShape, in_shape_for, specs_of
from skdeep.records import InputSpec

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


def encode_inputs(x: Any, in_shape: InShape, dtype: Any = np.float32) -> Any:
    """Return X in the form that the network's inputs have: numbers in the type of training, ids as int32.

    Sparse X stays in the type of training, since most of its values are no ids.

    Raises
    ------
    ValueError
        If a number is infinite in the type of training, or an id is no whole number that int32 holds.
    """
    specs = specs_of(in_shape)
    if isinstance(specs, dict):
        return x.map(lambda name, array: _encode_input(array, specs[name], dtype, f"X[{name!r}]"))
    return _encode_input(x, specs, dtype, "X")


def _encode_input(x: Any, spec: InputSpec, dtype: Any, name: str) -> Any:
    return encode_ids(x, name) if spec.is_int and not is_sparse(x) else encode_rows(x, dtype)


def encode_ids(x: Shaped[np.ndarray, "..."], name: str = "X") -> Int[np.ndarray, "..."]:
    """Return ids as int32; `name` is what errors call X.

    Raises
    ------
    ValueError
        If a value is no whole number, or one that int32 does not hold.
    """
    limits = np.iinfo(np.int32)
    with np.errstate(invalid="ignore"):
        is_wrong = (x < limits.min) | (x > limits.max) | (x != np.floor(x))
    if is_wrong.any():
        place = tuple(map(int, np.unravel_index(int(np.argmax(is_wrong)), x.shape)))
        raise ValueError(
            f"{name} holds ids, which must be whole numbers from {limits.min} to {limits.max}. Got {x[place]!r} at {place}."
        )
    ids: Int[np.ndarray, "..."] = x.astype(np.int32, copy=False)
    return ids


def check_rows(network: Network, x: Any, in_shape: InShape) -> None:
    """Call the network's `check_rows` on rows that are not sparse, because compiled code cannot raise."""
    if not is_sparse(x):
        network.check_rows(in_shape_for(x, in_shape))


def is_sparse(x: Any) -> bool:
    """Tell whether X is a SciPy sparse matrix or array."""
    return hasattr(x, "indptr")


def dense_block(x: Any, index: Shaped[np.ndarray, " n"] | slice, in_shape: InShape) -> Any:
    """Return some rows of X as a program takes them, sparse ones as dense rows."""
    rows = x[index]
    return in_shape_for(rows.toarray() if is_sparse(rows) else rows, in_shape)


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
