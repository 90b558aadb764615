"""TrainingCurvesDisplay: the lines are the columns of history_, the marks are at the best epochs."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier, DeepRegressor, MLPClassifier
from skdeep.display import TrainingCurvesDisplay
from skdeep.display.fitted import fitted_network, members_of

X, Y = load_iris(return_X_y=True)
SMALL = {"max_epochs": 6, "tol": None, "random_state": 0}


@pytest.fixture(scope="module")
def scored():
    model = DeepClassifier(early_stopping=True, scoring="accuracy", learning_rate=0.01, **SMALL)
    return make_pipeline(StandardScaler(), model).fit(X, Y)


@pytest.fixture(scope="module")
def search():
    return GridSearchCV(DeepClassifier(**SMALL), {"learning_rate": [0.01]}, cv=2).fit(X, Y)


@pytest.fixture(scope="module")
def ensemble():
    rows, target = load_diabetes(return_X_y=True)
    model = DeepRegressor(n_estimators=2, early_stopping=True, **SMALL)
    return model.fit(rows[:100], target[:100])


def table(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"epoch": range(1, n + 1), **columns})


def assert_is_column(line, history, column):
    np.testing.assert_array_equal(line.get_xdata(), history["epoch"])
    np.testing.assert_array_equal(line.get_ydata(), history[column])


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_lines_are_the_losses_of_the_last_step_of_a_pipeline(scored):
    shown = TrainingCurvesDisplay.from_estimator(scored)
    assert list(shown.lines_) == [("DeepClassifier", "train_loss"), ("DeepClassifier", "val_loss")]
    for (_, column), lines in shown.lines_.items():
        assert len(lines) == 1
        assert_is_column(lines[0], scored[-1].history_, column)
    assert shown.ax_.get_xlabel() == "epoch"
    assert shown.ax_.get_ylabel() == "loss"


def test_the_mark_is_at_the_epoch_of_the_best_score(scored):
    history = scored[-1].history_
    best = int(np.argmax(history["val_score"]))
    shown = TrainingCurvesDisplay.from_estimator(scored, ["loss", "val_score"])
    for column in ("val_loss", "val_score"):
        (mark,) = shown.best_["DeepClassifier", column]
        assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (best + 1, history[column][best])
    assert shown.best_["DeepClassifier", "train_loss"] == [None]
    assert legend_of(shown.ax_) == ["training", "validation", f"best epoch {best + 1}"]


def test_columns_of_other_quantities_have_panels_of_their_own(scored):
    shown = TrainingCurvesDisplay.from_estimator(scored, ["loss", "learning_rate", "seconds"])
    assert [ax.get_ylabel() for ax in shown.axes_] == ["loss", "learning rate", "seconds per epoch"]
    assert shown.ax_ is shown.axes_[0]
    assert_is_column(shown.lines_["DeepClassifier", "seconds"][0], scored[-1].history_, "seconds")
    assert shown.lines_["DeepClassifier", "seconds"][0].axes is shown.axes_[2]


def test_a_search_gives_its_best_estimator(search):
    shown = TrainingCurvesDisplay.from_estimator(search, name="refitted")
    assert list(shown.lines_) == [("refitted", "train_loss")]
    assert_is_column(shown.lines_["refitted", "train_loss"][0], search.best_estimator_.history_, "train_loss")
    assert shown.best_ == {("refitted", "train_loss"): [None]}
    assert legend_of(shown.ax_) == ["training"]


def test_an_ensemble_has_a_line_and_a_mark_per_member(ensemble):
    shown = TrainingCurvesDisplay.from_estimator(ensemble)
    lines, marks = shown.lines_["DeepRegressor", "val_loss"], shown.best_["DeepRegressor", "val_loss"]
    assert len(lines) == len(marks) == 2
    for member, line, mark in zip(ensemble.estimators_, lines, marks, strict=True):
        assert_is_column(line, member.history_, "val_loss")
        assert mark.get_xdata()[0] == 1 + np.argmin(member.history_["val_loss"])


def test_estimators_by_name_have_one_colour_each(scored, search):
    shown = TrainingCurvesDisplay.from_estimators({"scored": scored, "search": search})
    assert set(shown.lines_) == {("scored", "train_loss"), ("scored", "val_loss"), ("search", "train_loss")}
    colours = {key: lines[0].get_color() for key, lines in shown.lines_.items()}
    assert colours["scored", "train_loss"] == colours["scored", "val_loss"] != colours["search", "train_loss"]
    assert legend_of(shown.ax_)[1:] == ["search", "training", "validation"]
    assert re.fullmatch(r"scored \(best epoch \d\)", legend_of(shown.ax_)[0])


@pytest.mark.parametrize("pairs", [True, False])
def test_lists_of_estimators(scored, search, pairs):
    given = [("a", scored), ("b", search)] if pairs else [scored, search]
    shown = TrainingCurvesDisplay.from_estimators(given, "train_loss")
    assert list(shown.histories) == (["a", "b"] if pairs else ["DeepClassifier 1", "DeepClassifier 2"])


def test_estimators_inside_other_meta_estimators(scored, ensemble):
    around = TransformedTargetRegressor()
    around.regressor_ = ensemble
    assert fitted_network("Owner", FrozenEstimator(scored)) is scored[-1]
    assert fitted_network("Owner", FrozenEstimator(around)) is ensemble
    assert members_of(ensemble) == ensemble.estimators_
    assert members_of(scored[-1]) == [scored[-1]]


def test_without_early_stopping_the_mark_is_at_the_smallest_validation_loss():
    model = DeepClassifier(learning_rate=0.1, **SMALL).fit(X, Y, X_val=X[::5], y_val=Y[::5])
    (mark,) = TrainingCurvesDisplay.from_estimator(model).best_["DeepClassifier", "val_loss"]
    assert mark.get_xdata()[0] == 1 + np.argmin(model.history_["val_loss"])


def test_a_perceptron_with_early_stopping():
    model = MLPClassifier(
        hidden_layer_sizes=(4,), max_iter=2, tol=0.0, n_iter_no_change=1000, early_stopping=True, random_state=0
    )
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, Y)
    (mark,) = TrainingCurvesDisplay.from_estimator(model).best_["MLPClassifier", "val_loss"]
    assert mark.get_xdata()[0] == 1 + np.argmax(model.validation_scores_)


@pytest.mark.parametrize(
    ("losses", "yscale", "expected"),
    [
        ([10.0, 1.0, 0.1], "auto", "log"),
        ([3.0, 2.0, 1.0], "auto", "linear"),
        ([10.0, 1.0, -0.1], "auto", "linear"),
        ([10.0, 1.0, 0.1], "linear", "linear"),
        ([3.0, 2.0, 1.0], "log", "log"),
    ],
)
def test_a_log_axis_where_it_helps(losses, yscale, expected):
    assert TrainingCurvesDisplay({"a": table(train_loss=losses)}).plot(yscale=yscale).ax_.get_yscale() == expected


def test_panels_on_given_axes():
    history = table(train_loss=[2.0, 1.0], learning_rate=[0.1, 0.1])
    figure, axes = plt.subplots(2)
    shown = TrainingCurvesDisplay({"a": history}, metrics=["loss", "learning_rate"]).plot(
        ax=axes, line_kw={"linewidth": 5}
    )
    assert shown.axes_.tolist() == axes.tolist()
    assert shown.figure_ is figure
    assert shown.lines_["a", "train_loss"][0].get_linewidth() == 5


def test_a_best_epoch_of_an_earlier_fit_has_no_mark():
    history = table(train_loss=[2.0, 1.0], val_loss=[2.0, 1.5])
    shown = TrainingCurvesDisplay({"a": history}, best_epochs={"a": [-1]}).plot()
    assert shown.best_["a", "val_loss"] == [None]


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (DeepClassifier(), NotFittedError, "This DeepClassifier instance is not fitted yet."),
        (make_pipeline(StandardScaler(), DeepClassifier()), NotFittedError, "This DeepClassifier instance is not fitted yet."),
        (GridSearchCV(DeepClassifier(), {"l2": [0.0]}), NotFittedError, "This GridSearchCV instance is not fitted yet."),
        (LinearRegression().fit(X, Y), TypeError,
         "TrainingCurvesDisplay needs an estimator of skdeep, alone, as the last step of a Pipeline, or in a "
         "search. Got LinearRegression instead."),
        (GridSearchCV(LinearRegression(), {"fit_intercept": [True]}, refit=False, cv=2).fit(X, Y), ValueError,
         "TrainingCurvesDisplay needs the best estimator of GridSearchCV, which was fitted with refit=False."),
    ],
    ids=["estimator", "pipeline", "search", "other", "no refit"],
)  # fmt: skip
def test_estimators_without_a_history(estimator, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        TrainingCurvesDisplay.from_estimator(estimator)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("val_los",
         "The 'metrics' parameter of TrainingCurvesDisplay must hold 'loss' or columns of history_. Got "
         "'val_los' instead. Did you mean 'val_loss'? The columns are train_loss, val_loss, val_score."),
        ("val_loss", "history_ has no values of 'val_loss'. Fit with validation rows: early_stopping=True, or X_val and y_val."),
        (["loss", "val_score"], "history_ has no values of 'val_score'. Fit with early_stopping=True and a scorer as scoring."),
        ([], "The 'metrics' parameter of TrainingCurvesDisplay names no column."),
    ],
)  # fmt: skip
def test_metrics_that_cannot_be_drawn(metrics, message):
    history = table(train_loss=[1.0], val_loss=[np.nan], val_score=[np.nan])
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        TrainingCurvesDisplay({"a": history}, metrics=metrics)


def test_other_arguments_that_are_wrong(search):
    with pytest.raises(ValueError, match="^TrainingCurvesDisplay needs one or more estimators with one or more epochs"):
        TrainingCurvesDisplay({})
    with pytest.raises(
        ValueError, match=re.escape("The estimators must have different names. Got ['a', 'a'] instead.")
    ):
        TrainingCurvesDisplay.from_estimators([("a", search), ("a", search)])
    message = (
        "The 'yscale' parameter of TrainingCurvesDisplay.plot must be 'auto', 'linear' or 'log'. Got 'sym' instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TrainingCurvesDisplay.from_estimator(search, yscale="sym")
