"""Lanes: trainings that run as one program end as they do alone, and each ends by itself."""

from __future__ import annotations

import threading

import jax
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from skdeep import DeepClassifier, DeepRegressor, MLPClassifier
from skdeep.core import stopping
from skdeep.core.drivers import lanes
from skdeep.core.drivers.lanes import lanes_block, lanes_that_fit, padded_lanes, run_lanes, stacks_with, suits_lanes
from skdeep.core.placement import Placement
from skdeep.core.run import run
from skdeep.core.watcher import Passing, Stoppable, Watcher
from skdeep.estimators.prepare import prepare
from skdeep.estimators.streaming import streamed
from skdeep.estimators.training import FitData
from skdeep.layers import BatchNorm, Dense, Dropout
from skdeep.networks import CNN, MLP

X, Y = load_digits(return_X_y=True)
X = (X[:300] / 16).astype(np.float32)
Y = Y[:300]
SMALL = {"network": MLP((16,)), "batch_size": 50, "tol": None, "random_state": 0}
NOBODY = Watcher()


def job_of(rows=slice(None), estimator=DeepClassifier, y=Y, X=X, **params):
    return prepare(estimator(**SMALL | {"max_epochs": 3} | params), FitData(X[rows], y[rows]))


def both(jobs):
    """Return the outcomes of jobs as lanes, and alone."""
    assert len(set(map(stacks_with, jobs))) == 1
    return list(zip(run_lanes(jobs, [NOBODY] * len(jobs)), map(run, jobs), strict=True))


def assert_equal(as_lane, alone, rtol=1e-4):
    assert (as_lane.status, as_lane.n_epochs, as_lane.best_epoch) == (alone.status, alone.n_epochs, alone.best_epoch)
    for found, expected in zip(jax.tree.leaves(as_lane.params), jax.tree.leaves(alone.params), strict=True):
        assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
    for name in ("epoch", "train_loss", "val_loss", "learning_rate"):
        assert_allclose(as_lane.history[name], alone.history[name], rtol=rtol, err_msg=name)


def folds(n_folds=3):
    return [np.flatnonzero(np.arange(300) % n_folds != fold) for fold in range(n_folds)]


def test_rates_and_folds_after_one_epoch():
    jobs = [job_of(rows, learning_rate=rate, max_epochs=1) for rate in (1e-4, 1e-3, 1e-2) for rows in folds()]
    for pair in both(jobs):
        assert_equal(*pair)


@pytest.mark.parametrize(
    "params",
    [
        # No bias before the norm: its true gradient is 0, and Adam makes steps of the rounding errors.
        {"network": [Dense(8, use_bias=False), BatchNorm(), "relu", Dropout(0.3)]},
        {"network": MLP((8,), dropout_rate=0.2), "schedule": "cosine", "l2": 0.1, "clip_norm": 1.0},
        {"optimizer": "sgd", "learning_rate": 0.1},
        {"network": CNN((2,)), "input_shape": (8, 8, 1)},
        {"early_stopping": True, "validation_fraction": 0.3},
    ],
    ids=["batch norm", "numbers", "sgd", "cnn", "validation"],
)
def test_structures(params):
    jobs = [job_of(rows, random_state=seed, max_epochs=2, **params) for seed, rows in enumerate(folds(2))]
    for pair in both(jobs):
        assert_equal(*pair, rtol=5e-4)


def test_regression_with_weights():
    data = FitData(X, Y + 0.5, np.linspace(0.1, 2, 300))
    jobs = [prepare(DeepRegressor(**SMALL, max_epochs=2, learning_rate=rate), data) for rate in (0.001, 0.01)]
    for pair in both(jobs):
        assert_equal(*pair)


def test_each_lane_ends_at_its_own_epoch():
    """Lanes that stop early and lanes with fewer epochs leave the others as they are; three of four end before the last."""
    params = {"early_stopping": True, "n_iter_no_change": 1, "tol": 1e-4}
    jobs = [
        job_of(learning_rate=rate, max_epochs=n, **params) for rate, n in [(0.3, 40), (0.01, 2), (0.01, 5), (0.001, 40)]
    ]
    pairs = both(jobs)
    for pair in pairs:
        assert_equal(*pair, rtol=2e-3)
    assert len({as_lane.n_epochs for as_lane, _ in pairs}) >= 3


def test_lanes_are_packed_when_a_quarter_is_left(monkeypatch):
    sizes = []
    prepared = lanes_block.prepared

    def noted(config, state, *rest):
        sizes.append(len(state.status))
        return prepared(config, state, *rest)

    monkeypatch.setattr(lanes_block, "prepared", noted)
    monkeypatch.setattr(lanes, "STEPS_PER_BLOCK", 1)
    jobs = [job_of(max_epochs=n, learning_rate=0.001 * n) for n in (1, 2, 1, 1, 1, 4)]
    outcomes = run_lanes(jobs, [NOBODY] * 6)
    assert sizes == [8, 2]
    for outcome, job in zip(outcomes, jobs, strict=True):
        assert_equal(outcome, run(job))


