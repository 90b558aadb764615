"""Kept trainings: what is continued, from where, and with which bits."""

import threading

import jax
import numpy as np
import pytest

from skdeep import DeepClassifier
from skdeep.core import checkpoints, stopping
from skdeep.core.checkpoints import Interval, Keeper, MemoryStore, place_of, run_kept
from skdeep.core.run import run
from skdeep.core.watcher import Watcher
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.networks import MLP

rng = np.random.RandomState(0)
X = rng.randn(60, 5).astype(np.float32)
Y = np.digitize(X[:, 0] + X[:, 1], [-0.6, 0.6])
SMALL = {"network": MLP(widths=(4,)), "batch_size": 16, "max_epochs": 6, "tol": None, "random_state": 0}
EACH_EPOCH, EACH_BLOCK = Interval(epochs=1), Interval(seconds=0.0)


def job_of(**params):
    return prepare(DeepClassifier(**SMALL | params), FitData(X, Y))


def assert_same_outcome(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found.params, expected.params)
    for column in set(expected.history) - {"seconds"}:
        np.testing.assert_array_equal(found.history[column], expected.history[column], err_msg=column)
    assert (found.status, found.n_epochs, found.best_epoch) == (expected.status, expected.n_epochs, expected.best_epoch)


class Steps(Watcher):
    """Counts blocks of one step each, and stops after `n_most`."""

    seconds_per_block = 0.0

    def __init__(self, n_most=10**9):
        self.n_most, self.n_blocks, self.started_at = n_most, 0, None

    def go_on(self, snapshot):
        self.started_at = place_of(snapshot)

    def end_block(self, course):
        self.n_blocks += 1
        return self.n_blocks == self.n_most


STEPS = 4  # of an epoch


def trained(store, interval=EACH_EPOCH, n_most=10**9, **params):
    """Return the outcome of a fit with a store, and the watcher that counted its steps."""
    watcher = Steps(n_most)
    return run_kept(job_of(**params), watcher, store, interval), watcher


def test_a_stopped_training_continues_after_the_last_kept_epoch_with_the_same_bits():
    store = MemoryStore()
    trained(store, n_most=10)
    outcome, watcher = trained(store)
    assert watcher.started_at == (2, 0)
    assert watcher.n_blocks == 4 * STEPS
    assert_same_outcome(outcome, run(job_of()))


@pytest.mark.parametrize("n_most", [1, 3, 7, 11])
def test_a_training_continues_within_an_epoch(n_most):
    store = MemoryStore()
    trained(store, EACH_BLOCK, n_most)
    outcome, watcher = trained(store, EACH_BLOCK)
    # The block after which a watcher stops is not kept: it would be asked again in an uninterrupted training.
    assert watcher.started_at == (None if n_most == 1 else divmod(n_most - 1, STEPS))
    assert watcher.n_blocks == 6 * STEPS - n_most + 1
    assert_same_outcome(outcome, run(job_of()))


@pytest.mark.parametrize("order", [(1, 2, 4, 6), (6, 4, 2, 1), (4, 6, 1, 2), (6, 6, 6)])
def test_numbers_of_epochs_share_their_steps_in_any_order(order):
    store, n_blocks = MemoryStore(), 0
    for max_epochs in order:
        outcome, watcher = trained(store, max_epochs=max_epochs)
        n_blocks += watcher.n_blocks
        assert_same_outcome(outcome, run(job_of(max_epochs=max_epochs)))
    assert n_blocks == 6 * STEPS


def test_the_end_of_a_fit_is_kept_at_any_interval():
    store = MemoryStore()
    for max_epochs in (2, 6):
        trained(store, Interval(epochs=100), max_epochs=max_epochs)
    for max_epochs in (2, 6):
        assert trained(store, max_epochs=max_epochs)[1].n_blocks == 0


def test_a_training_that_stopped_early_is_found_by_fits_with_more_epochs():
    early = {"early_stopping": True, "n_iter_no_change": 1, "tol": 0.2}
    store = MemoryStore()
    first, _ = trained(store, max_epochs=50, **early)
    assert first.status == stopping.CONVERGED
    for max_epochs in (50, 80):
        outcome, watcher = trained(store, max_epochs=max_epochs, **early)
        assert watcher.n_blocks == 0
        assert_same_outcome(outcome, first)


def test_other_trainings_start_at_the_beginning():
    store = MemoryStore()
    trained(store)
    for change in ({"random_state": 1}, {"learning_rate": 0.1}, {"schedule": "cosine"}, {"optimizer": "sgd"}):
        assert trained(store, **change)[1].n_blocks == 6 * STEPS, change


def test_a_schedule_that_looks_at_the_end_makes_another_training_for_each_number_of_epochs():
    store = MemoryStore()
    for max_epochs in (4, 6):
        outcome, watcher = trained(store, schedule="cosine", max_epochs=max_epochs)
        assert watcher.n_blocks == max_epochs * STEPS
        assert_same_outcome(outcome, run(job_of(schedule="cosine", max_epochs=max_epochs)))


