"""From validated X to rows in the types and the shape that the network takes, on the host."""

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
    """Return the shape of one row for the network: `input_shape` if given, else the shape of a row of X.

    Raises
    ------
    ValueError
        If `input_shape` and a row of X have different numbers of values.
    """
    if input_shape is None:
        return columns
    if math.prod(columns) != math.prod(input_shape):
        raise ValueError(
            f"The 'input_shape' parameter is {input_shape}, which is {math.prod(input_shape)} values per row, but X has "
            f"{math.prod(columns)} values per row. Give an input_shape whose product is {math.prod(columns)}."
        )
    return input_shape


def encode_rows(x: Any, dtype: Any = np.float32) -> Any:
    """Return X cast to the type of training, dense or sparse as it was. `dense_block` gives rows the network's shape.

    Raises
    ------
    ValueError
        If a value is too large for that type.
    """
    dtype = np.dtype(dtype)
    if not is_sparse(x):
        return _cast(x, dtype, lambda i: tuple(map(int, np.unravel_index(i, x.shape))))

    def place_of(entry: int) -> tuple[int, ...]:
        place = int(np.searchsorted(x.indptr, entry, side="right")) - 1, int(x.indices[entry])
        return place if x.format == "csr" else place[::-1]

    if not x.has_canonical_format:  # entries may be unsorted, or stored several times, to be added
        x = x.astype(np.float64)
        x.sum_duplicates()
        _check_finite(x.data, x.data, dtype, place_of)
    return x.__class__((_cast(x.data, dtype, place_of), x.indices, x.indptr), shape=x.shape)


def encode_inputs(x: Any, in_shape: InShape, dtype: Any = np.float32) -> Any:
    """Return X in the types of the network's inputs: numbers in the type of training, ids as int32.

    Sparse X is always cast to the type of training, even if the network takes ids.

    Raises
    ------
    ValueError
        If a number is too large for the type of training, or an id is not a whole number in the range of int32.
    """
    specs = specs_of(in_shape)
    if isinstance(specs, dict):
        return x.map(lambda name, array: _encode_input(array, specs[name], dtype, f"X[{name!r}]"))
    return _encode_input(x, specs, dtype, "X")


def _encode_input(x: Any, spec: InputSpec, dtype: Any, name: str) -> Any:
    return encode_ids(x, name) if spec.is_int and not is_sparse(x) else encode_rows(x, dtype)


def encode_ids(x: Shaped[np.ndarray, "..."], name: str = "X") -> Int[np.ndarray, "..."]:
    """Return ids as int32. Error messages call X `name`.

    Raises
    ------
    ValueError
        If a value is not a whole number in the range of int32.
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
    """Call the network's `check_rows` on dense rows, because compiled code cannot raise. Skip sparse rows."""
    if not is_sparse(x):
        network.check_rows(in_shape_for(x, in_shape))


def has_nan(x: Any) -> bool:
    """Return True if an array or sparse matrix holds NaN."""
    values = x.data if is_sparse(x) else x
    with np.errstate(over="ignore", invalid="ignore"):
        is_unclear = values.dtype.kind == "f" and not math.isfinite(float(np.sum(values, dtype=values.dtype)))
    return is_unclear and bool(np.isnan(values).any())


def is_sparse(x: Any) -> bool:
    """Return True if X is a SciPy sparse matrix or array."""
    return hasattr(x, "indptr")


def dense_block(x: Any, index: Shaped[np.ndarray, " n"] | slice, in_shape: InShape) -> Any:
    """Return some rows of X as dense arrays in the network's shape."""
    rows = x[index]
    return in_shape_for(rows.toarray() if is_sparse(rows) else rows, in_shape)


def _cast(
    values: Shaped[np.ndarray, "..."], dtype: np.dtype[Any], place_of: Callable[[int], tuple[int, ...]]
) -> Float[np.ndarray, "..."]:
    """Return values cast to a type. `place_of(i)` is the index in X of the i-th value, for the error message."""
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
