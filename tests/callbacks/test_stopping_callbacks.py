"""EarlyStopping, StopAt and TimeBudget: the epoch at which they stop, shared use in searches, and their messages."""

from __future__ import annotations

import pickle
import re
from datetime import timedelta

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier, DeepRegressor, MLPClassifier
from skdeep.callbacks import EarlyStopping, LossThreshold, StopAt, TimeBudget, time_budget
from skdeep.callbacks.early_stopping import n_without_improvement
from skdeep.networks import MLP

needs_callbacks = pytest.mark.skipif(
    not hasattr(DeepClassifier, "set_callbacks"), reason="callbacks are new in scikit-learn 1.9"
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)


def classifier(**params):
    fixed = {"network": MLP((4,)), "max_epochs": 40, "learning_rate": 0.05, "tol": None, "random_state": 0}
    return DeepClassifier(**{**fixed, **params})


def perceptron():
    return MLPClassifier((4,), max_iter=40, early_stopping=True, n_iter_no_change=100, random_state=0)


def stop_epoch(values, patience, min_delta, sign):
    """Return the epoch at which Keras's rule stops, or the last one."""
    reference, improved = np.inf, 0
    for epoch, value in enumerate(sign * np.asarray(values), start=1):
        if value + min_delta < reference:
            reference, improved = value, epoch
        if epoch - improved == patience:
            return epoch
    return len(values)


CASES = {
    "val_loss": (classifier, {"early_stopping": True}, EarlyStopping(patience=3), 1),
    "min_delta": (classifier, {"early_stopping": True}, EarlyStopping(patience=2, min_delta=0.5), 1),
    "train_loss": (classifier, {}, EarlyStopping("train_loss", patience=2, min_delta=0.3), 1),
    "val_score": (
        classifier,
        {"early_stopping": True, "scoring": "accuracy"},
        EarlyStopping("val_score", patience=4),
        -1,
    ),
    "reversed": (classifier, {"early_stopping": True}, EarlyStopping(patience=3, mode="max"), -1),
    "perceptron": (perceptron, {}, EarlyStopping(patience=2), 1),
}


@needs_callbacks
@pytest.mark.parametrize(("make", "params", "callback", "sign"), CASES.values(), ids=CASES)
def test_early_stopping_ends_at_the_epoch_that_the_whole_history_gives(make, params, callback, sign):
    whole = make(**params).fit(X, y)
    expected = stop_epoch(whole.history_[callback.metric], callback.patience, callback.min_delta, sign)
    assert expected < 40
    stopped = make(**params).set_callbacks(callback).fit(X, y)
    assert stopped.n_iter_ == expected
    assert list(stopped.history_.train_loss) == list(whole.history_.train_loss[:expected])


@pytest.mark.parametrize(
    ("losses", "min_delta", "expected"),
    [
        ([], 0, 0),
        ([2.0], 0, 0),
        ([2.0, 2.0], 0, 1),
        ([2.0, 1.5, 1.4, 1.3], 0.3, 2),
        ([2.0, 1.9, 1.8, 1.6], 0.3, 0),
        ([2.0, float("nan"), 3.0, 1.0], 0, 0),
        ([2.0, float("nan"), float("inf")], 0, 2),
    ],
)
def test_epochs_without_improvement(losses, min_delta, expected):
    assert n_without_improvement(losses, min_delta) == expected


STOP_AT = {
    "val_loss": ({"early_stopping": True}, StopAt("val_loss", 2.0), lambda values: values <= 2.0),
    "train_loss": ({}, StopAt("train_loss", 1.5), lambda values: values <= 1.5),
    "val_score": (
        {"early_stopping": True, "scoring": "accuracy"},
        StopAt("val_score", 0.6),
        lambda values: values >= 0.6,
    ),
    "max score": (
        {"early_stopping": True, "scoring": "neg_log_loss"},
        StopAt("val_score", -2.0, mode="max"),
        lambda values: values >= -2.0,
    ),
}


@needs_callbacks
@pytest.mark.parametrize(("params", "callback", "reached"), STOP_AT.values(), ids=STOP_AT)
def test_stop_at_ends_at_the_first_epoch_that_reached_the_value(params, callback, reached):
    values = classifier(**params).fit(X, y).history_[callback.metric].to_numpy()
    expected = int(np.argmax(reached(values))) + 1
    assert 1 < expected < 40
    assert classifier(**params).set_callbacks(callback).fit(X, y).n_iter_ == expected


@needs_callbacks
def test_a_time_budget_ends_training_at_the_end_of_an_epoch(monkeypatch):
    real, epochs = time_budget._now, []

    def now():
        epochs.append(None)
        return real() + timedelta(hours=len(epochs))

    monkeypatch.setattr(time_budget, "_now", now)
    model = classifier().set_callbacks(TimeBudget(seconds=3.9 * 3600))
    for _ in range(2):  # each fit has the whole budget
        epochs.clear()
        assert model.fit(X, y).n_iter_ == 4


@needs_callbacks
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_fits_of_a_search_stop_as_they_do_alone(backend):
    callback = EarlyStopping(patience=2, min_delta=0.01)
    model = make_pipeline(
        StandardScaler(), classifier(early_stopping=True).set_callbacks(callback, TimeBudget(seconds=1e6))
    )
    rates = [0.1, 0.03]
    search = GridSearchCV(model, {"deepclassifier__learning_rate": rates}, cv=2, n_jobs=2, scoring=n_epochs)
    with joblib.parallel_backend(backend):
        search.fit(X, y)
    found = np.stack([search.cv_results_[f"split{i}_test_score"] for i in range(2)], axis=1)
    expected = []
    for rate in rates:
        alone = clone(model).set_params(deepclassifier__learning_rate=rate)
        alone[-1].set_callbacks(EarlyStopping(patience=2, min_delta=0.01))
        splits = StratifiedKFold(2).split(X, y)  # those of the search
        expected.append([alone.fit(X[train], y[train])[-1].n_iter_ for train, _ in splits])
    np.testing.assert_array_equal(found, expected)
    assert found.max() < 40


