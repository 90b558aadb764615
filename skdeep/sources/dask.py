"""Rows of Dask data frames, series and arrays, partition by partition."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from skdeep.sources.source import OPEN_PARTS


class DaskSource:
    """The rows of a Dask data frame, series or array. A part is a partition; a few of them are kept in memory.

    The lengths of the partitions of a frame are computed first, which may read the data once.
    """

    def __init__(self, rows: Any, edges: np.ndarray | None = None) -> None:
        self._rows = rows
        self.edges = np.concatenate([[0], np.cumsum(_lengths(rows))]) if edges is None else edges
        self.n = int(self.edges[-1])
        self._computed: OrderedDict[int, Any] = OrderedDict()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(map(str, getattr(self._rows, "columns", ())))

    def select(self, columns: list[str]) -> DaskSource:
        """Return a source of some columns, in this order."""
        return DaskSource(self._rows[columns], self.edges)

    def read(self, start: int, stop: int) -> Any:
        """Return the rows from `start` to `stop - 1`."""
        blocks = []
        while start < stop:
            part = int(np.searchsorted(self.edges, start, side="right")) - 1
            first = int(self.edges[part])
            end = min(stop, int(self.edges[part + 1]))
            blocks.append(self._part(part)[start - first : end - first])
            start = end
        return blocks[0] if len(blocks) == 1 else _joined(blocks)

    def state(self) -> Any:
        """Return the name of the graph, which Dask makes of what the rows are computed from."""
        return str(getattr(self._rows, "name", None) or getattr(self._rows, "_name", "")), self.n

    def _part(self, part: int) -> Any:
        if part not in self._computed:
            while len(self._computed) >= OPEN_PARTS:
                self._computed.popitem(last=False)
            self._computed[part] = self._checked(part, _partition(self._rows, part).compute())
        self._computed.move_to_end(part)
        return self._computed[part]

    def _checked(self, part: int, rows: Any) -> Any:
        expected = int(self.edges[part + 1] - self.edges[part])
        if len(rows) != expected:
            raise ValueError(
                f"The partition {part} of the Dask collection has {len(rows)} rows, but it had {expected} before. It must not change "
                "during a fit: write it to Parquet files first."
            )
        return rows

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_computed": OrderedDict()}


def _lengths(rows: Any) -> list[int]:
    if not hasattr(rows, "chunks"):
        return [int(length) for length in rows.map_partitions(len).compute()]
    if any(np.isnan(length) for length in rows.chunks[0]):
        rows.compute_chunk_sizes()
    return [int(length) for length in rows.chunks[0]]


def _partition(rows: Any, part: int) -> Any:
    return rows.blocks[part] if hasattr(rows, "chunks") else rows.partitions[part]


def _joined(blocks: list[Any]) -> Any:
    if isinstance(blocks[0], np.ndarray):
        return np.concatenate(blocks)
    import pandas as pd

    return pd.concat(blocks)
