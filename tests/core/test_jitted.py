"""JAX's function objects are copied by reference and pickled by name, in parameters of all kinds."""

from __future__ import annotations

import copy
import copyreg
import functools
import io
import pickle
import sys
import types

import cloudpickle
import flax.linen as nn
import jax
import jax.numpy as jnp
import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier
from skdeep.core import jitted
from skdeep.networks import MLP

X = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
y = np.arange(24) % 2

FUNCTIONS = {
    **{name: getattr(nn, name) for name in ("relu", "silu", "tanh", "elu", "softplus", "gelu", "leaky_relu", "selu")},
    "sin": jnp.sin,
    "maximum": jnp.maximum,
    "logsumexp": jax.nn.logsumexp,
}


@jax.jit
def own_jitted(x):
    return 2.0 * x


@jax.custom_vjp
def own_derivative(x):
    return 2.0 * x


own_derivative.defvjp(lambda x: (2.0 * x, None), lambda _, cotangent: (2.0 * cotangent,))


@pytest.mark.parametrize("function", [*FUNCTIONS.values(), own_jitted, own_derivative])
def test_a_copy_and_a_pickle_are_the_function_itself(function):
    assert copy.copy(function) is function
    assert copy.deepcopy(function) is function
    assert copy.deepcopy({"a": [function]})["a"][0] is function
    for dumps in (pickle.dumps, cloudpickle.dumps):
        assert pickle.loads(dumps(function)) is function
    assert joblib.hash(function) == joblib.hash(copy.deepcopy(function))


@pytest.mark.parametrize("function", [nn.relu, nn.silu, own_jitted], ids=["relu", "silu", "own"])
def test_a_copy_made_without_the_hooks_is_pickled_by_name(monkeypatch, function):
    with monkeypatch.context() as patch:
        for kind in jitted._KINDS:
            patch.delitem(copyreg.dispatch_table, kind)
        foreign = copy.deepcopy(function)
        assert foreign is not function
    assert pickle.loads(pickle.dumps(foreign)) is function


def test_a_function_that_is_not_found_by_name_is_pickled_by_value():
    """Such as a function of a notebook, which cloudpickle pickles by value."""
    scope = {"__name__": "__main__", "jax": jax}
    exec("factor = 3.0\n@jax.jit\ndef act(x):\n    return factor * x", scope)
    act = scope["act"]
    assert copy.deepcopy([act])[0] is act
    again = cloudpickle.loads(cloudpickle.dumps(act))
    assert again is not act
    assert float(again(2.0)) == 6.0


NOTEBOOK = """
@jax.jit
def jitted(x):
    return factor * x

@jax.custom_jvp
def with_derivative(x):
    return factor * x

@with_derivative.defjvp
def rule(primals, tangents):
    return with_derivative(primals[0]), 10 * tangents[0]

@jax.custom_vjp
def with_gradient(x):
    return factor * x

with_gradient.defvjp(lambda x: (with_gradient(x), None), lambda _, g: (10 * g,))
"""


@pytest.mark.parametrize(("name", "slope"), [("jitted", 3), ("with_derivative", 10), ("with_gradient", 10)])
@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_models_with_functions_of_a_notebook_are_pickled_by_value(monkeypatch, name, slope, dumps):
    """The functions are defined in `__main__`, which is another module in the other process."""
    scope = {"__name__": "__main__", "jax": jax, "factor": 3.0}
    exec(NOTEBOOK, scope)
    main = types.SimpleNamespace(**scope)
    monkeypatch.setitem(sys.modules, "__main__", main)
    model = DeepClassifier(network=["dense", scope[name]], **SMALL)
    data = dumps(model)
    assert pickle.loads(data).network[1] is scope[name]  # in this process it is found
    for there in ({}, {name: jax.jit(lambda x: -x)}):
        monkeypatch.setitem(sys.modules, "__main__", types.SimpleNamespace(**there))
        again = pickle.loads(data).network[1]
        assert float(again(2.0)) == 6.0
        assert float(jax.grad(again)(2.0)) == slope
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert pickle.loads(dumps(clone(model))).network[1] is scope[name]