def n_epochs(pipeline, X, y):
    return pipeline[-1].n_iter_


@pytest.mark.parametrize(
    "callback", [EarlyStopping(patience=3), StopAt("val_score", 0.5), TimeBudget(2)], ids=lambda c: type(c).__name__
)
def test_pickles_are_equal(callback):
    assert pickle.loads(pickle.dumps(callback)) == callback


def test_pickles_from_before_the_module_became_a_package_are_read():
    old = (
        b"\x80\x04\x95X\x00\x00\x00\x00\x00\x00\x00\x8c\x10skdeep.callbacks\x94\x8c\rLossThreshold\x94\x93\x94)\x81\x94}\x94("
        b"\x8c\tthreshold\x94G?\xe0\x00\x00\x00\x00\x00\x00\x8c\x07monitor\x94\x8c\x08val_loss\x94ub."
    )
    assert pickle.loads(old) == LossThreshold(0.5, "val_loss")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping("loss"), "The metric of EarlyStopping must be one of 'train_loss', 'val_loss', 'val_score', or 'val_' and"),
        (lambda: EarlyStopping(mode="up"), "The mode of EarlyStopping must be one of ('auto', 'min', 'max'). Got 'up' instead."),
        (lambda: EarlyStopping(patience=0), "The patience of EarlyStopping must be an int >= 1. Got 0 instead."),
        (lambda: EarlyStopping(patience=1.5), "The patience of EarlyStopping must be an int >= 1. Got 1.5 instead."),
        (lambda: EarlyStopping(patience=True), "The patience of EarlyStopping must be an int >= 1. Got True instead."),
        (lambda: EarlyStopping(min_delta=-1), "The min_delta of EarlyStopping must be a number >= 0. Got -1 instead."),
        (lambda: StopAt("seconds", 1), "The metric of StopAt must be one of 'train_loss', 'val_loss', 'val_score', or 'val_' and the name"),
        (lambda: StopAt("val_loss", "1"), "The value of StopAt must be a finite number. Got '1' instead."),
        (lambda: StopAt("val_loss", float("nan")), "The value of StopAt must be a finite number. Got nan instead."),
        (lambda: TimeBudget(0), "The seconds of TimeBudget must be a finite number > 0. Got 0 instead."),
        (lambda: TimeBudget(None), "The seconds of TimeBudget must be a finite number > 0. Got None instead."),
    ],
    ids=range(11),
)  # fmt: skip
def test_invalid_parameters_raise(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@needs_callbacks
@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (EarlyStopping(), "EarlyStopping watches val_loss, but DeepClassifier has no validation rows. Set early_stopping=True"),
        (StopAt("val_score", 1), "StopAt watches val_score, but DeepClassifier has no validation score. Set scoring to a scorer"),
    ],
    ids=["early stopping", "stop at"],
)  # fmt: skip
def test_columns_that_a_training_does_not_have_raise(callback, message):
    with pytest.raises(ValueError, match=message):
        classifier().set_callbacks(callback).fit(X, y)


@needs_callbacks
def test_a_metric_without_validation_rows_of_fit_works_with_given_ones():
    model = DeepRegressor(network=MLP((4,)), max_epochs=30, tol=None, learning_rate=0.1, random_state=0)
    model.set_callbacks(EarlyStopping(patience=1)).fit(X, y, X_val=X[::3], y_val=y[::3])
    losses = model.history_.val_loss.to_numpy()
    assert model.n_iter_ < 30
    assert (np.diff(losses[:-1]) < 0).all()
    assert losses[-1] >= losses[-2]


@needs_callbacks
@pytest.mark.parametrize("params", [{"n_estimators": 2}, {"cv": 2}], ids=str)
def test_ensembles_raise(params):
    model = classifier(max_epochs=1, **params).set_callbacks(TimeBudget(9))
    with pytest.raises(ValueError, match="members of an ensemble have no callbacks. Set n_estimators=1 and cv=None in"):
        model.fit(X, y)


@needs_callbacks
def test_an_estimator_without_history_raises():
    pipeline = make_pipeline(StandardScaler(), classifier()).set_callbacks(EarlyStopping())
    with pytest.raises(TypeError, match="EarlyStopping reads history_, which Pipeline does not have"):
        pipeline.fit(X, y)


@needs_callbacks
def test_metrics_of_the_estimator_are_watched():
    model = classifier(early_stopping=True, metrics=["accuracy"])
    model.set_callbacks(StopAt("val_accuracy", 0.6)).fit(X, y)
    scores = model.history_.val_accuracy.to_numpy()
    assert scores[-1] >= 0.6 > scores[:-1].max()
    model.set_callbacks(EarlyStopping("val_accuracy", patience=2)).fit(X, y)
    scores = model.history_.val_accuracy.to_numpy()
    assert len(scores) == stop_epoch(scores, 2, 0.0, -1) < 40


@needs_callbacks
def test_a_metric_that_the_estimator_lacks_raises():
    message = r"StopAt watches val_f1, but DeepClassifier has no such score. Set metrics=\['f1'\], and give validation rows by"
    with pytest.raises(ValueError, match=message):
        classifier(early_stopping=True).set_callbacks(StopAt("val_f1", 0.5)).fit(X, y)
