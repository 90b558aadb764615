"""Rows to predict for: the rows from a start on, padded with zeros to the end of a block."""

import numpy as np
import pytest
import scipy.sparse as sp

from skdeep.core.feeds.blocks import BLOCK_ROWS, taker_of

X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)


@pytest.mark.parametrize("x", [X, sp.csr_matrix(X)], ids=["dense", "sparse"])
@pytest.mark.parametrize(("start", "size"), [(0, 128), (256, 128), (256, 512), (128, 1)])
def test_rows_are_taken_and_padded(x, start, size):
    taken = taker_of(x, (2, 2))(start, size)
    rows = X[start : start + size]
    assert taken.shape == (size, 2, 2)
    np.testing.assert_array_equal(taken[: len(rows)], rows.reshape(-1, 2, 2))
    end = -(-len(rows) // BLOCK_ROWS) * BLOCK_ROWS
    assert not taken[len(rows) : end].any()


def test_sparse_rows_with_few_entries_are_taken_as_entries():
    x = sp.random(300, 1000, density=0.005, format="csr", random_state=0, dtype=np.float32)
    taken = taker_of(x, (1000,))(256, 128)
    dense = np.zeros((128, 1000), np.float32)
    np.add.at(dense, (np.arange(128)[:, None], taken.column), taken.value)
    np.testing.assert_array_equal(dense[:44], x[256:].toarray())
    assert not dense[44:].any()
