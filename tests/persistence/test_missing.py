"""Files of models trained with packages that are not available: they predict, and say what is missing when they are fitted."""

import copy
import pickle
import sys
import tracemalloc

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.utils import estimator_html_repr

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, TabularClassifier, discovery
from skdeep.errors import CorruptModelError, MissingComponentError, ModelFileError
from skdeep.networks import MLP
from skdeep.optimizers import Adam
from skdeep.persistence.container import from_bytes, to_bytes
from skdeep.persistence.lookup import MOST_MISSING
from skdeep.persistence.model import dumped, loaded

pytestmark = [
    pytest.mark.usefixtures("fresh_registry"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = np.where(X[:, 0] > 0, "yes", "no")
SHORT = {"max_epochs": 2, "tol": None, "random_state": 0}
SMALL = {"network": MLP(widths=(4,)), **SHORT}

PACKAGE = """
import jax.numpy as jnp
import optax
import skdeep
from skdeep.losses import CrossEntropy, SquaredError

class Belief(skdeep.Optimizer):
    b1: float = 0.9
    table: tuple[int, ...] = ()
    def transformation(self, learning_rate):
        return optax.adabelief(learning_rate, b1=self.b1)

class Halved(skdeep.Schedule):
    floor: float = 0.5
    def __call__(self, progress):
        return jnp.maximum(1 - progress, self.floor)

class Darker(skdeep.Augmentation):
    factor: float = 0.9
    def __call__(self, key, x):
        return x * self.factor

class Cubic(SquaredError):
    pass

class Net(skdeep.Network):
    def build(self, in_shape, n_outputs):
        from skdeep.networks import MLP
        return MLP((4,)).build(in_shape, n_outputs)

class Mistakes(CrossEntropy):
    pass
"""
ENTRIES = {
    "optimizers": "belief = fake_acme:Belief",
    "schedules": "halved = fake_acme:Halved",
    "augmentations": "darker = fake_acme:Darker",
    "losses": "cubic = fake_acme:Cubic\nmistakes = fake_acme:Mistakes",
    "networks": "net = fake_acme:Net",
}


def given(name, **fields):
    """Return a function that makes a component of the package, which can be imported only inside a test."""
    return lambda: getattr(sys.modules["fake_acme"], name)(**fields)


# What prediction does not need: an estimator, the parameter, and its value.
FOR_TRAINING = {
    "a name": (lambda: DeepClassifier(optimizer="belief", **SMALL), "optimizer"),
    "a full name": (lambda: DeepClassifier(optimizer="acme:belief", **SMALL), "optimizer"),
    "a component": (lambda: DeepClassifier(optimizer=given("Belief", b1=0.5)(), **SMALL), "optimizer"),
    "a class": (lambda: DeepRegressor(schedule=given("Halved")(), **SMALL), "schedule"),
    "a list": (lambda: DeepClassifier(augmentation=["gaussian_noise", "darker"], **SMALL), "augmentation"),
    "a loss that scores": (
        lambda: DeepClassifier(scoring=given("Mistakes")(), early_stopping=True, **SMALL),
        "scoring",
    ),
    "members": (lambda: DeepClassifier(optimizer="belief", n_estimators=2, **SMALL), "optimizer"),
    "perceptron": (lambda: MLPClassifier((4,), solver="belief", max_iter=2), "solver"),
    "autoencoder": (lambda: DeepAutoencoder(n_components=2, optimizer="belief", **SHORT), "optimizer"),
    "table": (lambda: TabularClassifier(schedule="halved", preset="fast", **SHORT), "schedule"),
}


@pytest.fixture
def acme(install, monkeypatch):
    """Return a function that removes the package "acme" again; it is there at first."""
    folder = install("acme", PACKAGE, version="1.3", **ENTRIES)
    discovery.refresh()
    import fake_acme  # noqa: F401

    def remove():
        sys.modules.pop("fake_acme")
        monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(folder)])
        discovery.refresh()

    return remove


