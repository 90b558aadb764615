"""TensorBoardLogger and MLflowLogger: what they write is read back."""

from __future__ import annotations

import builtins
import pickle
import struct

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from skdeep import DeepClassifier
from skdeep.callbacks import MLflowLogger, TensorBoardLogger
from skdeep.networks import MLP

pytest.importorskip("sklearn.callback", reason="callbacks are new in scikit-learn 1.9")

X, y = load_iris(return_X_y=True)


def classifier(**params):
    return DeepClassifier(
        **{"network": MLP((4,)), "max_epochs": 3, "tol": None, "early_stopping": True, "random_state": 0, **params}
    )


class Failing:
    """Raises at the end of the second epoch."""

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        if (context.task_name, context.task_id) == ("epoch", 1):
            raise RuntimeError("as planned")


class TestTensorBoard:
    @pytest.fixture(autouse=True)
    def _needs(self):
        pytest.importorskip("tensorboardX", reason="the extra 'tensorboard'")

    def test_scalars_are_those_of_the_history(self, tmp_path):
        model = classifier().set_callbacks(TensorBoardLogger(tmp_path)).fit(X, y)
        (run,) = tmp_path.iterdir()
        assert run.name.startswith("DeepClassifier-")
        found, history = scalars(run), model.history_.set_index("epoch")
        assert set(found) == {"train_loss", "val_loss", "learning_rate", "seconds"}
        for name, values in found.items():
            assert values == {epoch: np.float32(value) for epoch, value in history[name].items()}

    @pytest.mark.parametrize("backend", ["loky", "threading"])
    def test_each_fit_of_a_search_has_a_folder(self, backend, tmp_path):
        model = classifier().set_callbacks(TensorBoardLogger(tmp_path))
        search = GridSearchCV(model, {"learning_rate": [0.1, 0.01]}, cv=2, n_jobs=2)
        with joblib.parallel_backend(backend):
            search.fit(X, y)
        runs = [scalars(run) for run in tmp_path.iterdir()]
        assert [list(run["val_loss"]) for run in runs] == [[1, 2, 3]] * 5
        best = search.best_params_["learning_rate"]
        found = sorted(run["learning_rate"][1] for run in runs)
        assert found == pytest.approx(sorted([0.1, 0.01] * 2 + [best]))

    def test_a_fit_that_raises_leaves_its_epochs_and_no_open_file(self, tmp_path):
        logger = TensorBoardLogger(tmp_path)
        with pytest.raises(RuntimeError, match="as planned"):
            classifier().set_callbacks(logger, Failing()).fit(X, y)
        (run,) = tmp_path.iterdir()
        assert list(scalars(run)["train_loss"]) == [1, 2]
        assert not logger._runs
        assert not logger._finished

    def test_a_pickle_during_a_fit_holds_no_open_file(self, tmp_path):
        logger, copies = TensorBoardLogger(tmp_path), []

        class Pickling(Failing):
            def on_fit_task_end(self, estimator, context):
                copies.append(pickle.loads(pickle.dumps(logger)))

        classifier().set_callbacks(logger, Pickling()).fit(X, y)
        assert [copy._runs for copy in copies] == [{}] * 4

    def test_an_invalid_folder_raises(self):
        with pytest.raises(TypeError, match="The folder of TensorBoardLogger must be a path. Got None instead"):
            TensorBoardLogger(None)


def scalars(run):
    """Return the scalars of a run by tag and step, as TensorBoard's format of records has them."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict = {}
    for path in sorted(run.iterdir()):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = Event.FromString(data[place + 12 : place + 12 + length])
            place += 12 + length + 4  # length and its checksum, data, checksum
            for value in event.summary.value:
                assert event.step not in found.setdefault(value.tag, {})
                found[value.tag][event.step] = value.simple_value
    return found


@pytest.mark.parametrize(
    ("make", "library", "extra"),
    [(lambda: TensorBoardLogger("runs"), "tensorboardX", "tensorboard"), (MLflowLogger, "mlflow", "mlflow")],
    ids=["tensorboard", "mlflow"],
)
def test_without_the_library_the_error_says_what_to_install(make, library, extra, monkeypatch):
    imported = builtins.__import__

    def without(name, *others):
        if name.partition(".")[0] == library:
            raise ImportError(name)
        return imported(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=rf'pip install "skdeep-flax\[{extra}\]"'):
        make()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"experiment": ""}, "The experiment of MLflowLogger must be a name. Got '' instead"),
        ({"tracking_uri": 3}, "The tracking_uri of MLflowLogger must be a str or None. Got 3 instead"),
    ],
    ids=["experiment", "uri"],
)
def test_invalid_parameters_of_mlflow_raise(params, message):
    with pytest.raises(TypeError, match=message):
        MLflowLogger(**params)


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore")  # those of MLflow
class TestMLflow:
    @pytest.fixture
    def client(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        import mlflow

        mlflow.set_tracking_uri(tmp_path.as_uri())
        return mlflow.MlflowClient(tmp_path.as_uri())

    def runs(self, client, name):
        return client.search_runs([client.get_experiment_by_name(name).experiment_id])

    def test_metrics_and_parameters_are_those_of_the_fit(self, client):
        model = classifier().set_callbacks(MLflowLogger("one")).fit(X, y)
        (run,) = self.runs(client, "one")
        assert (run.info.status, run.data.params["max_epochs"]) == ("FINISHED", "3")
        for name in ("train_loss", "val_loss", "learning_rate"):
            found = {metric.step: metric.value for metric in client.get_metric_history(run.info.run_id, name)}
            assert found == dict(zip(model.history_.epoch, model.history_[name], strict=True))
        assert "val_score" not in run.data.metrics

    @pytest.mark.parametrize("backend", ["loky", "threading"])
    def test_fits_of_a_search_are_nested_in_the_active_run(self, client, backend):
        import mlflow

        mlflow.set_experiment("parents")
        with mlflow.start_run() as parent:
            model = classifier().set_callbacks(MLflowLogger("many"))
        search = GridSearchCV(model, {"learning_rate": [0.1, 0.01]}, cv=2, n_jobs=2)
        with joblib.parallel_backend(backend):
            search.fit(X, y)
        runs = self.runs(client, "many")
        assert len(runs) == 5
        assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}

    def test_a_fit_that_raises_has_failed(self, client):
        with pytest.raises(RuntimeError, match="as planned"):
            classifier().set_callbacks(MLflowLogger("bad"), Failing()).fit(X, y)
        assert [run.info.status for run in self.runs(client, "bad")] == ["FAILED"]
