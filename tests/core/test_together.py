"""Fits at the same time: in threads, or so that their trainings meet and become lanes."""

from __future__ import annotations

import _thread
import concurrent.futures
import functools
import threading

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skdeep
from skdeep import DeepClassifier
from skdeep.core import together as module
from skdeep.core.drivers.lanes import NoLanesError
from skdeep.core.together import Company, together, uses_lanes
from skdeep.networks import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5)).astype(np.float32)
Y = np.arange(60) % 3
SMALL = {"network": MLP((4,)), "max_epochs": 2, "tol": None, "random_state": 0}
BOTH = pytest.mark.parametrize("mode", ["threads", "lanes"])


def fit_with(rate, **params):
    return DeepClassifier(**SMALL | {"learning_rate": rate} | params).fit(X, Y)


def calls(*rates, **params):
    return [functools.partial(fit_with, rate, **params) for rate in rates]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(module, "n_cores", lambda: 2)


@pytest.fixture
def groups(monkeypatch):
    """Return the list of the sizes of all groups of lanes that run."""
    sizes = []

    def noted(jobs, watchers):
        sizes.append(len(jobs))
        return run_lanes(jobs, watchers)

    run_lanes = module.run_lanes
    monkeypatch.setattr(module, "run_lanes", noted)
    return sizes


def test_threads_give_the_bits_of_fit():
    for found, rate in zip(together(calls(0.1, 0.01, 0.001), "threads"), (0.1, 0.01, 0.001), strict=True):
        jax.tree.map(assert_array_equal, found.params_, fit_with(rate).params_)


def test_lanes_give_the_parameters_of_fit(groups):
    found = together(calls(0.1, 0.01, 0.001), "lanes")
    assert groups == [3]
    for model, rate in zip(found, (0.1, 0.01, 0.001), strict=True):
        jax.tree.map(functools.partial(assert_allclose, rtol=1e-4, atol=1e-6), model.params_, fit_with(rate).params_)


def test_threads_wait_for_the_first_compile():
    skdeep.clear_cache()
    together(calls(*[0.1] * 6), "threads")
    assert skdeep.compile_counts()["train_block"] == (1, 1)


def test_jobs_that_do_not_stack_are_run_in_groups(groups):
    found = together(calls(0.1, 0.2) + calls(0.1, 0.2, 0.3, optimizer="sgd") + calls(0.1, network="linear"), "lanes")
    assert sorted(groups) == [2, 3]
    assert [model.optimizer for model in found] == ["adam"] * 2 + ["sgd"] * 3 + ["adam"]


@pytest.mark.parametrize("n_cores", [1, 2])
def test_one_core_calls_all_in_order(n_cores, monkeypatch):
    monkeypatch.setattr(module, "n_cores", lambda: n_cores)
    done = []
    with pytest.raises(ZeroDivisionError):
        together([lambda: 1 / 0, functools.partial(done.append, 1)], "threads")
    assert done == [1]


@BOTH
def test_an_exception_leaves_the_others_alone(mode):
    done = []

    def noted(call):
        done.append(call())

    def failing():
        raise RuntimeError("This fit fails.")

    with pytest.raises(RuntimeError, match="This fit fails"):
        together([failing, *(functools.partial(noted, call) for call in calls(0.1, 0.2))], mode)
    assert len(done) == 2


def test_a_training_that_cannot_be_a_lane_runs_beside_the_others(groups):
    found = together(calls(0.1, 0.2) + calls(0.1, early_stopping=True, scoring="accuracy"), "lanes")
    assert groups == [2]
    assert hasattr(found[2], "history_")


def test_several_fits_in_one_call_meet_those_of_others(groups):
    def two():
        return [fit_with(0.1), fit_with(0.2)]

    together([two, two, two], "lanes")
    assert groups == [3, 3]


def test_nested_calls_join_the_outer_one(groups):
    found = together([lambda: together(calls(0.1, 0.2), "lanes")] * 2, "lanes")
    assert groups == [2, 2]
    assert [len(models) for models in found] == [2, 2]


