"""Losses whose rows depend on each other, against loops in NumPy with gradients in closed form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import skdeep
from skdeep.config import FitConfig, Model
from skdeep.core import as_traced
from skdeep.core.augment import Mixture, losses_of_batch
from skdeep.core.drivers import lbfgs
from skdeep.core.drivers.lbfgs import ScipyLBFGS
from skdeep.core.feeds import InOrder, pad_rows, passes
from skdeep.core.job import Job
from skdeep.core.objective import MeanLoss, row_losses
from skdeep.core.placement import Placement
from skdeep.core.random import key_of_seed
from skdeep.core.rows import WeightedRows
from skdeep.core.run import run
from skdeep.core.step import continued_state, weighted_loss
from skdeep.core.stopping import Patience
from skdeep.networks import Linear
from skdeep.optimizers import SGD
from skdeep.records import Batch
from skdeep.schedules import Constant
from skdeep.testing import check_loss, component_checks
from skdeep.testing.running import name_of

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 3))
Y = (X[:, 0] + 0.5 * rng.normal(size=10) > 0).astype(np.int32)
WEIGHT = rng.uniform(0.5, 2, 10)
KERNEL, BIAS = rng.normal(size=(3, 1)), rng.normal(size=1)
RATE = 0.7


class Dice(skdeep.Loss):
    """1 minus the overlap of what is predicted and what is there, over all rows of a batch."""

    smooth: float = 1.0

    tasks = ("binary",)
    probabilistic = True
    of_batch = True

    def __call__(self, raw, target, weight):
        probability = jax.nn.sigmoid(raw[:, 0])
        both, size = jnp.sum(weight * probability * target), jnp.sum(weight * (probability + target))
        return jnp.full(len(raw), 1 - (2 * both + self.smooth) / (size + self.smooth), raw.dtype)


def dice(raw, target, weight, smooth=1.0):
    """Return the value in NumPy, and its derivative by raw."""
    p = 1 / (1 + np.exp(-raw))
    n, d = 2 * np.sum(weight * p * target) + smooth, np.sum(weight * (p + target)) + smooth
    return 1 - n / d, -(2 * weight * target * d - n * weight) / d**2 * p * (1 - p)


def config_of(loss, objective=None, n_raw=1):
    rules = (objective or MeanLoss(), Patience())
    return FitConfig(Model(Linear(), (3,), n_raw), loss, SGD(momentum=0.0), Constant(), *rules, RATE, 4.0)


def job_of(config, batch_size, driver=None):
    place = Placement("cpu", 0, "float64")
    with place.active():
        params = {"output": {"kernel": KERNEL, "bias": BIAS}}
        sizes = np.int32(10), np.int32(-(-10 // batch_size)), np.int32(0)
        start = continued_state(as_traced(config, np.float64), params, {}, key_of_seed(0), *sizes)
    rows = WeightedRows(X, Y, WEIGHT)
    options = {} if driver is None else {"driver": driver}
    return Job(config, rows, InOrder(10), batch_size, start, place, last_epoch=4, **options)


@pytest.mark.parametrize("batch_size", [4, 10])
def test_training_against_a_loop(batch_size):
    outcome = run(job_of(config_of(Dice(smooth=0.5)), batch_size))
    kernel, bias, history = KERNEL[:, 0].copy(), BIAS.copy(), []
    for _ in range(4):
        reported = 0.0
        for start in range(0, 10, batch_size):
            x, y, w = (a[start : start + batch_size] for a in (X, Y, WEIGHT))
            value, slope = dice(x @ kernel + bias, y, w, 0.5)
            # The batch's value is each row's loss: it counts by the weights of the rows, over a full batch.
            kernel, bias = (
                p - RATE * w.sum() / batch_size * g for p, g in ((kernel, x.T @ slope), (bias, slope.sum()))
            )
            reported += value * w.sum()
        history.append(reported / 10)
    assert_allclose(outcome.history["train_loss"], history, rtol=1e-10)
    assert_allclose(np.ravel(outcome.params["output"]["kernel"]), kernel, rtol=1e-10)
    assert_allclose(outcome.params["output"]["bias"], bias, rtol=1e-10)


def test_validation_sees_512_rows_at_once():
    x = rng.normal(size=(600, 3))
    y, w = (x[:, 1] > 0).astype(np.int32), rng.uniform(0.5, 2, 600)
    params = {"output": {"kernel": KERNEL, "bias": BIAS}}
    with Placement("cpu", 0, "float64").active():
        rows = pad_rows(WeightedRows(x, y, w), (3,))
        total = weighted_loss(Model(Linear(), (3,), 1), as_traced(Dice(), np.float64), params, {}, rows)
    raw = x @ KERNEL[:, 0] + BIAS
    parts = (slice(0, 512), slice(512, 600))
    assert_allclose(total, sum(dice(raw[p], y[p], w[p])[0] * w[p].sum() for p in parts), rtol=1e-10)


def test_mixed_rows_count_for_each_target_by_its_share():
    raw, partner, share = jnp.array([[1.0], [-2.0], [0.5]]), np.array([1, 2, 0]), np.array([0.25, 1.0, 0.5])
    target, weight = np.array([1, 0, 1]), np.array([2.0, 1.0, 0.0])
    batch = Batch(raw, jnp.asarray(target), jnp.asarray(weight, jnp.float32), jnp.ones(3))
    mixture = Mixture(jnp.asarray(partner), jnp.asarray(share, jnp.float32))
    losses = losses_of_batch(Dice(), raw, batch, mixture)
    weights = share * weight, (1 - share) * weight[partner]
    own, other = (dice(np.asarray(raw)[:, 0], t, w)[0] for t, w in zip((target, target[partner]), weights, strict=True))
    of_pair = sum(weights)
    assert_allclose(np.sum(of_pair * losses), weights[0].sum() * own + weights[1].sum() * other, rtol=1e-5)


def test_lbfgs_takes_one_part_only(monkeypatch):
    from skdeep.perceptron.rules import BatchMean

    job = job_of(config_of(Dice(), BatchMean(0.1)), 10, ScipyLBFGS(1e-8, 1000))
    first = run(job.replace(last_epoch=1)).history["train_loss"][0]
    assert run(job).loss < first
    rows = pad_rows(job.rows, (3,))
    with job.placement.active():
        value, _ = lbfgs.loss_and_gradient(as_traced(job.config, np.float64), {}, rows, np.append(BIAS, KERNEL))
    assert_allclose(value, dice(X @ KERNEL[:, 0] + BIAS, Y, WEIGHT)[0] * WEIGHT.sum(), rtol=1e-10)
    monkeypatch.setattr(passes, "ROWS_PER_CALL", 4)
    with pytest.raises(
        ValueError, match="the solver 'lbfgs' reads these rows in 3 parts and sums their losses. Train with"
    ):
        run(job)


def test_no_part_of_another_loss():
    message = (
        "cannot be part of another loss, as in SequenceGenerator and in a variational DeepAutoencoder. Give a loss"
    )
    with pytest.raises(ValueError, match=message):
        row_losses(Dice(), jnp.zeros((2, 1)), jnp.zeros(2))

    class Spread(skdeep.losses.SquaredError):
        of_batch = True

        def __call__(self, raw, target, weight):
            return super().__call__(raw, target) - (weight * super().__call__(raw, target)).mean()

    with pytest.raises(ValueError, match=message):
        skdeep.DeepAutoencoder(variational=True, loss=Spread(), max_epochs=1, tol=None).fit(X)


def test_the_kit_takes_it():
    assert all(result.passed for result in check_loss(Dice))


def test_an_estimator_takes_it():
    model = skdeep.DeepClassifier(
        network="linear", loss=Dice(), learning_rate=0.1, max_epochs=30, tol=None, random_state=0
    )
    model.fit(X, Y, sample_weight=WEIGHT, X_val=X[:5], y_val=Y[:5])
    assert model.history_["val_loss"].iloc[-1] < model.history_["val_loss"].iloc[0]
    assert model.score(X, Y) >= 0.8
    model.set_params(loss__smooth=0.0, batch_size=11, coalesce=False)
    given_twice = model.fit(np.concatenate([X, X[:1]]), np.append(Y, Y[:1])).predict_proba(X)
    assert_allclose(model.fit(X, Y, np.append(2, np.ones(9))).predict_proba(X), given_twice, atol=1e-5)


class IgnoresWeights(Dice):
    def __call__(self, raw, target, weight):
        return super().__call__(raw, target, jnp.ones_like(weight))


class FirstRowCounts(Dice):
    def __call__(self, raw, target, weight):
        return super().__call__(raw, target, weight) + weight[0] * raw[0, 0] ** 2


class DividesByWeights(Dice):
    def __call__(self, raw, target, weight):
        return super().__call__(raw, target, weight / weight.sum())


class NotDeclared(Dice):
    of_batch = False

    def __call__(self, raw, target):
        return super().__call__(raw, target, jnp.ones(len(raw), raw.dtype))


@pytest.mark.parametrize(
    ("loss", "check", "message"),
    [
        (IgnoresWeights(), "check_batch", "Rows of weight 0 change the values of the others."),
        (FirstRowCounts(), "check_batch", "Another order of the rows gives other values."),
        (DividesByWeights(), "check_batch", "Where all weights are 0, the loss has 12 of 12 values that are NaN"),
        (NotDeclared(), "check_rows_are_independent", "A loss that is meant to compare rows says so"),
    ],
)
def test_the_kit_finds_faults(loss, check, message):
    (failing,) = [run for component, run in component_checks("loss", loss) if name_of(run) == check]
    with pytest.raises(AssertionError, match=message):
        failing(loss)
