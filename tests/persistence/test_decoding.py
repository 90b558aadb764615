"""Files with valid digests and hostile contents: refused with our errors, fast, and before anything large is allocated."""

import functools
import json
import tracemalloc

import numpy as np
import pytest

import skdeep
from skdeep import DeepClassifier, DeepRegressor, SequenceGenerator, TabularClassifier
from skdeep.errors import CorruptModelError, MissingComponentError, ModelFileError, ModelMismatchError
from skdeep.networks import LSTM, MLP
from skdeep.persistence.container import from_bytes, to_bytes
from skdeep.persistence.model import dumped, loaded

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = np.arange(30) % 2
SHORT = {"max_epochs": 1, "tol": None, "random_state": 0}


@functools.cache
def fitted(cls=DeepClassifier):
    return cls(network=MLP(widths=(4,)), **SHORT).fit(X, Y if cls is DeepClassifier else X[:, 0])


def changed(change, model=None):
    """Return the file of a model, by default `fitted()`, with another estimator node, and valid digests."""
    manifest, arrays = from_bytes(dumped(fitted() if model is None else model))
    node = json.loads(json.dumps(manifest["estimator"]))
    node = change(node) or node
    return to_bytes({"own": manifest["own"], "estimator": node}, arrays)


def model_of(node):
    return node["fitted"]["_model"]["fields"]


def network_of(node):
    return model_of(node)["network"]["fields"]


def encoding_of(node):
    return node["fitted"]["_encoding"]["fields"]


def put(get, key, value):
    return lambda node: get(node).__setitem__(key, value)


