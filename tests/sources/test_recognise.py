"""Which X are read block by block."""

import array
from collections import UserList

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from skdeep import Inputs
from skdeep.sources import source_of
from skdeep.sources.arrow import ArrowSource
from skdeep.sources.dask import DaskSource
from skdeep.sources.parquet import ParquetSource
from skdeep.sources.recognise import IN_MEMORY_BYTES
from skdeep.sources.sliced import SlicedSource

VALUES = np.zeros((4, 2))
IN_MEMORY = [
    VALUES,
    VALUES.tolist(),
    tuple(VALUES.tolist()),
    UserList(VALUES.tolist()),
    range(4),
    array.array("d", [1.0, 2.0]),
    memoryview(VALUES),
    {"a": [1]},
    {1, 2},
    3.0,
    None,
    VALUES[0, 0],
    jnp.zeros((4, 2)),
    sp.csr_matrix(VALUES),
    sp.csr_array(VALUES),
    pd.DataFrame(VALUES),
    pd.Series(VALUES[:, 0]),
    pd.array([1, 2]),
    pl.DataFrame(VALUES),
    pl.Series([1.0]),
    pa.table({"a": [1.0]}),
    pa.array([1.0]),
    Inputs(a=VALUES),
]


class Rows:
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return VALUES[index]


class WithArray(Rows):
    def __array__(self, dtype=None, copy=None):  # as datasets of h5py and zarr have it
        return VALUES


@pytest.mark.parametrize("x", IN_MEMORY, ids=lambda x: type(x).__name__)
def test_in_memory(x):
    assert source_of(x) is None


def test_objects_with_slicing():
    assert isinstance(source_of(Rows()), SlicedSource)
    assert isinstance(source_of(WithArray()), SlicedSource)


def test_paths(tmp_path):
    pq.write_table(pa.table({"a": [1.0]}), tmp_path / "data.parquet")
    for path in (tmp_path / "data.parquet", str(tmp_path), str(tmp_path / "data.parquet")):
        assert isinstance(source_of(path), ParquetSource)


def test_large_memory_maps_and_tables(tmp_path):
    n = IN_MEMORY_BYTES // 8
    exact = np.memmap(tmp_path / "x.dat", np.float64, "w+", shape=(n + 1, 1))
    assert isinstance(source_of(exact), SlicedSource)
    assert source_of(exact[:-1]) is None
    assert source_of(np.asarray(exact)) is None
    assert source_of(exact[:, 0]) is None
    column = pa.chunked_array([pa.array(np.zeros(n // 8))] * 9)
    assert isinstance(source_of(pa.table({"a": column})), ArrowSource)
    (tmp_path / "joblib_memmapping_folder_1").mkdir()
    ours = np.memmap(tmp_path / "joblib_memmapping_folder_1" / "x.dat", np.float64, "w+", shape=(n + 1, 1))
    assert source_of(ours) is None


def test_dask():
    import dask.array as da
    import dask.dataframe as dd

    assert isinstance(source_of(da.zeros((4, 2), chunks=2)), DaskSource)
    assert isinstance(source_of(dd.from_pandas(pd.DataFrame(VALUES, columns=["a", "b"]), npartitions=1)), DaskSource)
