"""Rows of a PyArrow table in memory, or of one that maps a file to memory."""

from __future__ import annotations

from typing import Any

from skdeep.sources.sliced import SlicedSource


class ArrowSource(SlicedSource):
    """The rows of a `pyarrow.Table`. The table is not copied as a whole: each block is converted when it is read."""

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self.columns = tuple(table.column_names)

    def select(self, columns: list[str]) -> ArrowSource:
        """Return a source of some columns, in this order."""
        return ArrowSource(self._rows.select(columns))
