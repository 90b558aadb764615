"""Rows for programs that need all of them, in parts that are small enough for the network's hidden values to fit in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from skdeep.core.encode import is_sparse
from skdeep.core.feeds.padding import pad_rows
from skdeep.core.inputs import InShape
from skdeep.core.rows import WeightedRows
from skdeep.records import Rows

# One call of a program evaluates at most this many rows: the hidden values of all of them are in memory at the same time.
ROWS_PER_CALL = 2**14
# Sparse X with more values than this, zeros included, is made dense part by part, again in each pass.
DENSE_VALUES = 2**23
SPARSE_ROWS_PER_CALL = 2**11


class Passes:
    """All rows, in parts. `are_kept` is True if the caller may keep the parts between two passes."""

    def __init__(self, rows: WeightedRows, in_shape: InShape) -> None:
        self._rows, self._in_shape = rows, in_shape
        self.are_kept = not (is_sparse(rows.x) and math.prod(rows.x.shape) > DENSE_VALUES)
        n_calls = -(-len(rows.target) // (ROWS_PER_CALL if self.are_kept else SPARSE_ROWS_PER_CALL))
        self._parts = np.array_split(np.arange(len(rows.target)), n_calls)

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Rows]:
        for part in self._parts:
            rows = self._rows.take(part)
            x = rows.x.toarray() if is_sparse(rows.x) else rows.x
            yield pad_rows(rows._replace(x=x), self._in_shape)
