"""Names registered in one process work in other processes: in the workers of a search, and in a saved model."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import cloudpickle
import joblib
import numpy as np
import pytest
from joblib.externals.loky.backend import reduction
from sklearn.base import clone

import skdeep
from skdeep import DeepClassifier, DeepRegressor, discovery, registry
from skdeep.carried import Carried
from skdeep.errors import PluginLoadError, UnknownComponentError, UnserializableParameterError
from skdeep.layers import Residual
from skdeep.networks import Sequential

pytestmark = pytest.mark.usefixtures("fresh_registry")

SEARCH = """
import warnings
import jax, jax.numpy as jnp, numpy as np
import flax.linen as nn, optax
import skdeep
from skdeep import registry
from skdeep.layers import Residual
from skdeep.networks import Sequential
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from joblib import parallel_config

def log_likelihood(raw, target):
    return jax.nn.logsumexp(raw, axis=1) - jnp.sum(jax.nn.one_hot(target, 3) * raw, axis=1)

skdeep.register("loss", "mine")(lambda raw, target: log_likelihood(raw, target))

@skdeep.register("loss", "scaled")
class Scaled(skdeep.Loss):
    scale: float = 2.0
    tasks = ("multiclass",)
    probabilistic = True
    def __call__(self, raw, target):
        return self.scale * log_likelihood(raw, target)

@skdeep.register("network", "own")
class Own(nn.Module):
    width: int = 8
    n_outputs: int | None = None
    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(nn.relu(nn.Dense(self.width)(x)))

@skdeep.register("layer", "twice")
class Twice(skdeep.Layer):
    def build(self):
        return nn.Sequential([lambda x: 2 * x])

