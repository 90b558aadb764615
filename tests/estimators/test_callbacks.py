"""scikit-learn's callbacks on the estimators of skdeep."""

from __future__ import annotations

import pickle
from functools import partial

import cloudpickle
import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepAutoencoder, DeepClassifier, MLPClassifier
from skdeep.callbacks import LossThreshold
from skdeep.networks import MLP

callback = pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)


def classifier(**params):
    return DeepClassifier(**{"network": MLP((8,)), "max_epochs": 6, "tol": None, "random_state": 0, **params})


class Recorder:
    """Records each hook, and stops training after some epochs."""

    def __init__(self, stop_after=None):
        self.stop_after, self.events, self.scores, self.histories = stop_after, [], [], []

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
        self.histories.append(fitted_estimator.history_)
        assert fitted_estimator.n_iter_ >= 1
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
    prepared = Program.prepared

    def watched(program, *arguments):
        run = prepared(program, *arguments)
        return lambda *others: calls.append(program.name) or run(*others)

    monkeypatch.setattr(Program, "prepared", watched)

    def count_calls(model):
        calls.clear()
        model.fit(X, y)
        return calls.count("train_block")

    assert count_calls(classifier()) == 1
    assert count_calls(classifier().set_callbacks(Recorder())) == 6


def test_progress_bar(capsys):
    classifier().set_callbacks(callback.ProgressBar()).fit(X, y)
    assert "DeepClassifier - fit" in capsys.readouterr().out


class CountedBar(callback.ProgressBar):
    """Counts the epochs that end below each task that shows a bar."""

    n_epochs = None

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            bar = context.parent
            path = []
            while bar is not None:
                path.append(f"{bar.estimator_name}/{bar.task_name}")
                bar = bar.parent
            key = " < ".join(path)
            self.n_epochs = {**(self.n_epochs or {}), key: (self.n_epochs or {}).get(key, 0) + 1}
        super().on_fit_task_end(estimator, context)


def test_progress_bars_show_epochs_under_the_pipelines_of_a_search(capsys):
    search = GridSearchCV(make_pipeline(StandardScaler(), classifier()), {"deepclassifier__l2": [0.0, 0.1]}, cv=2)
    bar = CountedBar(max_propagation_depth=None)
    search.set_callbacks(bar).fit(X, y)
    shown = capsys.readouterr().out
    assert shown.count("GridSearchCV - candidate-split-evaluation | Pipeline - fit") == 4
    assert shown.count("Pipeline - fit-final-estimator | DeepClassifier - fit") == 5
    assert shown.count("100%") >= 10
    of_one_fit = "DeepClassifier/fit < Pipeline/fit < GridSearchCV/search < GridSearchCV/fit"
    refit = "DeepClassifier/fit < Pipeline/fit < GridSearchCV/fit"
    assert bar.n_epochs == {of_one_fit: 4 * 6, refit: 6}


def test_scoring_monitor_through_a_pipeline_in_a_search():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = make_pipeline(StandardScaler(), classifier().set_callbacks(monitor))
    GridSearchCV(model, {"deepclassifier__learning_rate": [0.1, 0.01]}, cv=2, refit=False).fit(X, y)
    scores = monitor.get_logs().data_as_pandas
    assert (scores["task_name"] == "epoch").sum() == 2 * 2 * 6
    assert scores["accuracy"].between(0, 1).all()


@pytest.mark.parametrize(
    "params", [pytest.param({}, marks=pytest.mark.campaign), {"early_stopping": True}, {"solver": "lbfgs"}], ids=str
)
def test_callbacks_see_each_iteration_of_perceptrons_and_can_stop_them(params):
    make = partial(MLPClassifier, (8,), max_iter=30, random_state=0, **params)
    recorder = Recorder()
    model = make().set_callbacks(recorder).fit(X, y)
    assert len(recorder.scores) == model.n_iter_
    assert recorder.events[-2:] == [("end", "fit", 0), "teardown"]
    np.testing.assert_array_equal(model.predict_proba(X), make().fit(X, y).predict_proba(X))
    stopped = make().set_callbacks(Recorder(stop_after=3)).fit(X, y)
    assert stopped.n_iter_ == 3