def fitted(model):
    return model.fit(X, X[:, 0]) if isinstance(model, DeepRegressor) else model.fit(X, Y)


def method_of(model):
    return next(name for name in ("predict_proba", "predict", "transform") if hasattr(model, name))


@pytest.mark.parametrize("name", FOR_TRAINING)
@pytest.mark.parametrize("plugins", ["installed", "builtin"])
def test_a_model_predicts_without_the_package_of_its_training(acme, name, plugins):
    make, parameter = FOR_TRAINING[name]
    model = fitted(make())
    data = dumped(model)
    expected = getattr(model, method_of(model))(X)
    if plugins == "installed":
        acme()
        cure = "The package 'acme' is not installed. Install it."
    else:
        cure = r"which plugins='builtin' excludes. Give plugins=\['acme'\] if you trust that package."
    again = loaded(data, {}, plugins)
    if plugins == "builtin":
        assert dumped(loaded(data, {}, ["acme"])) == data
    same = [again, pickle.loads(pickle.dumps(again)), copy.deepcopy(again), loaded(dumped(again), {}, plugins)]
    same.append(skops.io.loads(skops.io.dumps(again), trusted=skdeep.trusted_types()))
    for one in same:
        np.testing.assert_array_equal(getattr(one, method_of(model))(X), expected)
        assert dumped(one) == data  # nothing is lost
    for one in (again, clone(again)):
        with pytest.raises(MissingComponentError, match=f"its {parameter} is not available for training. .*{cure}"):
            fitted(one)
        assert repr(one).startswith(type(one).__name__)
        assert f"{parameter}=Missing(" in repr(one).replace("\n", "")
        assert "acme" in estimator_html_repr(one)
        assert one.get_params()[parameter] is getattr(again, parameter)
    np.testing.assert_array_equal(getattr(again, method_of(model))(X), expected)
    replaced = clone(again).set_params(**{parameter: clone(type(model)()).get_params()[parameter]})
    fitted(replaced)


def test_a_model_goes_on_with_another_optimizer(acme):
    model = DeepClassifier(optimizer="belief", **SMALL).partial_fit(X, Y, classes=["no", "yes"])
    data = dumped(model)
    acme()
    again = loaded(data, {}, "installed")
    with pytest.raises(MissingComponentError, match="its optimizer is not available for training"):
        again.partial_fit(X, Y)
    assert dumped(again) == data
    again.set_params(optimizer="adam").partial_fit(X, Y)
    assert again.n_iter_ == 2
    assert again.optimizer_ == Adam()
    assert b"acme" not in dumped(again)


def test_a_model_goes_on_as_before_when_the_package_is_back(acme):
    model = DeepClassifier(optimizer="belief", **SMALL).partial_fit(X, Y, classes=["no", "yes"])
    again = loaded(dumped(loaded(dumped(model), {}, "builtin")), {}, "installed")
    for one in (model, again):
        one.partial_fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.optimizer == "belief"


def test_fields_of_a_missing_component_are_set_later(acme):
    data = dumped(fitted(DeepClassifier(optimizer="belief", **SMALL)))
    model = loaded(data, {}, "builtin").set_params(optimizer__b1=0.5)
    with pytest.raises(MissingComponentError, match="its optimizer is not available"):
        model.fit(X, Y)
    assert model.get_params()["optimizer__b1"] == 0.5
    again = loaded(dumped(model), {}, "installed").fit(X, Y)
    assert again.optimizer_.b1 == 0.5


def test_an_estimator_that_is_not_fitted(acme):
    data = dumped(DeepClassifier(optimizer="belief", schedule="halved"))
    acme()
    again = loaded(data, {}, "installed")
    assert dumped(again) == data
    with pytest.raises(MissingComponentError, match="its optimizer is .*'acme:belief'"):
        again.fit(X, Y)


