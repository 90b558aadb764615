"""Model files with objects of the user, which are given again, and with registered components, which are looked up."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from sklearn.frozen import FrozenEstimator

import skdeep
from skdeep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    TabularClassifier,
)
from skdeep.errors import (
    MissingComponentError,
    ModelMismatchError,
)
from skdeep.layers import Dense
from skdeep.networks import MLP
from skdeep.persistence.model import dumped, loaded

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4))
Y = np.where(X[:, 0] > 0, "yes", "no")
SHORT = {"max_epochs": 2, "tol": None, "random_state": 0}
SMALL = {"network": MLP(widths=(5,)), **SHORT}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # after two epochs


def autoencoder(**params):
    return DeepAutoencoder(n_components=2, **SHORT, **params).fit(X)


def check_same(model, again):
    assert type(again) is type(model)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(again, method)(X), getattr(model, method)(X))


class Net(skdeep.Module):
    width: int = 6
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(self.n_outputs)(nn.relu(nn.Dense(self.width)(x)))


class Factory(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.output = nnx.Linear(in_shape[0], n_outputs, rngs=rngs)

    def __call__(self, x):
        return self.output(x)


class Scaled(skdeep.Loss):
    scale: float = 1.0
    tasks = ("regression",)

    def __call__(self, raw, target):
        return jnp.mean((raw - target) ** 2, axis=1) / self.scale


def squared(raw, target):
    return jnp.mean((raw - target) ** 2, axis=1)


def bent(x):
    return jnp.tanh(x)


def scorer(estimator, rows, target):
    return estimator.score(rows, target)


OWN = {
    "module": (lambda: DeepClassifier(network=Net(), **SHORT), {"network": lambda: Net()}),
    "module with NumPy's numbers": (
        lambda: DeepClassifier(network=Net(np.int64(5)), **SHORT),
        {"network": lambda: Net(5)},
    ),
    "NNX": (lambda: DeepClassifier(network=Factory, **SHORT), {"network": lambda: Factory}),
    "loss": (lambda: DeepRegressor(loss=Scaled(2.0), **SMALL), {"loss": lambda: Scaled(2.0)}),
    "function": (lambda: DeepRegressor(loss=squared, **SMALL), {"loss": lambda: squared}),
    "function in a list of layers": (
        lambda: DeepClassifier(network=["relu", ("residual", {"layers": [Dense(4), bent]})], **SHORT),
        {"network": lambda: ["relu", ("residual", {"layers": [Dense(4), bent]})]},
    ),
    "optimizer and schedule": (
        lambda: DeepClassifier(optimizer=optax.adam, schedule=jnp.cos, **SMALL),
        {"optimizer": lambda: optax.adam, "schedule": lambda: jnp.cos},
    ),
    "scorer": (lambda: DeepClassifier(early_stopping=True, scoring=scorer, **SMALL), {"scoring": lambda: scorer}),
    "members": (lambda: DeepClassifier(network=Net(), n_estimators=2, **SHORT), {"network": lambda: Net()}),
    "preset": (lambda: TabularClassifier(network=Net(), **SHORT), {"network": lambda: Net()}),
    "pretrained": (
        lambda: DeepClassifier(pretrain=FrozenEstimator(autoencoder(encoder=Net())), **SHORT),
        {"pretrain__encoder": lambda: Net()},
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_objects_of_the_user_are_given_again(name, tmp_path):
    make, own = OWN[name]
    model = make()
    model.fit(X, X[:, 0] if isinstance(model, DeepRegressor) else Y)
    path = tmp_path / "a"
    skdeep.save(model, path)
    assert skdeep.inspect(path).own.keys() == own.keys()
    with pytest.raises(MissingComponentError, match=rf"is an object of your own: .*load\(path, {min(own)}=\.\.\.\)"):
        skdeep.load(path)
    again = skdeep.load(path, **{name: make() for name, make in own.items()})
    check_same(model, again)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"network": Net(7)}, r"The file's network is Net\(width=6\), but that given to load\(\) has width=7"),
        ({"network": Factory}, r"The file's network is Net, but load\(\) got Factory"),
    ],
)
def test_other_objects_are_refused(own, message):
    data = dumped(DeepClassifier(network=Net(), **SHORT).fit(X, Y))
    with pytest.raises(ModelMismatchError, match=message):
        loaded(data, own, "builtin")


def test_an_object_with_other_shapes_is_refused():
    class Other(skdeep.Module):
        width: int = 6
        n_outputs: int | None = None

        @nn.compact
        def __call__(self, x, train: bool):
            return nn.Dense(self.n_outputs)(nn.Dense(9)(x))

    Other.__qualname__ = "Net"
    data = dumped(DeepClassifier(network=Net(), **SHORT).fit(X, Y))
    with pytest.raises(ModelMismatchError, match=r"has the shape \(6, 1\) in the file, but \(9, 1\) in the network"):
        loaded(data, {"network": Other()}, "builtin")


class Powers(skdeep.Module):
    powers: tuple = (1.0, 2.0)
    function: Callable = nn.relu
    scale: float = 1.0
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(self.n_outputs)(self.function(nn.Dense(3)(x)) * self.powers[0] * self.scale)


@pytest.mark.parametrize(
    "other", [{"powers": (1.0, 3.0)}, {"function": nn.tanh}, {"scale": float("nan")}, {"scale": np.float32(2)}]
)
def test_objects_with_other_fields_of_any_kind_are_refused(other):
    model = DeepClassifier(network=Powers(), **SHORT).fit(X, Y)
    with pytest.raises(ModelMismatchError, match=f"but that given to load\\(\\) has {min(other)}="):
        loaded(dumped(model), {"network": Powers(**other)}, "builtin")
    check_same(model, loaded(dumped(model), {"network": Powers()}, "builtin"))


def test_registered_modules_are_stored_by_the_fields_that_are_not_defaults(fresh_registry):
    skdeep.register("network", "powers", Powers)
    model = DeepClassifier(network="powers", **SHORT).fit(X, Y)
    check_same(model, loaded(dumped(model), {}, "builtin"))


def test_an_object_that_the_file_does_not_ask_for():
    with pytest.raises(
        TypeError, match=r"load\(\) got loss=, but the file holds all of this parameter. It asks for: nothing"
    ):
        loaded(dumped(DeepClassifier()), {"loss": squared}, "builtin")


def test_a_file_reaches_no_attribute_of_an_object():
    from skdeep.persistence.own import Given

    DESCRIBED = {"width": 6, "n_outputs": None}
    given = Given({"network": Net()}, {"network": [{"place": [], "name": "Net", "fields": DESCRIBED}]})
    for place in (["network", "__class__"], ["network", "width"], ["network", "__init__", "__globals__"]):
        with pytest.raises(ModelMismatchError, match="has another form"):
            given.at(place)
    given = Given({"loss": Scaled()}, {"loss": [{"place": [], "name": "Scaled", "fields": {"scale": 1.0}}]})
    assert given.at(["loss", "scale"]) == 1.0
    with pytest.raises(ModelMismatchError, match="has another form"):
        given.at(["loss", "__class__"])


# Registered components.


def test_names_of_this_process(fresh_registry):
    skdeep.register("loss", "squared_here", squared)
    skdeep.register("loss", "scaled_here", Scaled)
    for name in ("squared_here", "scaled_here"):
        data = dumped(DeepRegressor(loss=name, **SMALL).fit(X, X[:, 0]))
        check_same(loaded(data, {}, "builtin"), loaded(data, {}, "builtin"))
        skdeep.unregister("loss", name)
        with pytest.raises(
            MissingComponentError,
            match=rf"needs the loss '{name}', which is neither built in nor registered.*Register it",
        ):
            loaded(data, {}, "builtin")


def test_components_of_plugins():
    name = "skdeep-robust:tweedie"
    data = dumped(DeepRegressor(loss=name, **SMALL).fit(X, np.abs(X[:, 0])))
    for plugins in ("installed", ["skdeep-robust"], ["Skdeep_Robust", "other"]):
        assert loaded(data, {}, plugins).loss == name
    for plugins in ("builtin", ["other"], []):
        with pytest.raises(
            MissingComponentError, match=r"which plugins=.* excludes. Give plugins=\['skdeep-robust'\] if you trust"
        ):
            loaded(data, {}, plugins)
    for bare in ({"loss": "tweedie"}, {"network": ["relu", ("residual", {"layers": ["skdeep-kan:kan"]})]}):
        with pytest.raises(MissingComponentError, match="excludes"):
            loaded(dumped(DeepRegressor(**bare)), {}, "builtin")
    unfitted = dumped(DeepRegressor(loss=name))
    with pytest.raises(MissingComponentError, match="excludes"):
        loaded(unfitted, {}, "builtin")


def test_an_unknown_policy():
    with pytest.raises(
        ValueError, match="plugins must be 'builtin', 'installed' or a list of distributions. Got 'all'"
    ):
        loaded(dumped(DeepClassifier()), {}, "all")
