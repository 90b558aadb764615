"""Passes over all rows in parts."""

import numpy as np
import pytest
import scipy.sparse as sp

from skdeep.core.feeds import passes
from skdeep.core.rows import WeightedRows

X = np.random.default_rng(0).normal(size=(50, 3))


@pytest.mark.parametrize(("x", "limits", "are_kept", "n_parts"), [
    (X, {}, True, 1),
    (X, {"ROWS_PER_CALL": 20}, True, 3),
    (sp.csr_matrix(X), {}, True, 1),
    (sp.csr_matrix(X), {"DENSE_VALUES": 100, "SPARSE_ROWS_PER_CALL": 13}, False, 4),
])  # fmt: skip
def test_the_parts_together_are_all_rows(monkeypatch, x, limits, are_kept, n_parts):
    for name, value in limits.items():
        monkeypatch.setattr(passes, name, value)
    made = passes.Passes(WeightedRows(x, np.arange(50.0)[:, None], np.arange(50.0)), (3,))
    parts = list(made)
    assert (made.are_kept, len(parts)) == (are_kept, n_parts)
    for field, expected in (("x", X), ("target", np.arange(50.0)[:, None]), ("weight", np.arange(50.0))):
        found = np.concatenate([np.asarray(getattr(part, field))[: int(part.n)] for part in parts])
        np.testing.assert_array_equal(found, expected)