class Net(nn.Module):
    act: object = nn.relu
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(self.act(nn.Dense(2)(x)))


class OwnNet(skdeep.Module):
    act: object = nn.relu
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(self.act(nn.Dense(2)(x)))


LEAKY = functools.partial(nn.leaky_relu, negative_slope=0.1)
SMALL = {"max_epochs": 1, "tol": None, "random_state": 0}
ESTIMATORS = {
    "in a list": DeepClassifier(network=["dense", nn.relu], **SMALL),
    "a partial in a list": DeepClassifier(network=["dense", LEAKY], **SMALL),
    "in a pair": DeepClassifier(network=["dense", ("activation", {"function": nn.silu})], **SMALL),
    "in lists in pairs": DeepClassifier(network=["dense", ("residual", {"layers": ["dense", nn.elu]})], **SMALL),
    "in a tuple": DeepClassifier(network=(("dense", {"features": 3}), nn.tanh), **SMALL),
    "in a component": DeepClassifier(network=MLP(widths=(2,), activation=nn.silu), **SMALL),
    "a partial in a component": DeepClassifier(network=MLP(widths=(2,), activation=LEAKY), **SMALL),
    "in a module": DeepClassifier(network=Net(nn.silu), **SMALL),
    "a partial in a module": DeepClassifier(network=Net(LEAKY), **SMALL),
    "in a module of Flax": DeepClassifier(network=nn.Sequential([nn.Dense(2), nn.relu, nn.Dense(1)]), **SMALL),
    "in a module of ours": DeepClassifier(network=OwnNet(LEAKY), **SMALL),
    "an augmentation": DeepClassifier(augmentation=functools.partial(nn.one_hot), **SMALL),
    "a loss": DeepRegressor(loss=own_jitted, **SMALL),
    "as activation": MLPClassifier(activation=nn.relu, max_iter=1),
    "a partial as activation": MLPClassifier(activation=LEAKY, max_iter=1),
    "beside dropout": MLPClassifier(activation=nn.silu, dropout=0.1, max_iter=1),
}


@pytest.mark.parametrize("place", ESTIMATORS)
def test_clones_and_pickles_have_the_same_hash(place):
    model = ESTIMATORS[place]
    twins = [clone(model), clone(clone(model)), copy.deepcopy(model)]
    for dumps in (pickle.dumps, cloudpickle.dumps):
        twins += [pickle.loads(dumps(twin)) for twin in twins[:2]]
    assert {joblib.hash(twin) for twin in twins} == {joblib.hash(model)}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "place",
    [
        "in a module",
        "as activation",
        *(pytest.param(name, marks=pytest.mark.campaign) for name in ("a partial in a list", "in a module of Flax")),
    ],
)  # the test above pickles all of them
def test_fitted_clones_can_be_saved_and_loaded(place, tmp_path):
    model = clone(ESTIMATORS[place]).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    assert_array_equal(joblib.load(tmp_path / "model").predict_proba(X), model.predict_proba(X))


def test_searches_over_cached_pipelines_can_be_saved_and_loaded(tmp_path):
    features = DeepAutoencoder(encoder=["dense", nn.relu], n_components=2, **SMALL)
    steps = [("features", features), ("classifier", ESTIMATORS["in a list"])]
    pipeline = Pipeline(steps, memory=joblib.Memory(tmp_path, verbose=0))
    search = GridSearchCV(pipeline, {"classifier__learning_rate": [0.1, 0.01]}, cv=2).fit(X, y)
    file = io.BytesIO()
    joblib.dump(search, file)
    file.seek(0)
    assert_array_equal(joblib.load(file).best_estimator_.predict_proba(X), search.predict_proba(X))
