"""CSVLogger: what is in the file, also after several fits at the same time."""

from __future__ import annotations

import csv
import pickle

import joblib
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier, MLPClassifier
from skdeep.callbacks import CSVLogger
from skdeep.networks import MLP

pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
HEADER = "fit,epoch,train_loss,val_loss,val_score,learning_rate,seconds"


def classifier(**params):
    return DeepClassifier(**{"network": MLP((4,)), "max_epochs": 3, "tol": None, "random_state": 0, **params})


def read(path):
    """Return the file as a table, with the bits of its numbers."""
    with path.open(newline="") as file:
        log = pd.DataFrame(list(csv.DictReader(file)))
    return log.assign(
        **{name: [float(text or "nan") for text in log[name]] for name in log.columns.drop("fit")}
    ).astype({"epoch": int})


@pytest.mark.parametrize(
    "model",
    [
        classifier(),
        classifier(early_stopping=True, scoring="accuracy"),
        MLPClassifier((4,), max_iter=3, solver="lbfgs", random_state=0),
    ],
    ids=["deep", "scorer", "lbfgs"],
)
def test_the_file_holds_the_bits_of_the_history(model, tmp_path):
    path = tmp_path / "made" / "log.csv"
    model.set_callbacks(CSVLogger(path)).fit(X, y)
    assert path.read_text().splitlines()[0] == HEADER
    log = read(path)
    assert log.pop("fit").nunique() == 1
    assert_frame_equal(log, model.history_, check_exact=True, check_dtype=False)


def test_each_line_is_in_the_file_when_its_epoch_ends(tmp_path):
    path, found = tmp_path / "log.csv", []

    class Reading:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context):
            if context.task_name == "epoch":
                found.append(list(read(path).epoch))

    classifier().set_callbacks(CSVLogger(path), Reading()).fit(X, y)
    assert found == [[1], [1, 2], [1, 2, 3]]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_fits_at_the_same_time_write_to_one_file(backend, tmp_path):
    path = tmp_path / "log.csv"
    model = make_pipeline(StandardScaler(), classifier().set_callbacks(CSVLogger(path)))
    search = GridSearchCV(model, {"deepclassifier__learning_rate": [0.1, 0.01, 0.001]}, cv=2, n_jobs=2)
    with joblib.parallel_backend(backend):
        search.fit(X, y)
    fits = dict(iter(read(path).groupby("fit")))
    assert [list(log.epoch) for log in fits.values()] == [[1, 2, 3]] * 7
    assert sorted(log.learning_rate.iloc[0] for log in fits.values()) == pytest.approx(
        sorted([0.1, 0.01, 0.001] * 2 + [search.best_params_["deepclassifier__learning_rate"]])
    )
    refit = [
        log for log in fits.values() if list(log.train_loss) == list(search.best_estimator_[-1].history_.train_loss)
    ]
    assert len(refit) == 1


def test_a_logger_keeps_its_own_lines_and_replaces_those_of_others(tmp_path):
    path = tmp_path / "log.csv"
    model = classifier().set_callbacks(CSVLogger(path)).fit(X, y).fit(X, y)
    assert list(read(path).epoch) == [1, 2, 3] * 2
    assert read(path).fit.nunique() == 2
    model.set_callbacks(pickle.loads(pickle.dumps(model._skl_callbacks[0]))).fit(X, y)
    assert read(path).fit.nunique() == 3
    model.set_callbacks(CSVLogger(path)).fit(X, y)
    assert list(read(path).epoch) == [1, 2, 3]
    model.set_callbacks(CSVLogger(path, append=True)).fit(X, y)
    assert list(read(path).epoch) == [1, 2, 3] * 2


def test_calls_of_partial_fit_continue_the_file(tmp_path):
    path = tmp_path / "log.csv"
    model = classifier().set_callbacks(CSVLogger(path))
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert list(read(path).epoch) == [1, 2, 3]
    assert list(read(path).train_loss) == list(model.history_.train_loss)


def test_lines_are_not_appended_to_other_columns(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"cannot append to .*log.csv, whose columns are \['a', 'b'\] and not \['fit'"):
        classifier().set_callbacks(CSVLogger(path, append=True)).fit(X, y)
    assert path.read_text() == "a,b\n1,2\n"
    classifier().set_callbacks(CSVLogger(path)).fit(X, y)
    assert path.read_text().startswith(HEADER)


@pytest.mark.parametrize("path", [None, "", 3], ids=repr)
def test_an_invalid_path_raises(path):
    with pytest.raises(TypeError, match="The path of CSVLogger must be the path of a file. Got"):
        CSVLogger(path)


def test_an_invalid_append_raises():
    with pytest.raises(TypeError, match="The append of CSVLogger must be a bool. Got 1 instead"):
        CSVLogger("log.csv", append=1)


def test_a_relative_path_is_that_of_the_folder_in_which_the_logger_was_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logger = CSVLogger("log.csv")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    classifier().set_callbacks(logger).fit(X, y)
    assert list(read(tmp_path / "log.csv").epoch) == [1, 2, 3]
