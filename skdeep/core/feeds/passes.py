"""Rows for programs that read all of them at each call, in parts that fit into memory once the network has read them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from skdeep.core.encode import is_sparse
from skdeep.core.feeds.padding import pad_rows
from skdeep.core.rows import WeightedRows
from skdeep.records import Rows

# Rows that one call evaluates: their hidden values are in memory together.
ROWS_PER_CALL = 2**14
# Sparse X of more values than this is made dense a part at a time, for each call anew.
DENSE_VALUES = 2**23
SPARSE_ROWS_PER_CALL = 2**11


class Passes:
    """All rows in parts; `are_kept` tells whether the parts may be kept between two passes."""

    def __init__(self, rows: WeightedRows, shape: tuple[int, ...]) -> None:
        self._rows, self._shape = rows, shape
        self.are_kept = not (is_sparse(rows.x) and math.prod(rows.x.shape) > DENSE_VALUES)
        n_calls = -(-len(rows.target) // (ROWS_PER_CALL if self.are_kept else SPARSE_ROWS_PER_CALL))
        self._parts = np.array_split(np.arange(len(rows.target)), n_calls)

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Rows]:
        for part in self._parts:
            rows = self._rows.take(part)
            x = rows.x.toarray() if is_sparse(rows.x) else rows.x
            yield pad_rows(rows._replace(x=x), self._shape)
