"""The interface of sources."""

from __future__ import annotations

from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

OPEN_PARTS = 2
"""So many parts of a source are read in turn, so that a source that keeps so many of them open reads each only once. An open row group of a
Parquet file takes about 2 MB per column."""


@runtime_checkable
class Source(Protocol):
    """Rows that are read block by block.

    `n` is the number of rows. `edges` are the positions at which parts begin, and `n`: a part is best read from its first row on.
    It is None if reading may begin at any row. A source is used by one thread at a time.
    """

    @property
    def n(self) -> int:
        """Number of rows."""
        ...

    @property
    def edges(self) -> np.ndarray | None:
        """The first row of each part, followed by `n`; None if there are no parts."""
        ...

    def read(self, start: int, stop: int) -> Any:
        """Return the rows from `start` to `stop - 1`: an array `(stop - start, ...)`, or a pandas, polars or pyarrow table."""
        ...

    def state(self) -> Any:
        """Return a value that is cheap to get and changes if the rows change, as far as that is possible."""
        ...


@runtime_checkable
class TableSource(Source, Protocol):
    """A source with named columns."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        ...

    def select(self, columns: list[str]) -> Self:
        """Return a source of some columns, in this order."""
        ...


def selected(source: TableSource, columns: list[str]) -> TableSource:
    """Return a source of some columns; raise ValueError if one of them does not exist."""
    absent = [name for name in columns if name not in source.columns]
    if absent:
        raise ValueError(
            f"X has no column {', '.join(map(repr, absent))}. Its columns are {', '.join(map(repr, source.columns))}."
        )
    return source.select(columns)