HOSTILE = {
    "no loss": (lambda n: n["fitted"].pop("loss_") and None, ModelMismatchError),
    "a loss of another kind": (lambda n: n["fitted"].update(loss_={}), ModelMismatchError),
    "a leaf that is no array": (lambda n: n["fitted"]["params_"].update(x="a"), ModelMismatchError),
    "a target of another kind": (put(encoding_of, "target", 1.5), ModelFileError),
    "members that are no estimators": (lambda n: n["fitted"].update(estimators_=[1]), ModelMismatchError),
    "wide strings": (
        lambda n: n["fitted"].update(x_={"$text": "<U1000", "shape": [300_000], "values": [""] * 300_000}),
        CorruptModelError,
    ),
    "a type of several": (
        lambda n: n["fitted"].update(x_={"$text": "(1,2", "shape": [0], "values": []}),
        ModelMismatchError,
    ),
    "more layers than arrays": (lambda n: network_of(n).update(widths={"$tuple": [4] * 900}), ModelMismatchError),
    "another class": (lambda n: n.update({"class": "os:system"}), ModelMismatchError),
    "a class of Python": (lambda n: n.update({"class": "Popen"}), ModelMismatchError),
    "no estimator": (lambda n: ["x"], CorruptModelError),
    "no parameters": (lambda n: n.pop("params") and None, CorruptModelError),
    "an unknown parameter": (lambda n: n["params"].update(shell="rm"), ModelMismatchError),
    "a method as attribute": (lambda n: n["fitted"].update(predict=1), ModelMismatchError),
    "a special attribute": (lambda n: n["fitted"].update(__class__=1), ModelMismatchError),
    "a special attribute with one underscore": (lambda n: n["fitted"].update(_x=1), ModelMismatchError),
    "a parameter as attribute": (lambda n: n["fitted"].update(network=1), ModelMismatchError),
    "an unknown tag": (lambda n: n["params"].update(tol={"$code": "1"}), CorruptModelError),
    "an unknown record": (lambda n: n["params"].update(tol={"$record": "Popen", "fields": {}}), ModelMismatchError),
    "a record by path": (lambda n: n["params"].update(tol={"$record": "os.system", "fields": {}}), ModelMismatchError),
    "a record without fields": (lambda n: n["params"].update(tol={"$record": "Model"}), CorruptModelError),
    "a record with a new field": (put(model_of, "extra", 1), ModelMismatchError),
    "a record with a missing field": (lambda n: model_of(n).pop("in_shape") and None, ModelMismatchError),
    "an unknown component": (
        lambda n: n["params"].update(network={"$component": ["network", "nothing"], "fields": {}}),
        MissingComponentError,
    ),
    "a component by path": (
        lambda n: n["params"].update(network={"$component": ["network", "os:system"], "fields": {}}),
        MissingComponentError,
    ),
    "an unknown kind": (
        lambda n: n["params"].update(network={"$component": ["module", "mlp"], "fields": {}}),
        CorruptModelError,
    ),
    "a local component": (
        lambda n: n["params"].update(network={"$component": ["network", "local:x"], "fields": {}}),
        MissingComponentError,
    ),
    "a hostile field": (put(network_of, "widths", {"$tuple": [-1]}), ModelMismatchError),
    "a field of another type": (put(network_of, "widths", "abc"), ModelMismatchError),
    "a huge layer": (put(network_of, "widths", {"$tuple": [10**9]}), ModelMismatchError),
    "a layer of another width": (put(network_of, "widths", {"$tuple": [5]}), ModelMismatchError),
    "many layers": (put(network_of, "widths", {"$tuple": [4] * 100_000}), ModelMismatchError),
    "another network": (
        lambda n: model_of(n).update(network={"$component": ["network", "linear"], "fields": {}}),
        ModelMismatchError,
    ),
    "a loss as network": (
        lambda n: model_of(n).update(network={"$component": ["loss", "hinge"], "fields": {}}),
        ModelMismatchError,
    ),
    "another shape of rows": (put(model_of, "in_shape", {"$tuple": [10**9]}), ModelMismatchError),
    "another number of outputs": (put(model_of, "n_raw", 10**9), ModelMismatchError),
    "an encoding of another kind": (lambda n: n["fitted"].update(_encoding=[]), CorruptModelError),
    "an encoding of other columns": (put(encoding_of, "columns", "ab"), ModelMismatchError),
    "many classes": (
        put(
            encoding_of,
            "target",
            {"$record": "Labels", "fields": {"n_labels": 10**9, "codes": {"$objects": [0, 1], "shape": [2]}}},
        ),
        ModelFileError,
    ),
    "an array twice": (
        lambda n: n["fitted"]["params_"]["Dense_0"].update(bias=n["fitted"]["params_"]["Dense_0"]["kernel"]),
        CorruptModelError,
    ),
    "an array that is not there": (lambda n: n["fitted"].update(best_epoch_={"$array": "none"}), CorruptModelError),
    "an array too many": (lambda n: n["fitted"]["params_"]["Dense_0"].pop("bias") and None, CorruptModelError),
    "a huge array of objects": (lambda n: n["fitted"].update(x_={"$objects": [], "shape": [10**9]}), CorruptModelError),
    "a huge type of strings": (
        lambda n: n["fitted"].update(x_={"$text": "<U1000000000", "shape": [1], "values": ["a"]}),
        ModelFileError,
    ),
    "a type of objects": (
        lambda n: n["fitted"]["_memory"]["fields"].update(
            key={"$time": "O", "values": n["fitted"]["_memory"]["fields"]["key"]}
        ),
        ModelMismatchError,
    ),
    "a float by another name": (lambda n: n["fitted"].update(x_={"$float": "Infinity"}), CorruptModelError),
    "a key that has no hash": (lambda n: n["fitted"].update(x_={"$dict": [[[1], 2]]}), CorruptModelError),
    "another splitter": (
        lambda n: n["params"].update(cv={"$splitter": "GridSearchCV", "arguments": {}}),
        ModelMismatchError,
    ),
    "a splitter with a method": (
        lambda n: n["params"].update(cv={"$splitter": "KFold", "arguments": {"split": 1}}),
        CorruptModelError,
    ),
    "a random state": (lambda n: n["params"].update(random_state={"$random_state": [1, 2]}), CorruptModelError),
    "an object of the user": (lambda n: n["params"].update(network={"$own": ["network"]}), ModelFileError),
    "names of components": (lambda n: n.update(names=[1]), ModelFileError),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name):
    change, error = HOSTILE[name]
    data = changed(change)
    tracemalloc.start()
    with pytest.raises(error):
        loaded(data, {}, "installed")
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 100 * 2**20