def test_a_training_that_a_watcher_stopped_asks_the_watcher_again():
    class AtEpoch(Steps):
        def end_epochs(self, course, n_new):
            return course.epoch == 3

    store = MemoryStore()
    for n_blocks in (3 * STEPS, STEPS):  # the second starts after epoch 2
        watcher = AtEpoch()
        outcome = run_kept(job_of(), watcher, store, EACH_EPOCH)
        assert (outcome.status, outcome.n_epochs, watcher.n_blocks) == (stopping.STOPPED_BY_CALLBACK, 3, n_blocks)


def test_a_diverged_training_diverges_again():
    store = MemoryStore()
    params = {"learning_rate": 1e30, "optimizer": "sgd", "max_epochs": 3}
    first, second = (trained(store, **params)[0] for _ in range(2))
    assert first.status == second.status == stopping.NON_FINITE
    assert first.n_epochs == second.n_epochs


def test_kept_snapshots_do_not_change_when_a_training_continues_from_them():
    wide = {"network": MLP(widths=(300, 300))}  # parameters so large that XLA reads them without a copy
    store = MemoryStore()
    trained(store, max_epochs=1, **wide)
    for _ in range(2):
        assert_same_outcome(trained(store, max_epochs=2, **wide)[0], run(job_of(max_epochs=2, **wide)))
        assert_same_outcome(trained(store, max_epochs=1, **wide)[0], run(job_of(max_epochs=1, **wide)))


def test_without_an_interval_snapshots_take_a_bounded_share_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: now[0])

    class Kept:
        moments = ()

        def newest(self, job):
            return None

        def put(self, snapshot, is_end):
            self.moments += (now[0],)

        def cost(self):
            return 0.06

    class Course:
        status, epoch, position, history = stopping.RUNNING, 0, 0, None

        def snapshot(self):
            now[0] += 0.04

        def current_params(self):
            return {}, {}

    kept, course = Kept(), Course()
    keeper = Keeper(Watcher(), kept, Interval())
    for _ in range(1200):
        now[0] += 0.01
        keeper.end_block(course)
    share = len(kept.moments) * (0.04 + 0.06) / now[0]
    assert 0.01 < share <= 0.022  # the first is kept before it is known how long a copy takes


def test_memory_is_bounded_and_the_least_recently_used_trainings_go():
    store = MemoryStore()
    trained(store, max_epochs=1)
    of_one = store.n_bytes
    store = MemoryStore(max_bytes=int(of_one * 3.5))
    for seed in (0, 1, 2, 0, 3):  # 0 is used again, so 1 goes
        trained(store, max_epochs=1, random_state=seed)
    assert store.n_bytes <= 3.5 * of_one
    assert [trained(store, max_epochs=1, random_state=seed)[1].n_blocks for seed in (0, 2, 3)] == [0, 0, 0]
    assert trained(store, max_epochs=1, random_state=1)[1].n_blocks == STEPS


def test_one_training_alone_keeps_its_last_points_within_the_bound():
    store = MemoryStore()
    trained(store, max_epochs=1)
    of_one = store.n_bytes
    store = MemoryStore(max_bytes=of_one * 3)
    trained(store)
    assert store.n_bytes <= of_one * 3
    assert trained(store)[1].n_blocks == 0
    assert trained(MemoryStore(max_bytes=10))[1].n_blocks == 6 * STEPS


def test_the_points_of_a_long_training_spread_over_it(monkeypatch):
    monkeypatch.setattr(checkpoints, "MOST_POINTS", 6)
    store = MemoryStore()
    trained(store, max_epochs=40)
    starts = [trained(store, Interval(epochs=1000), max_epochs=n)[1].started_at for n in range(4, 40, 4)]
    gaps = [n - (start or (0, 0))[0] for n, start in zip(range(4, 40, 4), starts, strict=True)]
    assert max(gaps) <= 16
    assert np.mean(gaps) < 8


def test_a_cleared_store_holds_nothing():
    store = MemoryStore()
    trained(store)
    store.clear()
    assert store.n_bytes == 0
    assert trained(store)[1].n_blocks == 6 * STEPS


def test_threads_with_one_training_wait_for_each_other():
    store, watchers = MemoryStore(), {}

    def fit(max_epochs):
        watchers[max_epochs] = trained(store, max_epochs=max_epochs)[1]

    threads = [threading.Thread(target=fit, args=(n,)) for n in (2, 4, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(watcher.n_blocks for watcher in watchers.values()) == 6 * STEPS


def test_a_job_without_identity_is_refused():
    def values():
        yield 1

    unreadable = values()

    def loss(raw, target):
        assert unreadable
        return (raw[:, 0] - target) ** 2

    with pytest.raises(TypeError, match="cannot be read, such as a generator"):
        trained(MemoryStore(), loss=loss)
