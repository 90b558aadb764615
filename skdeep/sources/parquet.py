"""Rows of a Parquet file, or of all Parquet files in a folder."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skdeep.sources.source import OPEN_PARTS

BATCH_ROWS = 2**16
BUFFER_BYTES = 2**18
"""Bytes of a column that are read at once. Without a buffer, PyArrow reads all bytes of a row group before the first row."""


class _Group(NamedTuple):
    """A row group: the position of its file, and its number in the file."""

    file: int
    number: int


class ParquetSource:
    """The rows of a Parquet file or folder, in the order of the sorted names of files. A part is a row group.

    Parameters
    ----------
    path : path-like
    columns : list of str, default=None
        The columns to read, None for all.

    Raises
    ------
    ImportError
        If PyArrow is not installed.
    FileNotFoundError
        If there is no such file, or no Parquet file in the folder.
    ValueError
        If the files have different columns, a column does not exist, or the folder is partitioned by the names of folders.
    """

    def __init__(self, path: Any, columns: list[str] | None = None) -> None:
        self._path = Path(path)
        self._files = _files_at(self._path)
        groups, lengths, self._schema = _groups_of(self._files)
        self._groups = [group for group, length in zip(groups, lengths, strict=True) if length]
        self.edges = np.concatenate([[0], np.cumsum([length for length in lengths if length])]).astype(np.int64)
        self.n = int(self.edges[-1])
        self.columns = tuple(self._schema.names if columns is None else columns)
        _check_columns(self._path, self.columns, self._schema.names)
        self._open: OrderedDict[int, _Reading] = OrderedDict()

    def select(self, columns: list[str]) -> ParquetSource:
        """Return a source of some columns, in this order."""
        return ParquetSource(self._path, columns)

    def read(self, start: int, stop: int) -> Any:
        """Return the rows from `start` to `stop - 1` as a `pyarrow.Table`."""
        import pyarrow as pa

        tables = []
        while start < stop:
            part = int(np.searchsorted(self.edges, start, side="right")) - 1
            end = min(stop, int(self.edges[part + 1]))
            tables += self._read_part(part, start, end)
            start = end
        return pa.Table.from_batches(tables, self._selected_schema) if tables else self._selected_schema.empty_table()

    def state(self) -> Any:
        """Return the size and the time of change of each file."""
        found = [path.stat() for path in self._files]
        return [(stat.st_size, stat.st_mtime_ns) for stat in found]

    @property
    def _selected_schema(self) -> Any:
        import pyarrow as pa

        return pa.schema([self._schema.field(name) for name in self.columns])

    def _read_part(self, part: int, start: int, stop: int) -> list[Any]:
        """Return batches of one row group, and keep it open at the next row: blocks of a part are mostly read in order."""
        reading = self._open.pop(start, None)
        if reading is None:
            reading = self._opened(part)
            reading.take(start - int(self.edges[part]))
        batches = reading.take(stop - start)
        if stop < self.edges[part + 1]:
            while len(self._open) >= OPEN_PARTS:
                self._open.popitem(last=False)
            self._open[stop] = reading
        return batches

    def _opened(self, part: int) -> _Reading:
        import pyarrow.parquet as pq

        group = self._groups[part]
        file = pq.ParquetFile(self._files[group.file], buffer_size=BUFFER_BYTES)
        columns = list(self.columns)
        return _Reading(file.iter_batches(BATCH_ROWS, row_groups=[group.number], columns=columns), columns)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_open": OrderedDict()}


class _Reading:
    """A row group that is being read from its first row to its last."""

    def __init__(self, batches: Iterator[Any], columns: list[str]) -> None:
        self._batches, self._columns = batches, columns
        self._rest: Any = None

    def take(self, n: int) -> list[Any]:
        """Return the next `n` rows in batches; fewer if the file ends before."""
        taken: list[Any] = []
        while n > 0:
            batch = self._rest if self._rest is not None else next(self._batches, None)
            if batch is None:
                break
            taken.append(batch.slice(0, n).select(self._columns))
            self._rest = batch.slice(n) if batch.num_rows > n else None
            n -= taken[-1].num_rows
        return taken


def _files_at(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(
            f"X is {str(path)!r}, which is read as the path of a Parquet file or of a folder of them, but there is no such file or folder."
        )
    files = sorted(path.rglob("*.parquet"))
    if not files:
        raise FileNotFoundError(f"The folder {str(path)!r} has no files whose names end in .parquet.")
    for file in files:
        if any("=" in part for part in file.relative_to(path).parts[:-1]):
            raise ValueError(
                f"The folder {str(path)!r} is partitioned: the name of a folder in it holds a value, {str(file.relative_to(path))!r}. Such "
                "columns cannot be read. Write the files with all columns in them."
            )
    return files


def _groups_of(files: list[Path]) -> tuple[list[_Group], list[int], Any]:
    """Return the row groups of files, their lengths, and the schema that all files have."""
    try:
        import pyarrow.parquet as pq
    except ImportError as err:
        raise ImportError("Parquet files need PyArrow. Install it with: pip install 'skdeep-flax[arrow]'") from err
    groups, lengths, schema = [], [], None
    for i, path in enumerate(files):
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.remove_metadata()
            if schema is not None and not found.equals(schema):
                raise ValueError(
                    f"The file {str(path)!r} has other columns than {str(files[0])!r}: {_described(found)} instead of {_described(schema)}. "
                    "All files of a folder must have the same columns."
                )
            schema = found
            for number in range(file.metadata.num_row_groups):
                groups.append(_Group(i, number))
                lengths.append(file.metadata.row_group(number).num_rows)
    return groups, lengths, schema


def _described(schema: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)


def _check_columns(path: Path, columns: tuple[str, ...], known: list[str]) -> None:
    absent = [name for name in columns if name not in known]
    if absent:
        raise ValueError(
            f"{str(path)!r} has no column {', '.join(map(repr, absent))}. Its columns are {', '.join(map(repr, known))}."
        )
