"""The objective: expected values are computed by hand, from the formulas in the docstrings."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeep import Loss
from skdeep.core.objective import (
    MeanLoss,
    row_losses,
    rows_of_full_batch,
    share_of_full_batch,
)
from skdeep.losses import SquaredError
from skdeep.records import Batch

# Three rows, of which the last is padding.
LOSSES = jnp.array([1.0, 3.0, 5.0])
MASK = jnp.array([1.0, 1.0, 0.0])
BATCH = Batch(x=MASK[:, None], target=MASK, weight=jnp.array([1.0, 2.0, 0.0]), mask=MASK)

# The kernel has sum|k| = 6 and sum k^2 = 10; nothing else is a kernel.
PARAMS = {
    "Dense_0": {"kernel": np.array([[1.0, -2.0], [-1.0, 2.0]], np.float32), "bias": np.full(2, 10.0, np.float32)},
    "Embed_0": {"embedding": np.full((3, 2), 5.0, np.float32)},
}


@pytest.mark.parametrize(
    ("objective", "n_rows", "value"),
    [
        (MeanLoss(), 10, (1 + 2 * 3) / 3),  # divided by the rows of a full batch, padding included
        (MeanLoss(), 2, (1 + 2 * 3) / 2),  # with 2 rows, a full batch has 2
        (MeanLoss(l1=0.5), 10, 7 / 3 + 0.5 * 6),
        (MeanLoss(l2=0.1), 10, 7 / 3 + 0.5 * 0.1 * 10),
        (MeanLoss(l1=0.5, l2=0.1), 10, 7 / 3 + 0.5 * 6 + 0.5 * 0.1 * 10),
    ],
)
def test_mean_loss(objective, n_rows, value):
    got, reported = objective(LOSSES, BATCH, PARAMS, jnp.int32(n_rows))
    assert_allclose(got, value, rtol=1e-6)
    assert_allclose(reported, 7.0, rtol=1e-6)  # the sum, without the penalties


def test_gradient_of_the_penalties():
    """`l1 * sign(k) + l2 * k` for kernels, 0 for other parameters."""
    params = jax.tree.map(jnp.asarray, PARAMS)
    gradient = jax.grad(lambda p: MeanLoss(l1=0.5, l2=0.1)(LOSSES, BATCH, p, jnp.int32(10))[0])(params)
    assert_allclose(gradient["Dense_0"]["kernel"], [[0.5 + 0.1, -0.5 - 0.2], [-0.5 - 0.1, 0.5 + 0.2]], rtol=1e-6)
    assert_array_equal(gradient["Dense_0"]["bias"], np.zeros(2))
    assert_array_equal(gradient["Embed_0"]["embedding"], np.zeros((3, 2)))


@pytest.mark.parametrize(("n_rows", "rows"), [(2, 2.0), (3, 3.0), (100, 3.0)])
def test_rows_of_full_batch(n_rows, rows):
    assert float(rows_of_full_batch(BATCH, jnp.int32(n_rows))) == rows


@pytest.mark.parametrize(
    ("n_rows", "largest", "share"),
    [
        (10, 0, 2 / 3),
        (2, 0, 1.0),  # the batch has all rows
        (2, 8, 2 / 8),  # an earlier part of the rows had batches of 8
        (10, 2, 2 / 3),
    ],
)
def test_share_of_full_batch(n_rows, largest, share):
    assert_allclose(share_of_full_batch(BATCH, jnp.int32(n_rows), jnp.int32(largest)), share, rtol=1e-6)


class Reducing(Loss):
    tasks = ("regression",)

    def __call__(self, raw, target):
        return jnp.mean((raw - target) ** 2)


def test_row_losses():
    raw, target = jnp.array([[1.0], [4.0]]), jnp.array([[0.0], [2.0]])
    assert_allclose(row_losses(SquaredError(), raw, target), [1.0, 4.0], rtol=1e-6)
    with pytest.raises(
        ValueError,
        match=r"The loss Reducing\(\) returned shape \(\) for 2 rows, but it must return one value per row, \(2,\). Leave out the "
        "mean or sum over rows: weights and the mean are applied later.",
    ):
        row_losses(Reducing(), raw, target)
