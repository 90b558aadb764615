"""scikit-learn's searches and ensembles under `parallel_config("skdeep")`: same results, shared programs, clean ends."""

from __future__ import annotations

import _thread
import subprocess
import sys

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # makes the search importable
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import DeepClassifier
from skdeep.core.together import n_cores
from skdeep.networks import MLP

X, Y = load_digits(return_X_y=True)
X, Y = X[:200], Y[:200]
MODEL = DeepClassifier(network=MLP((16,)), max_epochs=6, tol=None, random_state=0)
PIPELINE = make_pipeline(StandardScaler(), MODEL)
GRID = {"deepclassifier__learning_rate": [1e-4, 1e-3, 1e-2]}
BOTH = pytest.mark.parametrize("mode", ["threads", "lanes"])


def scores_of(search):
    return {name: values for name, values in search.cv_results_.items() if "test_score" in name and "rank" not in name}


def assert_same_scores(found, expected, mode):
    for name, values in scores_of(expected).items():
        if mode == "threads":
            assert_array_equal(scores_of(found)[name], values)
        elif name == "mean_test_score":
            assert_allclose(scores_of(found)[name], values, atol=0.01)


@BOTH
@pytest.mark.parametrize(
    "make",
    [
        lambda: GridSearchCV(PIPELINE, GRID, cv=3),
        lambda: RandomizedSearchCV(PIPELINE, GRID, n_iter=2, cv=2, random_state=0),
        lambda: HalvingGridSearchCV(
            PIPELINE, GRID, cv=2, resource="deepclassifier__max_epochs", min_resources=1, max_resources=6
        ),
    ],
    ids=["grid", "randomized", "halving"],
)
def test_searches(make, mode):
    expected = make().fit(X, Y)
    with parallel_config("skdeep", mode=mode):
        found = make().fit(X, Y)
    assert_same_scores(found, expected, mode)
    assert found.best_params_ == expected.best_params_
    assert found.predict(X).shape == Y.shape


@BOTH
def test_cross_validate(mode):
    expected = cross_validate(PIPELINE, X, Y, cv=4)["test_score"]
    with parallel_config("skdeep", mode=mode):
        found = cross_validate(PIPELINE, X, Y, cv=4)["test_score"]
    assert_allclose(found, expected, atol=0 if mode == "threads" else 0.021)


@BOTH
def test_ensembles_of_scikit_learn(mode):
    bagging = BaggingClassifier(MODEL, n_estimators=4, random_state=0)
    voting = VotingClassifier(
        [(str(rate), clone(MODEL).set_params(learning_rate=rate)) for rate in (0.01, 0.001)], voting="soft"
    )
    for make in (bagging, voting):
        expected = clone(make).fit(X, Y).predict_proba(X)
        with parallel_config("skdeep", mode=mode):
            found = clone(make).fit(X, Y).predict_proba(X)
        assert_allclose(found, expected, rtol=0 if mode == "threads" else 1e-2, atol=1e-3)


@BOTH
def test_ensembles_of_skdeep_inside_a_search(mode):
    model = clone(MODEL).set_params(n_estimators=2, max_epochs=2)
    with parallel_config("skdeep", mode=mode):
        found = GridSearchCV(model, {"learning_rate": [0.01, 0.001]}, cv=2).fit(X, Y)
    assert found.best_score_ > 0.1


def test_no_number_of_jobs_means_all():
    with parallel_config("skdeep"):
        assert joblib.effective_n_jobs(None) == n_cores()
        assert joblib.effective_n_jobs(2) == 2
        assert joblib.effective_n_jobs(-1) == n_cores()
    with parallel_config("skdeep", mode="lanes"):
        assert joblib.effective_n_jobs(None) == 64


def test_one_job_is_run_without_threads():
    with parallel_config("skdeep", n_jobs=1):
        assert Parallel()(delayed(pow)(i, 2) for i in range(3)) == [0, 1, 4]
    with parallel_config("skdeep"), pytest.raises(ValueError, match="n_jobs == 0"):
        Parallel(n_jobs=0)(delayed(pow)(i, 2) for i in range(3))