@pytest.mark.parametrize("name", ["adam", "skdeep-flax:adam", "local:mine", "mine", "unknown"])
def test_other_names_stay(name):
    skdeep.register("optimizer", "mine")(Adam)
    model = DeepClassifier(optimizer=name)
    again = loaded(dumped(model), {}, "installed")
    assert again.optimizer == name
    assert dumped(again) == dumped(model)


@pytest.mark.parametrize("params", [{"network": "net"}, {"loss": "cubic"}])
def test_network_and_loss_are_needed(acme, params):
    data = dumped(DeepRegressor(**{**SMALL, **params}).fit(X, X[:, 0]))
    with pytest.raises(MissingComponentError, match="which plugins='builtin' excludes"):
        loaded(data, {}, "builtin")
    acme()
    with pytest.raises(MissingComponentError, match="The package 'acme' is not installed. Install it."):
        loaded(data, {}, "installed")


def test_a_registered_name_of_another_process_is_missing_too():
    @skdeep.register("schedule", "mine")
    class Mine(skdeep.Schedule):
        def __call__(self, progress):
            return 1 - progress

    model = DeepClassifier(schedule=Mine(), **SMALL).fit(X, Y)
    data = dumped(model)
    skdeep.unregister("schedule", "mine")
    again = loaded(data, {}, "builtin")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    with pytest.raises(MissingComponentError, match=r"@skdeep.register\('schedule', 'mine'\)"):
        again.fit(X, Y)


# Hostile files.


def changed(change):
    model = DeepClassifier(**SMALL).partial_fit(X, Y, classes=["no", "yes"])
    manifest, arrays = from_bytes(dumped(model))
    change(manifest["estimator"])
    return to_bytes({"own": {}, "estimator": manifest["estimator"]}, arrays)


def nowhere(**fields):
    return {"$component": ["optimizer", "nowhere:x"], "fields": fields}


HOSTILE = {
    "an array that is not there": {"$array": "nothing"},
    "an array that another value has": {"$array": "params_/Dense_0/bias"},
    "an array whose name is a list": {"$array": ["params_/Dense_0/bias"]},
    "a component without a kind": {"$component": "nowhere:x"},
    "a component of three parts": {"$component": ["optimizer", "nowhere:x", "y"], "fields": {}},
    "a class of a number": {"$registered": [1, 2]},
    "an object of the user": {"$own": ["network"]},
    "an estimator": {"$estimator": {}},
    "a random state": {"$random_state": []},
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("is_first", [True, False])
def test_data_of_missing_components_is_checked(name, is_first):
    parts = {"a": HOSTILE[name], "b": nowhere()} if is_first else {"b": nowhere(), "a": HOSTILE[name]}
    with pytest.raises(ModelFileError):
        loaded(changed(lambda node: node["params"].update(optimizer=nowhere(**parts))), {}, "installed")


def test_values_of_missing_components_are_data():
    odd = nowhere(a={"$record": "Popen", "fields": {}}, b={"$code": "1"})
    model = loaded(changed(lambda node: node["params"].update(optimizer=odd)), {}, "installed")
    assert model.optimizer.node == odd
    with pytest.raises(MissingComponentError, match="'nowhere:x'.*The package 'nowhere' is not installed"):
        model.fit(X, Y)


def test_the_number_of_missing_components_is_bounded():
    """Each look-up of a missing one reads the metadata of all installed packages."""
    members = [
        {"class": "DeepClassifier", "params": {"optimizer": {"$component": ["optimizer", f"a{i}:b"]}}, "fitted": {}}
        for i in range(5_000)
    ]
    data = changed(lambda node: node["fitted"].update(estimators_=[{"$estimator": part} for part in members]))
    tracemalloc.start()
    with pytest.raises(CorruptModelError, match=f"more than {MOST_MISSING} components that are not available"):
        loaded(data, {}, "installed")
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 100 * 2**20