def test_callbacks_see_partial_fit_of_perceptrons():
    recorder = Recorder()
    MLPClassifier((8,)).set_callbacks(recorder).partial_fit(X, y, classes=[0, 1, 2])
    assert len(recorder.scores) == 1


@pytest.mark.parametrize(
    "model",
    [
        classifier(early_stopping=True),
        MLPClassifier((8,), max_iter=6, early_stopping=True, random_state=0),
        MLPClassifier((8,), max_iter=6, solver="lbfgs", random_state=0),
    ],
    ids=["deep", "adam", "lbfgs"],
)
def test_callbacks_see_the_history_so_far(model):
    recorder = Recorder()
    model.set_callbacks(recorder).fit(X, y)
    assert [len(history) for history in recorder.histories] == [1, 2, 3, 4, 5, 6]
    for history in recorder.histories:
        assert_frame_equal(history, model.history_.head(len(history)))


@pytest.mark.parametrize("model", [classifier(), MLPClassifier((8,), random_state=0)], ids=["deep", "perceptron"])
def test_callbacks_of_partial_fit_see_the_epochs_before(model):
    model.partial_fit(X, y, classes=[0, 1, 2])
    recorder = Recorder()
    model.set_callbacks(recorder).partial_fit(X, y)
    assert_frame_equal(recorder.histories[0], model.history_)
    assert list(model.history_["epoch"]) == [1, 2]


@pytest.mark.parametrize(
    ("model", "monitor"),
    [
        (classifier(max_epochs=200), "train_loss"),
        pytest.param(classifier(max_epochs=200, early_stopping=True), "val_loss", marks=pytest.mark.campaign),
        (classifier(max_epochs=200, early_stopping=True, scoring="accuracy"), "val_loss"),
        (MLPClassifier((8,), random_state=0, learning_rate_init=0.01), "train_loss"),
        (MLPClassifier((8,), random_state=0, solver="lbfgs"), "train_loss"),
        (
            DeepAutoencoder(n_components=2, encoder="linear", learning_rate=0.03, max_epochs=200, random_state=0),
            "train_loss",
        ),
    ],
)
def test_training_stops_at_the_first_loss_at_the_threshold(model, monitor):
    losses = model.set_callbacks(LossThreshold(0.9, monitor)).fit(X, y).history_[monitor].to_numpy()
    assert losses[-1] <= 0.9 < losses[:-1].min()


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.campaign)])
def test_thresholds_go_through_pickles_and_searches(n_jobs):
    model = make_pipeline(StandardScaler(), classifier(max_epochs=200).set_callbacks(LossThreshold(0.9)))
    model = pickle.loads(cloudpickle.dumps(model))  # as a search hands it to its processes
    search = GridSearchCV(model, {"deepclassifier__learning_rate": [0.1, 0.01]}, cv=2, n_jobs=n_jobs).fit(X, y)
    assert search.best_estimator_[-1].n_iter_ < 200


def test_epochs_end_training_before_a_threshold_is_reached():
    assert classifier().set_callbacks(LossThreshold(0)).fit(X, y).n_iter_ == 6


@pytest.mark.parametrize("threshold", ["0.5", None, float("nan")])
def test_a_threshold_is_a_number(threshold):
    with pytest.raises(ValueError, match="The threshold of LossThreshold must be a number. Got"):
        LossThreshold(threshold)


def test_monitor_is_one_of_two_losses():
    with pytest.raises(ValueError, match="must be one of .*Got 'loss' instead"):
        LossThreshold(0.5, "loss")


def test_a_threshold_on_a_missing_validation_loss_raises():
    with pytest.raises(ValueError, match="no validation rows. Set early_stopping=True, or give X_val"):
        classifier().set_callbacks(LossThreshold(0.5, "val_loss")).fit(X, y)


def test_a_threshold_needs_an_estimator_with_history():
    search = GridSearchCV(classifier(), {"max_epochs": [2]})
    if not hasattr(search, "set_callbacks"):
        pytest.skip("this scikit-learn has no callbacks on searches")
    with pytest.raises(TypeError, match="reads history_, which GridSearchCV does not have"):
        search.set_callbacks(LossThreshold(0.5)).fit(X, y)
