"""Rows of a table in memory."""

from __future__ import annotations

from typing import Any, Self

import narwhals.stable.v2 as nw

from skdeep.sources.sliced import SlicedSource


class FrameSource(SlicedSource):
    """The rows of a pandas or polars table in memory.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdeep.sources.frame import FrameSource
    >>> source = FrameSource(pd.DataFrame({"a": [1, 2, 3], "b": list("xyz")}))
    >>> source.select(["b"]).read(1, 3)["b"].tolist()
    ['y', 'z']
    """

    def __init__(self, table: Any) -> None:
        self._frame = nw.from_native(table, eager_only=True)
        super().__init__(self._frame)
        self.columns = tuple(self._frame.columns)

    def read(self, start: int, stop: int) -> Any:
        """Return the rows from `start` to `stop - 1`."""
        return self._frame[start:stop].to_native()

    def select(self, columns: list[str]) -> Self:
        """Return a source of some columns, in this order."""
        return type(self)(self._frame.select(columns).to_native())