skdeep.register("schedule", "falling")(lambda progress: 1 - 0.5 * progress)
skdeep.register("optimizer", "belief")(lambda learning_rate: optax.adabelief(learning_rate))
"""

RUN = """
    X, y = load_iris(return_X_y=True)
    model = skdeep.DeepClassifier(l2=None, max_epochs=20, tol=None, learning_rate=0.05, batch_size=32, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    grid = [
        {"deepclassifier__loss": ["cross_entropy", "skdeep-robust:generalized_cross_entropy", "mine", Scaled(scale=3.0)]},
        {"deepclassifier__network": ["own"], "deepclassifier__schedule": ["falling"], "deepclassifier__optimizer": ["belief"]},
    ]
    with parallel_config("loky", inner_max_num_threads=1):
        search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert scores.min() > 0.5, scores
    assert abs(scores[0] - scores[2]) < 0.02, scores  # the same loss, written twice
    serial = cross_val_score(pipeline.set_params(**search.best_params_), X, y, cv=3).mean()
    assert abs(serial - search.best_score_) < 1e-9, (serial, search.best_score_)
    skdeep.register("loss", "mine", replace=True)(lambda raw, target: -log_likelihood(raw, target))
    again = GridSearchCV(pipeline, {"deepclassifier__loss": ["mine"]}, cv=3, n_jobs=2, error_score="raise").fit(X, y)
    assert again.best_score_ < 0.3, again.best_score_  # the workers follow a name that was registered anew
    networks = [["twice", "relu"], Sequential((Residual(layers=("twice",)),))]
    parts = GridSearchCV(pipeline, {"deepclassifier__network": networks}, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    assert parts.best_score_ > 0.5, parts.best_score_
    assert registry.names("loss").count("local:mine") == 1
    print("searched")
"""


def test_search_in_two_loky_workers_over_names_of_all_origins(tmp_path):
    """In a script, whose `__main__` the workers cannot import: lambdas, classes, modules."""
    path = tmp_path / "notebook.py"
    path.write_text(SEARCH + "\nif __name__ == '__main__':\n" + RUN)
    command = [sys.executable, "-W", "error::UserWarning:skdeep", str(path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert child.stdout.strip() == "searched", child.stderr[-3000:]


def squared(raw, target):
    return ((raw - target) ** 2).mean(axis=1)


def names_in_registry():
    return {kind: registry.names(kind) for kind in discovery.GROUPS}


class Doubled(skdeep.Layer):
    factor: float = 2.0

    def build(self):
        import flax.linen as nn

        return nn.Sequential([lambda x: x * self.factor])


USES = {
    "a name": {"loss": "mine"},
    "a full name": {"loss": "local:mine"},
    "a list of layers": {"network": ["doubled", "relu"]},
    "a layer with options": {"network": [("doubled", {"factor": 3.0}), "relu"]},
    "a layer in a layer": {"network": [("residual", {"layers": ["doubled"]})]},
    "a field of a component": {"network": [Residual(layers=("doubled",))]},
    "a nested field": {"network": Sequential((Residual(layers=("doubled",)),))},
}


@pytest.mark.parametrize("params", USES.values(), ids=USES.keys())
def test_a_pickle_takes_the_names_that_parameters_use(params):
    skdeep.register("loss", "mine")(lambda raw, target: ((raw - target) ** 2).mean(axis=1))
    skdeep.register("layer", "doubled")(Doubled)
    skdeep.register("loss", "other")(lambda raw, target: 0 * raw)
    X = np.random.default_rng(0).normal(size=(12, 2))
    model = DeepRegressor(**params, max_epochs=2, tol=None, random_state=0)
    expected = model.fit(X, X[:, 0]).predict(X)
    data = cloudpickle.dumps(clone(model))
    assert b"other" not in data
    for kind, name in (("loss", "mine"), ("layer", "doubled"), ("loss", "other")):
        skdeep.unregister(kind, name)
    before = names_in_registry()
    again = pickle.loads(data)
    assert names_in_registry() == before
    assert repr(again) == repr(clone(model))
    for one in (again, clone(again), copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
        np.testing.assert_array_equal(one.fit(X, X[:, 0]).predict(X), expected)
    with pytest.raises(UnknownComponentError, match="Unknown"):
        clone(model).fit(X, X[:, 0])


def test_no_other_estimator_sees_a_name_that_came_with_a_pickle():
    skdeep.register("loss", "mine")(lambda raw, target: squared(raw, target))
    again = pickle.loads(cloudpickle.dumps(DeepRegressor(loss="mine")))
    skdeep.unregister("loss", "mine")
    assert registry.get("loss", again.loss)[0] == "local:mine"
    for loss in ("mine", str(again.loss)):
        with pytest.raises(UnknownComponentError, match="Unknown loss 'mine'"):
            registry.get("loss", loss)
    with pytest.raises(UnknownComponentError, match="Unknown layer 'mine'"):
        registry.get("layer", again.loss)


def test_a_name_keeps_its_meaning_there_and_here():
    def here(raw, target):
        return ((raw - target) ** 2).mean(axis=1)

    skdeep.register("loss", "mine")(lambda raw, target: "there")
    data = cloudpickle.dumps(DeepRegressor(loss="mine"))
    skdeep.register("loss", "mine", replace=True)(here)
    again = pickle.loads(data)
    assert registry.get("loss", "mine")[1] is here
    assert registry.get("loss", again.loss)[1](None, None) == "there"
    assert registry.get("loss", pickle.loads(data).loss)[1] is registry.get("loss", again.loss)[1]  # compiled once
    assert registry.get("loss", again.set_params(loss="mine").loss)[1] is here


def test_a_name_keeps_its_meaning_if_a_component_of_this_name_is_built_in_by_now():
    name = registry.CarriedName("adam", "optimizer", "mine")
    assert registry.get("optimizer", name) == ("local:adam", "mine")
    assert registry.full_id("optimizer", name) == "adam"


def test_own_objects_with_names_from_a_pickle_are_given_again(tmp_path):
    skdeep.register("layer", "doubled")(Doubled)

    class Wide(Sequential):
        pass

    def model():
        return DeepRegressor(network=Wide((Residual(layers=("doubled",)),)))

    again = pickle.loads(cloudpickle.dumps(model()))
    skdeep.save(again, tmp_path / "a")
    assert type(skdeep.load(tmp_path / "a", network=model().network)) is DeepRegressor


def test_a_name_with_the_same_object_here_is_not_made_anew():
    skdeep.register("loss", "mine")(squared)
    function = skdeep.register("loss", "local")(lambda raw, target: raw)
    for name, wanted in (("mine", squared), ("local", function)):
        again = pickle.loads(cloudpickle.dumps(DeepRegressor(loss=name)))
        assert registry.get("loss", again.loss)[1] is wanted


def test_a_model_with_a_name_from_a_pickle_is_saved_once_it_is_registered(tmp_path):
    class Mine(skdeep.Loss):
        tasks = ("regression",)

        def __call__(self, raw, target):
            return squared(raw, target)

    X = np.eye(4)
    skdeep.register("loss", "mine")(Mine)
    data = cloudpickle.dumps(DeepRegressor(loss="mine", max_epochs=1, tol=None).fit(X, X[:, 0]))
    skdeep.unregister("loss", "mine")
    again = pickle.loads(data)
    with pytest.raises(UnserializableParameterError, match="so loss_ = .* Use a registered component"):
        skdeep.save(again, tmp_path / "a")
    skdeep.register("loss", "mine")(type(again.loss_))
    skdeep.save(again, tmp_path / "a")
    loaded = skdeep.load(tmp_path / "a")
    assert type(loaded.loss) is str
    np.testing.assert_array_equal(loaded.predict(X), again.predict(X))


def test_a_worker_knows_all_names_of_its_parent(monkeypatch):
    """A candidate of a search names a component by a plain string, which cannot take an object along."""
    skdeep.register("loss", "mine")(lambda raw, target: raw)
    data = bytes(reduction.dumps(DeepRegressor()))
    skdeep.unregister("loss", "mine")
    pickle.loads(data)
    assert registry.registered_names("loss") == {}  # this process is no worker
    monkeypatch.setattr("multiprocessing.parent_process", object)
    assert type(pickle.loads(data)) is DeepRegressor
    assert registry.get("loss", "mine")[0] == "local:mine"


def test_subclasses_take_names_to_workers_too(monkeypatch):
    class Mine(DeepRegressor):
        pass

    skdeep.register("loss", "mine")(lambda raw, target: raw)
    data = bytes(reduction.dumps(Mine()))
    skdeep.unregister("loss", "mine")
    monkeypatch.setattr("multiprocessing.parent_process", object)
    pickle.loads(data)
    assert registry.get("loss", "mine")[0] == "local:mine"


def test_a_worker_follows_its_parent_but_keeps_what_it_registered_itself(monkeypatch):
    def own(raw, target):
        return raw

    skdeep.register("loss", "own")(own)
    first, second = (lambda raw, target: raw, lambda raw, target: 2 * raw)
    pickles = []
    for function in (first, second):
        skdeep.register("loss", "followed", replace=True)(function)
        skdeep.register("loss", "own", replace=True)(function)
        pickles.append(bytes(reduction.dumps(DeepRegressor())))
    skdeep.unregister("loss", "followed")
    skdeep.register("loss", "own", replace=True)(own)
    monkeypatch.setattr("multiprocessing.parent_process", object)
    for data, factor in zip(pickles, (1, 2), strict=True):
        pickle.loads(data)
        assert registry.get("loss", "followed")[1](3, None) == 3 * factor
        assert registry.get("loss", "own")[1] is own
    adopted = registry.get("loss", "followed")[1]
    pickle.loads(reduction.dumps(DeepRegressor()))  # as a search inside the worker would pickle it
    assert registry.get("loss", "followed")[1] is adopted
    again = pickle.loads(reduction.dumps(DeepRegressor(loss="followed")))
    assert registry.get("loss", again.loss)[1] is adopted


def locked():
    from threading import Lock

    def function(raw, target, lock=Lock()):  # noqa: B008
        return raw

    return skdeep.register("loss", "locked")(function)


REASON = "Unknown loss 'locked'.*It was registered in the process that {}, but it could not be pickled .*lock"


def test_a_lookup_tells_why_a_name_could_not_be_pickled():
    function = locked()
    data = cloudpickle.dumps(DeepRegressor(loss="locked"))
    assert registry.get("loss", pickle.loads(data).loss)[1] is function
    skdeep.unregister("loss", "locked")
    for again in (pickle.loads(data), pickle.loads(pickle.dumps(pickle.loads(data)))):
        with pytest.raises(UnknownComponentError, match=REASON.format("pickled the estimator")):
            again.fit([[0.0], [1.0]], [0.0, 1.0])


def test_a_worker_tells_why_a_name_could_not_be_pickled(monkeypatch):
    locked()
    skdeep.register("loss", "mine")(lambda raw, target: raw)
    data = bytes(reduction.dumps(DeepRegressor()))
    for name in ("mine", "locked"):
        skdeep.unregister("loss", name)
    monkeypatch.setattr("multiprocessing.parent_process", object)
    pickle.loads(data)
    assert registry.get("loss", "mine")[0] == "local:mine"
    with pytest.raises(UnknownComponentError, match=REASON.format("sent the estimator")):
        registry.get("loss", "locked")


def test_estimators_hash_alike_within_a_process():
    """joblib caches by hash."""
    skdeep.register("loss", "mine")(lambda raw, target: raw)
    assert joblib.hash(DeepClassifier(loss="mine")) == joblib.hash(DeepClassifier(loss="mine"))
    assert joblib.hash(DeepClassifier(loss="mine")) != joblib.hash(DeepClassifier())


def test_a_pickle_contains_no_names_that_the_estimator_does_not_use():
    before = pickle.dumps(DeepClassifier())
    skdeep.register("loss", "mine")(lambda raw, target: raw)
    assert pickle.dumps(DeepClassifier()) == before
    assert joblib.hash(DeepClassifier()) == joblib.hash(pickle.loads(before))


def test_a_state_runs_no_code():
    """skops stores states in files that may come from anybody. Names in pickles of their own are pickles, so they travel apart."""

    class Harmful:
        def __reduce__(self):
            return print, ("code was run",)

    skdeep.register("loss", "mine")(lambda raw, target: raw)
    state = DeepClassifier(loss="mine").__getstate__()
    assert state.keys() == DeepClassifier.__getstate__(DeepClassifier()).keys()
    assert type(state["loss"]) is str
    entries = {("loss", "other"): pickle.dumps(Harmful())}
    again = DeepClassifier()
    again.__setstate__({**state, "registered_components": Carried(entries, {})})
    assert registry.registered_names("loss").keys() == {"mine"}


PLUGIN = """
import flax.linen as nn
import jax.numpy as jnp
import skdeep

class Cubic(skdeep.Loss):
    scale: float = 1.0
    tasks = ("regression",)
    scaling = "standard"
    def __call__(self, raw, target):
        return (self.scale * jnp.abs(raw - target) ** 3).mean(axis=1)

def quartic(raw, target):
    return ((raw - target) ** 4).mean(axis=1)

class Half(skdeep.Layer):
    def build(self):
        return nn.Sequential([lambda x: x / 2])

class Plain(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x / 2

class Net(nn.Module):
    n_outputs: int | None = None
    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(x)
"""
ENTRIES = {
    "losses": "cubic = fake_acme:Cubic\nquartic = fake_acme:quartic",
    "layers": "half = fake_acme:Half",
    "networks": "net = fake_acme:Net",
}


MODELS = [
    "loss='cubic'",
    "loss='acme:quartic'",
    "network=['half']",
    "network=[fake_acme.Half()]",
    "network='net'",
    "network=[fake_acme.Plain()]",
]


def test_loading_a_model_without_its_plugin_names_the_package(forks, install, tmp_path):
    folder = install("acme", PLUGIN, version="1.3", **ENTRIES)
    fits = "\n".join(f"save({i}, DeepRegressor({model}, max_epochs=2, tol=None))" for i, model in enumerate(MODELS))
    source = f"""
import sys, pickle, numpy as np
sys.path.insert(0, {str(folder)!r})
import fake_acme
from skdeep import DeepRegressor
X = np.random.default_rng(0).normal(size=(20, 3))
def save(name, model):
    model.fit(X, X[:, 0])
    with open({str(tmp_path)!r} + f"/model{{name}}", "wb") as file:
        pickle.dump((model, X, model.predict(X)), file)
{fits}
"""
    child = forks.run(source)
    assert child.returncode == 0, child.stderr
    saved = [(tmp_path / f"model{i}").read_bytes() for i in range(len(MODELS))]
    for data in tuple(saved):
        model, X, prediction = pickle.loads(data)
        assert (model.predict(X) == prediction).all()
        saved.append(pickle.dumps(model))  # saved again after it was loaded
    sys.modules.pop("fake_acme")
    sys.path.remove(str(folder))
    message = (
        r"This model was saved with fake_acme\.\w+ of the package acme 1.3, which cannot be imported here: "
        r"No module named 'fake_acme'. Install acme \(version 1.3 was used\), then load the model again."
    )
    for data in saved:
        with pytest.raises(PluginLoadError, match=message) as caught:
            pickle.loads(data)
        assert isinstance(caught.value.__cause__, ModuleNotFoundError)


PACKAGE = """
import flax.linen as nn
import skdeep

class Scale(nn.Module):
    factor: float = 2.0
    @nn.compact
    def __call__(self, x):
        return x * self.factor

class Signs(skdeep.Optimizer):
    beta: float = 0.9
"""
OFFERS = {"layers": "scale = fake_{}:Scale", "optimizers": "signs = fake_{}:Signs"}
BY_NAME = {
    "a name": ({"optimizer": "signs"}, {"optimizer": "first:signs"}),
    "a list": ({"network": ["dense", "scale", "relu"]}, {"network": ["dense", "first:scale", "relu"]}),
    "options": (
        {"network": [("residual", {"layers": ["dense", ("scale", {"factor": 3.0})]})]},
        {"network": [("residual", {"layers": ["dense", ("first:scale", {"factor": 3.0})]})]},
    ),
    "built in": ({"optimizer": "adam", "loss": "auto"}, {"optimizer": "adam", "loss": "auto"}),
}


@pytest.mark.parametrize("case", BY_NAME.values(), ids=BY_NAME.keys())
def test_a_bare_name_keeps_its_package_in_an_unfitted_pickle(install, monkeypatch, case):
    given, full = case

    def offer(package):
        install(package, PACKAGE, **{group: entry.format(package) for group, entry in OFFERS.items()})
        discovery.refresh()

    before = list(sys.path)
    offer("first")
    data = pickle.dumps(DeepClassifier(**given))
    assert pickle.loads(data).get_params(deep=False) == DeepClassifier(**given).get_params(deep=False)
    offer("second")
    again = pickle.loads(data)
    assert {name: getattr(again, name) for name in full} == full
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p in before or p.endswith("second")])
    discovery.refresh()
    again = pickle.loads(data)
    assert {name: getattr(again, name) for name in full} == full
    if given != full:
        with pytest.raises(UnknownComponentError, match="The package 'first' is not installed. Install it."):
            again.fit([[0.0], [1.0]], [0, 1])