def test_a_lane_that_diverges_fails_alone():
    jobs = [job_of(optimizer="sgd", learning_rate=rate) for rate in (0.01, 1e30, 0.02)]
    pairs = both(jobs)
    assert [as_lane.status for as_lane, _ in pairs] == [
        stopping.OUT_OF_EPOCHS,
        stopping.NON_FINITE,
        stopping.OUT_OF_EPOCHS,
    ]
    assert pairs[1][0].n_epochs == pairs[1][1].n_epochs
    for as_lane, alone in (pairs[0], pairs[2]):
        assert_equal(as_lane, alone)


def test_lanes_continue_from_snapshots():
    class Keeping(Watcher):
        seconds_per_block = 0.0

        def end_block(self, course):
            if (course.epoch, course.position) == (1, 0):
                self.snapshot = course.snapshot()
            return False

    keeping = Keeping()
    jobs = [job_of(learning_rate=rate) for rate in (0.001, 0.01)]
    run(jobs[0], keeping)
    continued = [jobs[0].replace(snapshot=keeping.snapshot), jobs[1]]
    for pair in zip(run_lanes(continued, [NOBODY] * 2), map(run, jobs), strict=True):
        assert_equal(*pair)


def test_watchers_see_their_own_lane(monkeypatch):
    class Noting(Watcher):
        def __init__(self):
            self.seen = []

        def end_block(self, course):
            snapshot = course.snapshot()
            self.seen.append((course.epoch, course.position, int(snapshot.state.epoch), len(snapshot.history["epoch"])))
            self.params = course.current_params()[0]
            return False

    monkeypatch.setattr(lanes, "STEPS_PER_BLOCK", 1)
    watchers = [Noting(), Noting()]
    jobs = [job_of(max_epochs=n, learning_rate=0.01 * n) for n in (2, 3)]
    outcomes = run_lanes(jobs, [Passing(watcher) for watcher in watchers])
    assert [watcher.seen for watcher in watchers] == [[(i, 0, i, i) for i in range(1, n + 1)] for n in (2, 3)]
    for watcher, outcome in zip(watchers, outcomes, strict=True):
        jax.tree.map(np.testing.assert_array_equal, watcher.params, outcome.params)


def test_an_event_stops_all_lanes(monkeypatch):
    monkeypatch.setattr(lanes, "STEPS_PER_BLOCK", 1)
    stop = threading.Event()
    stop.set()
    outcomes = run_lanes([job_of(), job_of(learning_rate=0.1)], [Stoppable(NOBODY, stop)] * 2)
    assert [(outcome.status, outcome.n_epochs) for outcome in outcomes] == [(stopping.STOPPED_BY_CALLBACK, 1)] * 2


def test_numbers_of_a_search_share_one_program():
    import skdeep

    skdeep.clear_cache()
    for rates in ((0.1, 0.01, 0.001), (0.3, 0.2, 0.4, 0.5)):
        run_lanes([job_of(learning_rate=rate) for rate in rates], [NOBODY] * len(rates))
    assert skdeep.compile_counts()["lanes_block"] == (1, 1)


def test_jobs_that_cannot_be_lanes():
    class Epochwise(Watcher):
        is_epoch_wise = True

    class Blocks:
        def __len__(self):
            return len(X)

        def __getitem__(self, index):
            return X[index]

    assert suits_lanes(job_of(), NOBODY)
    assert not suits_lanes(job_of(), Epochwise())
    assert not suits_lanes(job_of(early_stopping=True, scoring="accuracy"), NOBODY)
    assert not suits_lanes(prepare(MLPClassifier(solver="lbfgs"), FitData(X, Y)), NOBODY)
    assert not suits_lanes(job_of(X=sp.csr_matrix(X)), NOBODY)
    assert not suits_lanes(job_of().replace(placement=Placement("cpu", (0, 1))), NOBODY)
    model = DeepClassifier(**SMALL)
    assert not suits_lanes(prepare(model, streamed(model, FitData(Blocks(), Y))), NOBODY)


def test_lanes_that_fit_into_the_memory_of_a_device(monkeypatch):
    class Device:
        def memory_stats(self):
            return self.stats

    job, device = job_of(), Device()
    monkeypatch.setattr("skdeep.core.placement._device", lambda platform, index: device)
    device.stats = None
    assert lanes_that_fit(job, 128) == 128
    device.stats = {"bytes_limit": 2**33, "bytes_in_use": 0}
    assert lanes_that_fit(job, 128) == 128
    device.stats = {"bytes_limit": 2**20, "bytes_in_use": 2**19}
    assert lanes_that_fit(job, 128) in (4, 8, 16)
    device.stats = {"bytes_limit": 2**20, "bytes_in_use": 2**20}
    assert lanes_that_fit(job, 128) == 1


def test_padded_lanes():
    assert [padded_lanes(n) for n in (1, 2, 3, 5, 8, 9, 100)] == [1, 2, 4, 8, 8, 16, 128]
