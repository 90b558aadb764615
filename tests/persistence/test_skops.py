"""Pipelines in skops' files: loaded with the types that skdeep ships, which come from the reader and never from the file."""

import json
import zipfile

import flax.linen as nn
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, SequenceGenerator, TabularClassifier
from skdeep.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4))
Y = np.where(X[:, 0] > 0, "yes", "no")
FRAME = pd.DataFrame({"n": X[:, 0], "c": Y, "d": pd.date_range("2020-01-01", periods=40)})
SHORT = {"max_epochs": 2, "tol": None, "random_state": 0}
SMALL = {"network": MLP(widths=(4,)), **SHORT}

OF_SCIKIT_LEARN = ["sklearn.metrics._scorer._PassthroughScorer", "sklearn.model_selection._split.StratifiedKFold"]
CASES = {
    "pipeline": (make_pipeline(StandardScaler(), DeepClassifier(**SMALL)), X, Y),
    "search": (GridSearchCV(DeepClassifier(**SMALL), {"learning_rate": [0.1, 0.01]}, cv=2), X, Y),
    "members": (DeepRegressor(n_estimators=2, **SMALL), X, X[:, 0]),
    "table": (TabularClassifier(**SHORT), FRAME, Y),
    "perceptron": (MLPClassifier(max_iter=2), X, Y),
    "autoencoder": (DeepAutoencoder(n_components=2, **SHORT), X, None),
    "texts": (SequenceGenerator(**SHORT), ["abcab" * 5], None),
}


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_the_same_to_the_bit(name):
    model, rows, target = CASES[name]
    model = model.fit(rows) if target is None else model.fit(rows, target)
    again = skops.io.loads(skops.io.dumps(model), trusted=[*skdeep.trusted_types(), *OF_SCIKIT_LEARN])
    method = next(name for name in ("predict", "transform", "score") if hasattr(model, name))
    np.testing.assert_array_equal(getattr(again, method)(rows), getattr(model, method)(rows))


def test_training_goes_on_as_it_would_have():
    model = DeepClassifier(**SMALL).partial_fit(X, Y, classes=["no", "yes"])
    again = skops.io.loads(skops.io.dumps(model), trusted=skdeep.trusted_types())
    for one in (model, again):
        one.partial_fit(X[:20], Y[:20])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_names_of_packages():
    model = DeepClassifier(optimizer="soap")
    again = skops.io.loads(skops.io.dumps(model), trusted=skdeep.trusted_types())
    assert again.get_params() == model.get_params()


def test_the_reader_must_trust_the_types():
    with pytest.raises(UntrustedTypesFoundException, match=r"skdeep\.estimators\.classifier\.DeepClassifier"):
        skops.io.loads(skops.io.dumps(DeepClassifier()))


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(x)


def test_modules_of_the_user_are_not_trusted():
    data = skops.io.dumps(DeepClassifier(network=Net(), **SHORT).fit(X, Y))
    with pytest.raises(UntrustedTypesFoundException, match="Net"):
        skops.io.loads(data, trusted=skdeep.trusted_types())


def test_plugins_are_trusted_by_name():
    assert not [name for name in skdeep.trusted_types() if not name.startswith("skdeep.")]
    assert "skdeep_robust.regression.Tweedie" in skdeep.trusted_types(["skdeep-robust"])
    with pytest.raises(ModuleNotFoundError, match="No installed distribution 'nothing' offers components"):
        skdeep.trusted_types(["nothing"])


def test_loading_runs_no_code_and_changes_no_registry(fresh_registry, tmp_path):
    """A file with the entry of a pickle for names of another process, as old pickles had it in their state."""
    skdeep.register("loss", "mine", lambda raw, target: raw)
    path = tmp_path / "model.skops"
    skops.io.dump(DeepClassifier(loss="mine"), path)
    skdeep.unregister("loss", "mine")
    with zipfile.ZipFile(path) as file:
        stored = "".join(str(file.read(name)) for name in file.namelist())
        schema = json.loads(file.read("schema.json"))
    assert "registered" not in stored
    assert schema["__class__"] == "DeepClassifier"
    skops.io.load(path, trusted=skdeep.trusted_types())
    assert skdeep.registry.registered_names("loss") == {}
