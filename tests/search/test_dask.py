"""Searches of scikit-learn on Dask: a cluster of two worker processes gives the scores of one process."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import cloudpickle
import jax
import jax.numpy as jnp
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import DeepClassifier
from skdeep.errors import UnknownComponentError
from skdeep.networks import MLP

dask = pytest.importorskip("dask", reason="the extra 'dask': https://github.com/dask/dask")
distributed = pytest.importorskip("distributed", reason="the extra 'dask': https://github.com/dask/distributed")

X, Y = load_digits(return_X_y=True)
X, Y = X[:300], Y[:300]
RATES = {"deepclassifier__learning_rate": [1e-4, 1e-3, 1e-2]}


def pipeline(first=None, **params):
    model = DeepClassifier(**{"network": MLP((16,)), "max_epochs": 6, "tol": None, "random_state": 0, **params})
    return make_pipeline(first or StandardScaler(), model)


@pytest.fixture(scope="module")
def client():
    """Return a client of two worker processes, which are killed in the end if they do not end."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this file
    with dask.config.set({"distributed.scheduler.active-memory-manager.start": False}):  # as the page says
        cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    nannies = list(cluster.workers.values())
    try:
        with distributed.Client(cluster) as client:
            yield client
    finally:
        pids = [nanny.pid for nanny in nannies]
        cluster.close(timeout=30)
        for pid in filter(None, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def workers(client):
    """Return the client when both workers are there and hold no program."""
    client.wait_for_workers(2, timeout=60)
    client.run(skdeep.clear_cache)
    return client


def assert_same_scores(found, expected):
    names = [name for name in expected.cv_results_ if "test_score" in name]
    for name in names:
        assert_array_equal(found.cv_results_[name], expected.cv_results_[name])


def test_scores_are_those_of_one_process_and_each_worker_compiles_a_structure_once(workers):
    grid = {"deepclassifier__network": [MLP((8,)), MLP((16,))], "deepclassifier__learning_rate": [1e-3, 1e-2]}
    expected = GridSearchCV(pipeline(), grid, cv=3, refit=False).fit(X, Y)
    with parallel_config("dask"):
        found = GridSearchCV(pipeline(), grid, cv=3, refit=False).fit(X, Y)
    assert_same_scores(found, expected)
    counts = [found["train_block"] for found in workers.run(skdeep.compile_counts).values() if "train_block" in found]
    assert counts
    assert all(count.compiles <= 2 and count.traces == count.compiles for count in counts)
    with parallel_config("dask"):
        GridSearchCV(pipeline(), grid, cv=3, refit=False).fit(X, Y)
    again = [found["train_block"] for found in workers.run(skdeep.compile_counts).values()]
    assert all(count.compiles <= 2 for count in again)


@pytest.mark.parametrize("scatter", [False, True])
def test_rows_are_sent_once_per_search(workers, monkeypatch, scatter):
    sent, in_tasks = [], []
    send, submit = distributed.Client.scatter, distributed.Client.submit

    def sending(client, data, **others):
        sent.extend(data if isinstance(data, list) else [data])
        return send(client, data, **others)

    def submitting(client, function, *args, tasks, **others):
        for _, positional, named in tasks:
            in_tasks.extend([*positional, *named.values()])
        return submit(client, function, *args, tasks=tasks, **others)

    monkeypatch.setattr(distributed.Client, "scatter", sending)
    monkeypatch.setattr(distributed.Client, "submit", submitting)
    with parallel_config("dask", **({"scatter": [X, Y]} if scatter else {})):
        for _ in range(2):
            GridSearchCV(pipeline(max_epochs=1), RATES, cv=3, refit=False).fit(X, Y)
    n_times = 1 if scatter else 2  # the rows stay for all searches inside the block, or go once with each
    assert [sum(data is rows for data in sent) for rows in (X, Y)] == [n_times, n_times]
    assert not [value for value in in_tasks if value is X or value is Y]
    assert sum(isinstance(value, distributed.Future) for value in in_tasks) >= 2 * 2 * 3 * 3


class Killing(TransformerMixin, BaseEstimator):
    """Divides by 16; the fit with a given number, over all processes, kills its process."""

    def __init__(self, folder, number):
        self.folder, self.number = folder, number

    def fit(self, X, y=None):
        i = 0
        while True:
            try:
                os.close(os.open(os.path.join(self.folder, str(i)), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                i += 1
            else:
                break
        if i == self.number:
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def transform(self, X):
        return X / 16


def test_a_search_survives_a_killed_worker(workers, tmp_path):
    def search(number, cv):
        folder = tmp_path / str(number)
        folder.mkdir()
        return GridSearchCV(pipeline(Killing(str(folder), number)), RATES, cv=cv, refit=False)

    splits = list(StratifiedKFold(3).split(X, Y))
    expected = search(-1, splits).fit(X, Y)
    before = set(workers.run(os.getpid).values())
    with parallel_config("dask", scatter=[X, Y, *(rows for split in splits for rows in split)]):
        found = search(4, splits).fit(X, Y)
    assert_same_scores(found, expected)
    workers.wait_for_workers(2, timeout=60)
    assert len(before - set(workers.run(os.getpid).values())) == 1


def squared_distance(raw, target):
    """Return the squared distance of the raw outputs of each row from its one-hot label."""
    return jnp.sum((raw - jax.nn.one_hot(target, raw.shape[1])) ** 2, axis=1)


@pytest.mark.campaign
@pytest.mark.usefixtures("fresh_registry")
def test_registered_names_reach_workers_with_the_estimator_but_not_in_a_grid(workers):
    skdeep.register("loss", "mine")(squared_distance)
    objects, names = {"deepclassifier__loss": [squared_distance]}, {"deepclassifier__loss": ["mine"]}
    expected = GridSearchCV(pipeline(loss="mine"), {}, cv=2, refit=False).fit(X, Y)
    with parallel_config("dask"):
        assert_same_scores(GridSearchCV(pipeline(loss="mine"), {}, cv=2, refit=False).fit(X, Y), expected)
        assert_same_scores(GridSearchCV(pipeline(), objects, cv=2, refit=False).fit(X, Y), expected)
        with pytest.raises(UnknownComponentError, match="mine"):
            GridSearchCV(pipeline(), names, cv=2, refit=False, error_score="raise").fit(X, Y)
