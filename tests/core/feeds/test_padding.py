"""Padded rows: the rows, then zeros, at an address from which XLA reads without a copy."""

import numpy as np
import scipy.sparse as sp

from skdeep.core.cpu.aligned import ALIGNMENT
from skdeep.core.feeds import pad_rows
from skdeep.core.rows import WeightedRows


def test_dense_rows_are_padded_with_zeros():
    x = np.arange(40 * 6, dtype=np.float32).reshape(40, 6)
    padded = pad_rows(WeightedRows(x, np.arange(40, dtype=np.int32), np.full(40, 2.0)), (3, 2))
    assert padded.x.shape == (64, 3, 2)
    assert int(padded.n) == 40
    np.testing.assert_array_equal(padded.x[:40], x.reshape(40, 3, 2))
    for values in padded[:3]:
        assert not values[40:].any()
        assert values.ctypes.data % ALIGNMENT == 0
    assert padded.weight.dtype == np.float32


def test_sparse_rows_become_their_entries():
    x = sp.random(40, 500, density=0.01, format="csr", random_state=0, dtype=np.float32)
    padded = pad_rows(WeightedRows(x, np.zeros(40, np.int32), np.ones(40)), (500,))
    dense = np.zeros((64, 500), np.float32)
    np.add.at(dense, (np.arange(64)[:, None], padded.x.column), padded.x.value)
    np.testing.assert_array_equal(dense[:40], x.toarray())
    assert not dense[40:].any()