@pytest.mark.parametrize(
    "own",
    [
        5,
        {"network": 5},
        {"network": []},
        {"network": [5]},
        {"network": [{"place": [], "name": "x"}]},
        {"network": {"": {}}},
    ],
)
def test_malformed_lists_of_objects_to_give(own):
    with pytest.raises(CorruptModelError, match="no valid list of objects to give"):
        loaded(to_bytes({"own": own, "estimator": {}}, {}), {"network": 1}, "builtin")


@pytest.mark.parametrize(
    "node", [{"$component": ["loss", "tweedie"], "fields": {}}, {"$registered": ["loss", "tweedie"]}, "tweedie"]
)
def test_a_bare_name_does_not_pass_the_policy(node):
    with pytest.raises(MissingComponentError, match="excludes"):
        loaded(changed(lambda n: n["params"].update(loss=node), DeepRegressor()), {}, "builtin")


def test_names_in_fields_do_not_pass_the_policy():
    node = [{"$component": ["layer", "residual"], "fields": {"layers": {"$tuple": ["skdeep-kan:kan"]}}}]
    with pytest.raises(MissingComponentError, match="excludes"):
        loaded(changed(lambda n: n["params"].update(network=node), DeepRegressor()), {}, "builtin")
    node = {"$component": ["loss", "cross_entropy"], "fields": {"smoothing_schedule": "skdeep-robust:nothing"}}
    with pytest.raises(MissingComponentError, match="excludes"):
        loaded(changed(lambda n: n["params"].update(loss=node)), {}, "builtin")


def test_the_unchanged_file_is_loaded():
    for model in (fitted(), fitted(DeepRegressor)):
        again = loaded(changed(lambda node: None, model), {}, "builtin")
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_scale_of_another_size_is_refused():
    target = {"$record": "Values", "fields": {"n_outputs": 10**9, "is_1d": True, "scale": None, "limits": None}}
    with pytest.raises(ModelFileError):
        loaded(changed(lambda n: encoding_of(n).update(target=target), fitted(DeepRegressor)), {}, "builtin")


@pytest.mark.parametrize("n_layers", [20, 10**9])
def test_a_network_of_many_layers_is_refused(n_layers):
    model = DeepClassifier(network=LSTM(units=2), **SHORT).fit(RNG.normal(size=(9, 4, 2)), Y[:9])
    with pytest.raises(ModelMismatchError, match="n_layers"):
        loaded(changed(put(network_of, "n_layers", n_layers), model), {}, "builtin")


def test_windows_of_another_length_are_refused():
    model = SequenceGenerator(network=LSTM(units=2), **SHORT).fit(["abcab"])
    with pytest.raises(ModelMismatchError, match="does not fit its encoding"):
        loaded(changed(put(encoding_of, "context_length", 10**9), model), {}, "builtin")


def test_a_table_of_other_columns_is_refused():
    import pandas as pd

    frame = pd.DataFrame({"a": X[:, 0], "b": np.array(["u", "v"])[Y]})
    model = TabularClassifier(**SHORT).fit(frame, Y)

    def change(node):
        encoding_of(node)["table"]["fields"]["columns"] = {"$tuple": "ab"}

    with pytest.raises(ModelFileError):
        loaded(changed(change, model), {}, "builtin")


def test_loading_changes_no_registry(fresh_registry):
    from skdeep import registry

    before = {kind: registry.names(kind) for kind in registry.discovery.GROUPS}
    loaded(dumped(fitted()), {}, "installed")
    assert {kind: registry.names(kind) for kind in registry.discovery.GROUPS} == before


def test_errors_say_what_the_file_is_called(tmp_path):
    (tmp_path / "model").write_bytes(changed(lambda n: n["fitted"].update(predict=1)))
    with pytest.raises(ModelMismatchError, match="the attribute 'predict', which no fit sets") as found:
        skdeep.load(tmp_path / "model")
    assert "model" in found.value.__notes__[0]