def test_other_calls_of_joblib_work_too():
    with parallel_config("skdeep", mode="lanes"):
        assert Parallel()(delayed(pow)(i, 2) for i in range(300)) == [i**2 for i in range(300)]
        assert sorted(Parallel(return_as="generator_unordered")(delayed(pow)(i, 2) for i in range(5))) == [
            0,
            1,
            4,
            9,
            16,
        ]


def test_more_fits_than_threads():
    model = clone(MODEL).set_params(max_epochs=1)
    grid = {"learning_rate": list(np.geomspace(1e-4, 1e-2, 12))}
    with parallel_config("skdeep", mode="lanes", n_jobs=2):
        found = GridSearchCV(model, grid, cv=2, refit=False, pre_dispatch="all").fit(X, Y)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


def test_an_unknown_mode():
    with pytest.raises(ValueError, match="'mode' parameter of the backend 'skdeep'"):
        parallel_config("skdeep", mode="fast")


def test_programs_are_compiled_once():
    skdeep.clear_cache()
    with parallel_config("skdeep"):
        GridSearchCV(PIPELINE, GRID, cv=3, refit=False).fit(X, Y)
    counts = skdeep.compile_counts()
    assert counts["train_block"] == (1, 1)


@BOTH
def test_a_fit_that_fails_gets_the_error_score(mode):
    grid = {"deepclassifier__learning_rate": [1e-3, -1.0, 1e-2], "deepclassifier__optimizer": ["adam"]}
    with parallel_config("skdeep", mode=mode), pytest.warns(FitFailedWarning, match="2 fits failed"):
        found = GridSearchCV(PIPELINE, grid, cv=2, refit=False, error_score=-1.0).fit(X, Y)
    assert found.cv_results_["mean_test_score"][1] == -1
    assert (found.cv_results_["mean_test_score"][[0, 2]] > 0).all()


@BOTH
def test_an_exception_ends_the_search(mode):
    grid = {"deepclassifier__learning_rate": [1e-3, -1.0, 1e-2]}
    with parallel_config("skdeep", mode=mode), pytest.raises(ValueError, match="learning_rate"):
        GridSearchCV(PIPELINE, grid, cv=2, refit=False, error_score="raise").fit(X, Y)


class Interrupting(ClassifierMixin, BaseEstimator):
    """Sends Ctrl-C to the main thread, as a user does while a search runs; the fits beside it would take hours."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def fit(self, X, y):
        if self.rate == 0.1:
            _thread.interrupt_main()
        self.model_ = clone(MODEL).set_params(max_epochs=10**8).fit(X, y)
        return self


@BOTH
def test_an_interrupt_ends_the_search(mode):
    with parallel_config("skdeep", mode=mode), pytest.raises(KeyboardInterrupt):
        GridSearchCV(Interrupting(), {"rate": [0.1, 0.2, 0.3]}, cv=2, refit=False).fit(X, Y)
    with parallel_config("skdeep", mode=mode):  # and the next one works
        assert GridSearchCV(PIPELINE, GRID, cv=2, refit=False).fit(X, Y).best_score_ > 0.1


CONFIGURED = "with joblib.parallel_config('skdeep', n_jobs=3): print(joblib.effective_n_jobs(None))"


@pytest.mark.parametrize(
    "imports", ["import skdeep, joblib", "import joblib, skdeep", "import skdeep, sklearn, joblib"]
)
def test_importing_skdeep_registers_the_backend(imports):
    assert subprocess.check_output([sys.executable, "-c", f"{imports}\n{CONFIGURED}"], text=True).strip() == "3"


def test_importing_skdeep_does_not_import_joblib():
    script = "import skdeep, sys; print(sorted({'joblib', 'numpy', 'sklearn', 'jax'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
