"""One training step and the end of an epoch, against a loop in NumPy: a linear network with squared errors and SGD."""

import jax
import numpy as np
import pytest

from skdeep.config import FitConfig, Model
from skdeep.core import as_traced, stopping
from skdeep.core.objective import MeanLoss
from skdeep.core.random import key_of_seed
from skdeep.core.step import (
    continued_state,
    evaluation_rows,
    judge_score,
    learning_rate_of,
    new_state,
    progress,
    train_block,
    train_step,
    weighted_loss,
)
from skdeep.core.stopping import Patience
from skdeep.losses import SquaredError
from skdeep.networks import Linear
from skdeep.optimizers import SGD
from skdeep.records import Batch, Rows
from skdeep.schedules import Linear as Falling

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(10, 3)).astype(np.float32), rng.normal(size=(10, 1)).astype(np.float32)
WEIGHT = rng.uniform(0.5, 2, 10).astype(np.float32)
KEY = key_of_seed(0)


def config_of(**changes):
    parts = {
        "model": Model(Linear(), (3,), 1), "loss": SquaredError(), "optimizer": SGD(momentum=0.0), "schedule": Falling(),
        "objective": MeanLoss(), "stopping": Patience(), "learning_rate": 0.1, "max_epochs": 4.0,
    }  # fmt: skip
    return as_traced(FitConfig(**parts | changes))


def numpy_step(kernel, bias, rows, rate, l2=0.0, clip_norm=np.inf):
    """Return kernel and bias after one step on the rows of a full batch."""
    x, y, w = X[rows], Y[rows], WEIGHT[rows][:, None]
    residual = 2 * (x @ kernel + bias - y) * w / len(rows)
    gradients = x.T @ residual + l2 * kernel, residual.sum(axis=0)
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    factor = min(1.0, clip_norm / norm)
    return kernel - rate * factor * gradients[0], bias - rate * factor * gradients[1]


def values_of(state):
    return np.asarray(state.params["output"]["kernel"], float), np.asarray(state.params["output"]["bias"], float)


@pytest.mark.parametrize(
    "changes", [{}, {"objective": MeanLoss(l2=0.3)}, {"clip_norm": 0.05}], ids=["plain", "l2", "clip"]
)
def test_a_step_equals_numpys(changes):
    config, rows = config_of(**changes), np.arange(5)
    state = new_state(config, KEY, np.int32(10), np.int32(2))
    batch = Batch(X[rows], Y[rows], WEIGHT[rows], np.ones(5, np.float32))
    after, reported = jax.jit(train_step)(config, state, batch)
    options = {"l2": 0.3 if "objective" in changes else 0.0, "clip_norm": changes.get("clip_norm", np.inf)}
    for found, expected in zip(values_of(after), numpy_step(*values_of(state), rows, 0.1, **options), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    kernel, bias = values_of(state)
    np.testing.assert_allclose(
        reported, (WEIGHT[rows, None] * (X[rows] @ kernel + bias - Y[rows]) ** 2).sum(), rtol=1e-5
    )
    assert (int(after.position), int(after.epoch)) == (1, 0)


def test_a_block_over_several_epochs_reports_each_epoch():
    """Two epochs of two batches; the learning rate falls linearly: 0.1 times 1, 7/8, 6/8, 5/8."""
    config = config_of()
    state = new_state(config, KEY, np.int32(10), np.int32(2))
    order = np.array([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]] * 2 + [[0] * 5] * 4, np.int32)
    rows = Rows(X, Y, WEIGHT, np.int32(10))
    weights = values_of(state)
    losses, rates = [], []
    for step in range(4):
        chosen, rate = order[step], 0.1 * (1 - step / 8)
        residual = X[chosen] @ weights[0] + weights[1] - Y[chosen]
        losses.append((WEIGHT[chosen, None] * residual**2).sum())
        weights = numpy_step(*weights, chosen, rate)
        rates.append(rate)
    after, info = train_block(config, jax.tree.map(np.array, state), rows, rows, order, np.int32(4))
    for found, expected in zip(values_of(after), weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert (int(info.n_epochs), int(after.epoch), int(after.position)) == (2, 2, 0)
    np.testing.assert_allclose(info.train_loss[:2], [sum(losses[:2]) / 10, sum(losses[2:]) / 10], rtol=1e-5)
    np.testing.assert_allclose(info.learning_rate[:2], [rates[1], rates[3]], rtol=1e-6)
    final = (WEIGHT[:, None] * (X @ weights[0] + weights[1] - Y) ** 2).sum() / 10
    np.testing.assert_allclose(info.val_loss[1], final, rtol=1e-4)


def test_progress_counts_fractions_of_epochs_and_ends_at_one():
    config = config_of()
    state = new_state(config, KEY, np.int32(10), np.int32(2))
    for epoch, position, expected in ((0, 0, 0.0), (1, 1, 0.375), (4, 0, 1.0), (9, 1, 1.0)):
        at = state._replace(epoch=np.int32(epoch), position=np.int32(position))
        assert float(progress(config, at)) == pytest.approx(expected)
        assert float(learning_rate_of(config, at)) == pytest.approx(0.1 * (1 - expected))


def test_the_weighted_loss_of_padded_rows():
    config = config_of()
    state = new_state(config, KEY, np.int32(10), np.int32(2))
    kernel, bias = values_of(state)
    padded = Rows(np.resize(X, (32, 3)), np.resize(Y, (32, 1)), np.pad(WEIGHT, (0, 22)), np.int32(10))
    expected = (WEIGHT[:, None] * (X @ kernel + bias - Y) ** 2).sum()
    np.testing.assert_allclose(weighted_loss(config.model, config.loss, state.params, {}, padded), expected, rtol=1e-5)


def test_continued_state_has_the_given_parameters():
    config = config_of(optimizer=SGD(momentum=0.9))
    params = {"output": {"kernel": np.ones((3, 1), np.float32), "bias": np.zeros(1, np.float32)}}
    state = continued_state(config, params, {}, KEY, np.int32(10), np.int32(2), np.int32(7))
    assert (int(state.epoch), int(state.position), int(state.status)) == (7, 0, stopping.RUNNING)
    np.testing.assert_array_equal(state.params["output"]["kernel"], 1.0)
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(state.optimizer_state))


def test_a_score_computed_on_the_host_updates_early_stopping():
    config = config_of(stopping=Patience(tol=0.1, n_iter_no_change=2.0), keep_best=True)
    state = new_state(config, KEY, np.int32(10), np.int32(2))
    statuses = []
    for score in (1.0, 0.5, 0.45, 0.44):
        state = judge_score(
            config, jax.tree.map(np.array, state._replace(epoch=state.epoch + np.int32(1))), np.float32(score)
        )
        statuses.append(int(state.status))
    assert statuses == [stopping.RUNNING] * 3 + [stopping.CONVERGED]
    assert (int(state.stopping.best_epoch), float(state.stopping.best)) == (4, pytest.approx(0.44))


def test_wide_outputs_are_evaluated_with_fewer_rows_at_a_time():
    assert [evaluation_rows(n) for n in (1, 2**15, 2**17, 2**30)] == [512, 512, 128, 32]
