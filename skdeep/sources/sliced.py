"""Rows of an object with `__len__` and slicing: a memory map, a dataset of an HDF5 file, a class of the user."""

from __future__ import annotations

import zlib
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np


class SlicedSource:
    """The rows of an object, which `rows[start:stop]` returns as an array or a table.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.sources.sliced import SlicedSource
    >>> SlicedSource(np.arange(10)).read(2, 4)
    array([2, 3])
    """

    edges = None

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.n = len(rows)

    def read(self, start: int, stop: int) -> Any:
        """Return the rows from `start` to `stop - 1`."""
        return self._rows[start:stop]

    def state(self) -> Any:
        """Return the number of rows, and a checksum of the first and the last row."""
        n = len(self._rows)
        return n, [checksum(self._rows[start : start + 1]) for start in ({0, n - 1} if n else ())]


def checksum(block: Any) -> int:
    """Return a checksum of the values of an array or a table."""
    if nw.dependencies.is_into_dataframe(block):
        return zlib.crc32(repr(nw.from_native(block, eager_only=True).rows()).encode())
    values = np.asarray(block)
    content = repr(values.tolist()).encode() if values.dtype.hasobject else values.tobytes()
    return zlib.crc32(content)
