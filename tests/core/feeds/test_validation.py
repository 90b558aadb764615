"""Validation rows: the program computes the loss of dense rows; the loss of sparse rows is compared with a NumPy loop."""

import numpy as np
import scipy.sparse as sp

from skdeep.config import FitConfig, Model
from skdeep.core import as_traced
from skdeep.core.feeds.validation import Validation, validates_in_program
from skdeep.core.objective import MeanLoss
from skdeep.core.rows import WeightedRows
from skdeep.core.stopping import Patience
from skdeep.losses import SquaredError
from skdeep.networks import Linear
from skdeep.optimizers import SGD
from skdeep.schedules import Constant

rng = np.random.default_rng(0)
X = rng.normal(size=(70, 3)).astype(np.float32) * (rng.random((70, 3)) < 0.5)
TARGET, WEIGHT = rng.normal(size=(70, 2)).astype(np.float32), rng.uniform(0, 2, 70)


def test_the_program_computes_the_loss_of_dense_rows():
    rows = WeightedRows(X, TARGET, WEIGHT)
    assert validates_in_program(rows)
    assert int(Validation(rows, (3,)).in_program.n) == 70


def test_the_loss_of_sparse_rows_equals_a_numpy_loop():
    rows = WeightedRows(sp.csr_matrix(X), TARGET, WEIGHT)
    validation = Validation(rows, (3,))
    assert not validates_in_program(rows)
    assert validation.in_program is None
    config = FitConfig(Model(Linear(), (3,), 2), SquaredError(), SGD(), Constant(), MeanLoss(), Patience(), 0.1, 1.0)
    kernel, bias = rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=2).astype(np.float32)
    params = {"output": {"kernel": kernel, "bias": bias}}
    losses = ((X @ kernel + bias - TARGET) ** 2).mean(axis=1)
    expected = sum(w * loss for w, loss in zip(WEIGHT, losses, strict=True)) / 70
    np.testing.assert_allclose(validation.loss(as_traced(config), params, {}), expected, rtol=1e-5)
