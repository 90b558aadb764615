"""Sources return the rows that are asked for, whatever the order of reading, and notice changes."""

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skdeep.sources import Source, TableSource
from skdeep.sources.arrow import ArrowSource
from skdeep.sources.dask import DaskSource
from skdeep.sources.parquet import BATCH_ROWS, ParquetSource
from skdeep.sources.sliced import SlicedSource
from skdeep.sources.source import OPEN_PARTS, selected
from skdeep.tables.frames import as_frame

N = 1000
VALUES = np.arange(2 * N).reshape(N, 2)
FRAME = pd.DataFrame({"a": VALUES[:, 0], "b": VALUES[:, 1], "c": [f"row {i}" for i in range(N)]})


def parquet_file(folder):
    pq.write_table(pa.Table.from_pandas(FRAME), folder / "data.parquet", row_group_size=130)
    return ParquetSource(folder / "data.parquet")


def parquet_folder(folder):
    for i, start in enumerate(range(0, N, 300)):
        (folder / "parts").mkdir(exist_ok=True)
        pq.write_table(
            pa.Table.from_pandas(FRAME[start : start + 300]), folder / f"parts/{i}.parquet", row_group_size=77
        )
    return ParquetSource(str(folder / "parts"))


def dask_source(_):
    import dask.dataframe as dd

    return DaskSource(dd.from_pandas(FRAME, npartitions=7))


TABLES = {
    "file": parquet_file,
    "folder": parquet_folder,
    "arrow": lambda _: ArrowSource(pa.Table.from_pandas(FRAME)),
    "dask": dask_source,
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_return_the_rows_that_are_asked_for(kind, tmp_path):
    source = TABLES[kind](tmp_path)
    assert isinstance(source, TableSource)
    assert source.n == N
    assert source.columns == ("a", "b", "c")
    draw = np.random.default_rng(0)
    for _ in range(40):
        start, stop = np.sort(draw.integers(0, N + 1, 2)).tolist()
        found = as_frame(source.read(start, stop))
        assert found["a"].to_list() == FRAME["a"][start:stop].tolist()
        assert found["c"].to_list() == FRAME["c"][start:stop].tolist()
    chosen = selected(source, ["c", "a"])
    assert as_frame(chosen.read(3, 5)).columns == ["c", "a"]
    with pytest.raises(ValueError, match="X has no column 'z'. Its columns are 'a', 'b', 'c'."):
        selected(source, ["a", "z"])


@pytest.mark.parametrize("kind", ["file", "folder", "dask"])
def test_parts_are_read_in_turn(kind, tmp_path):
    source = TABLES[kind](tmp_path)
    edges = source.edges
    assert edges[0] == 0
    assert edges[-1] == N
    positions = edges[:-1].copy()
    while (positions < edges[1:]).any():
        for part in range(len(positions)):
            stop = min(int(positions[part]) + 20, int(edges[part + 1]))
            found = as_frame(source.read(int(positions[part]), stop))["a"].to_list()
            assert found == FRAME["a"][positions[part] : stop].tolist()
            positions[part] = stop


def test_a_row_group_is_read_once_if_its_blocks_come_in_order(tmp_path, monkeypatch):
    source, opened = parquet_file(tmp_path), []
    read = ParquetSource._opened
    monkeypatch.setattr(ParquetSource, "_opened", lambda self, part: opened.append(part) or read(self, part))
    for start in range(0, 130, 10):
        for part in range(OPEN_PARTS):
            source.read(130 * part + start, 130 * part + start + 10)
    assert opened == list(range(OPEN_PARTS))


def test_row_groups_larger_than_a_batch(tmp_path):
    n = 2 * BATCH_ROWS + 5
    pq.write_table(pa.table({"a": np.arange(n)}), tmp_path / "data.parquet")
    found = ParquetSource(tmp_path / "data.parquet").read(BATCH_ROWS - 3, n)
    assert found["a"].to_pylist() == list(range(BATCH_ROWS - 3, n))


def test_sources_travel_in_pickles(tmp_path):
    source = parquet_file(tmp_path)
    source.read(0, 10)
    assert pickle.loads(pickle.dumps(source)).read(10, 11)["a"].to_pylist() == [20]


def test_arrays():
    source = SlicedSource(VALUES)
    assert isinstance(source, Source)
    assert not isinstance(source, TableSource)
    assert source.edges is None
    assert source.read(3, 5).tolist() == VALUES[3:5].tolist()


@pytest.mark.parametrize("rows", [VALUES.copy(), VALUES.astype(object), FRAME.copy()])
def test_a_changed_row_changes_the_state(rows):
    source = SlicedSource(rows)
    before = source.state()
    assert before == SlicedSource(rows.copy()).state()
    if isinstance(rows, pd.DataFrame):
        rows.iloc[-1, 0] += 1
    else:
        rows[-1, 0] += 1
    assert source.state() != before


def test_a_changed_file_changes_the_state(tmp_path):
    source = parquet_file(tmp_path)
    before = source.state()
    assert before == ParquetSource(tmp_path / "data.parquet").state()
    pq.write_table(pa.Table.from_pandas(FRAME[:500]), tmp_path / "data.parquet")
    assert source.state() != before


def test_arrays_of_dask():
    import dask.array as da

    source = DaskSource(da.from_array(VALUES, chunks=(300, 2)))
    assert source.edges.tolist() == [0, 300, 600, 900, 1000]
    assert source.read(250, 610).tolist() == VALUES[250:610].tolist()
    assert source.columns == ()
    unknown = da.from_array(VALUES, chunks=(300, 2))
    assert DaskSource(unknown[unknown[:, 0] > 100]).n == (VALUES[:, 0] > 100).sum()


def test_a_partition_of_another_length():
    import dask.dataframe as dd

    source = DaskSource(dd.from_pandas(FRAME, npartitions=2), np.array([0, 499, 1000]))
    with pytest.raises(ValueError, match="partition 0 of the Dask collection has 500 rows, but it had 499 before"):
        source.read(0, 10)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        ParquetSource(tmp_path / "none.parquet")
    with pytest.raises(FileNotFoundError, match="has no files whose names end in .parquet"):
        ParquetSource(tmp_path)
    table = pa.table({"a": [1.0]})
    pq.write_table(table, tmp_path / "0.parquet")
    pq.write_table(pa.table({"b": [1.0]}), tmp_path / "1.parquet")
    with pytest.raises(ValueError, match=r"has other columns than .*b \(double\) instead of a \(double\)"):
        ParquetSource(tmp_path)
    with pytest.raises(ValueError, match="has no column 'z'. Its columns are 'a'"):
        ParquetSource(tmp_path / "0.parquet", ["z"])
    (tmp_path / "by" / "year=1").mkdir(parents=True)
    pq.write_table(table, tmp_path / "by" / "year=1" / "0.parquet")
    with pytest.raises(ValueError, match="is partitioned: the name of a folder in it holds a value"):
        ParquetSource(tmp_path / "by")
