"""Decide which X are read block by block."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from pandas.api.extensions import ExtensionArray

from skdeep.inputs import Inputs
from skdeep.sources.arrow import ArrowSource
from skdeep.sources.dask import DaskSource
from skdeep.sources.parquet import ParquetSource
from skdeep.sources.sliced import SlicedSource
from skdeep.sources.source import Source

IN_MEMORY_BYTES = 2**27
"""A `numpy.memmap` or a PyArrow table of at most so many bytes, 128 MiB, is read into memory as a whole."""

# Objects with one of these are in memory, as NumPy arrays are: JAX, PyTorch, CuPy, series and other columns.
_OF_ARRAYS_IN_MEMORY = (
    *("__array_interface__", "__array_namespace__", "__dlpack__", "__cuda_array_interface__"),
    *("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__", "indptr"),
)
_FOLDER_OF_JOBLIB = "joblib_memmapping_folder"


def source_of(x: Any) -> Source | None:
    """Return a source of the rows of X if they are read block by block, None if X is in memory or small.

    - A string or a path is a Parquet file or a folder of Parquet files.
    - A `numpy.memmap` or a `pyarrow.Table` counts if it has more than `IN_MEMORY_BYTES`. A memory map that joblib made of an array
      for its workers does not count.
    - Dask data frames and arrays count.
    - Of other objects, those with `__len__` and `__getitem__` count, unless they are arrays in memory, tables or containers of Python.
    """
    if isinstance(x, str | os.PathLike):
        return ParquetSource(x)
    if type(x).__module__.partition(".")[0] in ("dask", "dask_expr"):
        return DaskSource(x)
    if isinstance(x, np.ndarray):
        return SlicedSource(x) if isinstance(x, np.memmap) and _is_large_file(x) else None
    if nw.dependencies.is_pyarrow_table(x):
        return ArrowSource(x) if x.nbytes > IN_MEMORY_BYTES else None
    return SlicedSource(x) if _is_sliceable(x) else None


def _is_large_file(x: np.memmap[Any, Any]) -> bool:
    return x.ndim > 1 and x.nbytes > IN_MEMORY_BYTES and _FOLDER_OF_JOBLIB not in str(x.filename)


def _is_sliceable(x: Any) -> bool:
    if isinstance(x, type | Sequence | Mapping | Set | Inputs | memoryview | np.generic | ExtensionArray):
        return False
    if not (hasattr(x, "__len__") and hasattr(x, "__getitem__")):
        return False
    if isinstance(x, nw.DataFrame | nw.Series) or nw.dependencies.is_into_dataframe(x):
        return False
    return not any(hasattr(x, name) for name in _OF_ARRAYS_IN_MEMORY)