def test_lanes_that_fail_are_run_in_halves(monkeypatch):
    def fitting_two_only(jobs, watchers):
        if len(jobs) > 2:
            raise MemoryError("Too large.")
        return run_lanes(jobs, watchers)

    run_lanes = module.run_lanes
    monkeypatch.setattr(module, "run_lanes", fitting_two_only)
    with pytest.warns(
        RuntimeWarning, match="4 trainings could not run as lanes of one program.*MemoryError: Too large"
    ):
        found = together(calls(0.1, 0.2, 0.3, 0.4), "lanes")
    assert [model.learning_rate for model in found] == [0.1, 0.2, 0.3, 0.4]


def test_networks_without_lanes_run_alone_and_nobody_is_warned(monkeypatch):
    def none(jobs, watchers):
        raise NoLanesError

    monkeypatch.setattr(module, "run_lanes", none)
    assert len(together(calls(0.1, 0.2), "lanes")) == 2


def test_groups_are_bounded_by_the_memory_of_the_device(groups, monkeypatch):
    monkeypatch.setattr(module, "lanes_that_fit", lambda job, most: 2)
    together(calls(*[0.1] * 5), "lanes")
    assert groups == [2, 2]  # and one alone


def test_more_fits_than_threads(groups, monkeypatch):
    """Those that wait for a thread are not waited for."""
    monkeypatch.setattr(module, "MOST_LANES", 2)
    assert len(together(calls(*[0.1] * 5), "lanes")) == 5
    assert max(groups) <= 2


@BOTH
def test_trainings_of_one_checkpoint_do_not_wait_for_each_other_for_ever(mode, monkeypatch):
    """They differ in `max_epochs`, so the second waits for the lock of the first, which waits for the second to come."""
    monkeypatch.setattr(module, "SECONDS_OF_PATIENCE", 0.2)
    checkpoint = skdeep.Checkpoint(every_seconds=60)
    found = together([functools.partial(fit_with, 0.1, max_epochs=n, checkpoint=checkpoint) for n in (2, 3, 4)], mode)
    checkpoint.clear()
    assert [model.n_iter_ for model in found] == [2, 3, 4]


@BOTH
def test_interrupts_end_all_trainings(mode):
    """Ctrl-C comes to the main thread, which waits; the trainings would take hours."""

    def interrupting():
        _thread.interrupt_main()
        return fit_with(0.1, max_epochs=10**8)

    with pytest.raises(KeyboardInterrupt):
        together([interrupting, *calls(0.1, 0.2, max_epochs=10**8)], mode)


@BOTH
def test_an_interrupt_while_threads_start_ends_those_that_have_started(mode, monkeypatch):
    submitted, submit = [], concurrent.futures.ThreadPoolExecutor.submit

    def interrupted(pool, task):
        submitted.append(submit(pool, task))
        raise KeyboardInterrupt

    monkeypatch.setattr(concurrent.futures.ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        together(calls(0.1, 0.2, max_epochs=10**8), mode)
    with pytest.raises(KeyboardInterrupt):
        submitted[0].result()


def test_those_who_wait_are_released_by_a_stop():
    """One training is expected, and does not come before the stop."""
    company, raised = Company(True), []
    company._meeting.expect()

    def waiting():
        try:
            company.task(functools.partial(fit_with, 0.1))()
        except KeyboardInterrupt as err:
            raised.append(err)

    thread = threading.Thread(target=waiting)
    thread.start()
    company.stop()
    thread.join()
    assert len(raised) == 1


def test_lanes_are_for_accelerators(monkeypatch):
    assert not uses_lanes("auto")
    assert uses_lanes("lanes")
    monkeypatch.setattr(module, "default_placement", lambda: skdeep.core.placement.Placement("cuda"))
    assert uses_lanes("auto")
    assert not uses_lanes("threads")
