"""scikit-learn's callbacks on our estimators."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier, MLPClassifier
from skdeep.networks import MLP

callback = pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)


def classifier(**params):
    return DeepClassifier(**{"network": MLP((8,)), "max_epochs": 6, "tol": None, "random_state": 0, **params})


class Recorder:
    """Notes each hook, and asks to stop after some epochs."""

    def __init__(self, stop_after=None):
        self.stop_after, self.events, self.scores = stop_after, [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(("end", context.task_name, context.task_id))
        if context.task_name != "epoch":
            return False
        self.scores.append(fitted_estimator.score(X, y))
        return self.stop_after is not None and len(self.scores) >= self.stop_after


def test_hooks_come_in_order_and_see_a_fitted_estimator():
    recorder = Recorder()
    model = classifier().set_callbacks(recorder).fit(X, y)
    assert recorder.events[0] == "setup"
    assert recorder.events[1:4] == [("begin", "fit", 0), ("begin", "epoch", 0), ("end", "epoch", 0)]
    assert recorder.events[-2:] == [("end", "fit", 0), "teardown"]
    assert recorder.scores[-1] == model.score(X, y)
    assert len(recorder.scores) == 6


def test_a_callback_can_stop_training():
    model = classifier(max_epochs=100).set_callbacks(Recorder(stop_after=3)).fit(X, y)
    assert model.n_iter_ == 3


def test_callbacks_change_no_number():
    plain, watched = classifier().fit(X, y), classifier().set_callbacks(Recorder()).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), watched.predict_proba(X))


def test_callbacks_with_early_stopping_and_partial_fit():
    model = classifier(early_stopping=True, max_epochs=50).set_callbacks(Recorder()).fit(X, y)
    assert model.best_epoch_ <= model.n_iter_
    recorder = Recorder()
    classifier().set_callbacks(recorder).partial_fit(X, y)
    assert len(recorder.scores) == 1


def test_without_callbacks_several_epochs_run_inside_one_call(monkeypatch):
    from skdeep.core.programs import Program

    calls = []
    call = Program.__call__
    monkeypatch.setattr(Program, "__call__", lambda self, *a: calls.append(self.name) or call(self, *a))

    def count_calls(model):
        calls.clear()
        model.fit(X, y)
        return calls.count("train_block")

    assert count_calls(classifier()) == 1
    assert count_calls(classifier().set_callbacks(Recorder())) == 6


def test_progress_bar(capsys):
    classifier().set_callbacks(callback.ProgressBar()).fit(X, y)
    assert "DeepClassifier - fit" in capsys.readouterr().out


def test_scoring_monitor_through_a_pipeline_in_a_search():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = make_pipeline(StandardScaler(), classifier().set_callbacks(monitor))
    GridSearchCV(model, {"deepclassifier__learning_rate": [0.1, 0.01]}, cv=2, refit=False).fit(X, y)
    scores = monitor.get_logs().data_as_pandas
    assert (scores["task_name"] == "epoch").sum() == 2 * 2 * 6
    assert scores["accuracy"].between(0, 1).all()


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_perceptrons_tell_of_each_iteration_and_can_be_stopped(params):
    make = partial(MLPClassifier, (8,), max_iter=30, random_state=0, **params)
    recorder = Recorder()
    model = make().set_callbacks(recorder).fit(X, y)
    assert len(recorder.scores) == model.n_iter_
    assert recorder.events[-2:] == [("end", "fit", 0), "teardown"]
    np.testing.assert_array_equal(model.predict_proba(X), make().fit(X, y).predict_proba(X))
    stopped = make().set_callbacks(Recorder(stop_after=3)).fit(X, y)
    assert stopped.n_iter_ == 3


def test_perceptrons_tell_of_partial_fit():
    recorder = Recorder()
    MLPClassifier((8,)).set_callbacks(recorder).partial_fit(X, y, classes=[0, 1, 2])
    assert len(recorder.scores) == 1
