"""A fit runs users' code as it is when fit is called, and equal code is traced once.

The modules multiply their inputs by 1, and after a change by 0. A dense layer of zeros predicts the same number for all
rows, so the tests of changes expect equal predictions.
"""

from __future__ import annotations

import array
import collections
import copy
import functools
import itertools
import logging
import random
import sys
import threading
import types
import weakref

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skdeep
from skdeep import DeepRegressor
from skdeep.core.fingerprint import fingerprint
from skdeep.core.programs import MAX_PROGRAMS
from skdeep.layers import Dense
from skdeep.layers.linen.function import Function
from skdeep.networks import FlaxNetwork, Sequential

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
y = X[:, 0]

# The cells of a notebook: functions and values that are defined, and later defined again.
WORLD = """
import types
import flax.linen as nn
import jax.numpy as jnp
import jax
from jax import lax

SCALE = 1.0
TABLE = {"scales": [1.0]}
library = types.ModuleType("library")
library.inner = types.SimpleNamespace(scale=lambda x: x * 1.0)

def scaled(x):
    return x * 1.0

def calls_another(x):
    return scaled(x)

@jax.jit
def jitted(x):
    return x * SCALE

@jax.custom_jvp
def with_derivative(x):
    return x * SCALE

@with_derivative.defjvp
def _(primals, tangents):
    return with_derivative(*primals), tangents[0] * SCALE

def one_row(carry, row):
    return carry, row * SCALE

def with_default(x, scale=1.0):
    return x * scale

def with_keyword(x, *, scale=1.0):
    return x * scale

def with_cell(scale):
    def function(x):
        return x * scale
    return function

in_cell = with_cell(1.0)

class Scaler:
    factor = 1.0
    def __init__(self):
        self.scale = 1.0
    def __call__(self, x):
        return x * self.scale
    def method(self, x):
        return x * 1.0
    @property
    def as_property(self):
        return self.factor

class Heir(Scaler):
    pass

scaler = Scaler()
heir = Heir()
"""

CHANGES = {
    "a called function": ("scaled(x)", "scaled = lambda x: x * 0.0"),
    "its code": ("scaled(x)", "scaled.__code__ = (lambda x: x * 0.0).__code__"),
    "a function that a called one calls": ("calls_another(x)", "scaled = lambda x: x * 0.0"),
    "a global": ("x * SCALE", "SCALE = 0.0"),
    "a global in a list in a dict": ("x * TABLE['scales'][0]", "TABLE['scales'][0] = 0.0"),
    "a global of a jitted function": ("jitted(x)", "SCALE = 0.0"),
    "a global of the body of a scan": ("lax.scan(one_row, 0.0, x)[1]", "SCALE = 0.0"),
    "a global of a function with a derivative": ("with_derivative(x)", "SCALE = 0.0"),
    "a closure cell": ("in_cell(x)", "in_cell.__closure__[0].cell_contents = 0.0"),
    "an attribute of a callable object": ("scaler(x)", "scaler.scale = 0.0"),
    "an attribute of a class": ("x * scaler.factor", "Scaler.factor = 0.0"),
    "an attribute read by a property": ("x * scaler.as_property", "Scaler.factor = 0.0"),
    "a default": ("with_default(x)", "with_default.__defaults__ = (0.0,)"),
    "a default of a keyword": ("with_keyword(x)", "with_keyword.__kwdefaults__['scale'] = 0.0"),
    "a patched method": ("scaler.method(x)", "Scaler.method = lambda self, x: x * 0.0"),
    "a patched method of a base": ("heir.method(x)", "Scaler.method = lambda self, x: x * 0.0"),
    "a method patched on the object": ("scaler.method(x)", "scaler.method = lambda x: x * 0.0"),
    "a function in a module": ("library.inner.scale(x)", "library.inner.scale = lambda x: x * 0.0"),
}


NET = """
class Net(nn.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)({})
"""


@pytest.fixture
def notebook(monkeypatch):
    """Return the globals of a module without a file, like those of a notebook."""
    module = types.ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", module)
    exec(WORLD, vars(module))
    return vars(module)


def fitted(network, max_epochs=1):
    params = {"max_epochs": max_epochs, "tol": None, "batch_size": 20, "random_state": 0}
    return DeepRegressor(network=network, **params).fit(X, y)


@pytest.mark.parametrize("case", CHANGES)
def test_what_a_module_uses_changes_its_fingerprint(case, notebook):
    expression, change = CHANGES[case]
    exec(NET.format(expression), notebook)
    network = FlaxNetwork(notebook["Net"]())
    before, again = fingerprint((network,)), fingerprint((network,))
    assert before.is_complete
    assert before == again
    exec(change, notebook)
    assert fingerprint((network,)) != before


FITTED = ("its code", "a global of the body of a scan", "a closure cell", "a patched method of a base")


@pytest.mark.parametrize(
    "case", [*FITTED, *(pytest.param(case, marks=pytest.mark.campaign) for case in CHANGES if case not in FITTED)]
)
def test_what_a_module_uses_is_changed(case, notebook):
    expression, change = CHANGES[case]
    exec(NET.format(expression), notebook)
    network = notebook["Net"]()
    model = fitted(network)
    assert np.ptp(model.predict(X)) > 0.01
    exec(change, notebook)
    assert np.ptp(model.predict(X)) == 0.0
    assert np.ptp(fitted(network).predict(X)) == 0.0


PLACES = {
    "a layer": lambda f: {"network": [f, Dense(1)]},
    "a partial": lambda f: {"network": [functools.partial(f), Dense(1)]},
    "a loss": lambda f: {"loss": lambda raw, target: jnp.sum(jnp.square(f(raw) - target), axis=1)},
    "a schedule": lambda f: {"schedule": f},
    "an augmentation": lambda f: {"augmentation": lambda key, x: f(x)},
    "an optimizer": lambda f: {"optimizer": lambda rate: optax.sgd(f(rate))},
}


@pytest.mark.parametrize("place", PLACES)
def test_a_change_of_a_function_is_seen_in_all_parameters(place, notebook):
    """Training with the changed function must equal training with a function that is defined like this."""
    params = {"max_epochs": 2, "tol": None, "batch_size": 20, "random_state": 0, "network": [Dense(1)]}
    params |= PLACES[place](notebook["with_default"])
    before = DeepRegressor(**params).fit(X, y).predict(X)
    notebook["with_default"].__defaults__ = (0.5,)
    changed = DeepRegressor(**params).fit(X, y).predict(X)
    exec("def with_default(x):\n    return x * 0.5", notebook)
    wanted = DeepRegressor(**params | PLACES[place](notebook["with_default"])).fit(X, y).predict(X)
    assert_array_equal(changed, wanted)
    assert np.abs(before - changed).max() > 1e-5


def test_initialisation_and_partial_fit_use_the_changed_code(notebook):
    exec(NET.format("x + self.param('start', lambda key: jnp.float32(SCALE))"), notebook)
    network = notebook["Net"]()
    start = fitted(network).params_["start"]
    notebook["SCALE"] = 7.0
    assert_allclose(fitted(network).params_["start"] - start, 6.0, atol=1e-3)
    exec(NET.format("jitted(x)"), notebook)
    model = DeepRegressor(network=notebook["Net"](), random_state=0).partial_fit(X, y)
    notebook["SCALE"] = 0.0
    kernel = model.params_["Dense_0"]["kernel"]
    assert_array_equal(model.set_params(optimizer="sgd").partial_fit(X, y).params_["Dense_0"]["kernel"], kernel)


@pytest.mark.parametrize(
    ("expression", "n_fits"), [("jitted(scaler(scaled(x)))", MAX_PROGRAMS + 16), ("x * SCALE", 10)]
)
def test_the_same_code_is_traced_once(expression, n_fits, notebook):
    """Also after more fits than there are places for programs."""
    exec(NET.format(expression), notebook)
    skdeep.clear_cache()
    for rate in np.linspace(0.001, 0.1, n_fits):
        DeepRegressor(network=notebook["Net"](), max_epochs=1, tol=None, learning_rate=rate).fit(X, y)
    assert skdeep.compile_counts()["train_block"] == (1, 1)
    exec(WORLD + NET.format(expression), notebook)  # run the cells again
    fitted(notebook["Net"]())
    assert skdeep.compile_counts()["train_block"].compiles == 2  # another batch size than above
    exec(WORLD + NET.format(expression), notebook)
    fitted(notebook["Net"]())
    assert skdeep.compile_counts()["train_block"].compiles == 2


def test_unreadable_code_is_traced_at_each_fit_and_compiled_once(notebook):
    exec("numbers = (0.0 * i for i in range(100))\n" + NET.format("x * (1.0 + 0.0 * next(numbers))"), notebook)
    skdeep.clear_cache()
    network = notebook["Net"]()
    fitted(network, max_epochs=3)
    first = skdeep.compile_counts()["train_block"]
    assert first == (1, 1)
    fitted(network, max_epochs=3)
    assert skdeep.compile_counts()["train_block"] == (2, 1)
    exec("numbers = (-1.0 for i in range(100))\n", notebook)
    exec(NET.format("jitted(x * (1.0 + next(numbers)))"), notebook)
    assert np.ptp(fitted(notebook["Net"]()).predict(X)) == 0.0


def constant(value):
    return lambda x: value


EQUAL = {
    "lists": lambda: [1, [2.5, "a"], None],
    "dicts": lambda: {"a": {1, 2}, "b": (3, frozenset("xyz"))},
    "arrays": lambda: np.arange(6.0).reshape(2, 3),
    "arrays of objects": lambda: np.array([1, "a"], dtype=object),
    "device arrays": lambda: jnp.arange(3),
    "keys": lambda: jax.random.key(3),
    "C objects": lambda: collections.deque([1, 2]),
    "generators of numbers": lambda: np.random.default_rng(3),
    "closures": lambda: constant(3),
    "jitted": lambda: copy.deepcopy(nn.silu),
    "locks": threading.Lock,
    "loggers": lambda: logging.getLogger("name"),
    "initialisers": lambda: nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
    "modules of Flax": lambda: nn.Dense(3),
}


@pytest.mark.parametrize("kind", EQUAL)
def test_equal_values_have_equal_fingerprints(kind):
    make = EQUAL[kind]
    one, other = make(), make()
    read = [fingerprint((FlaxNetwork(constant(value)),)) for value in (one, other)]
    assert read[0] == read[1]
    assert hash(read[0]) == hash(read[1])
    assert read[0].is_complete


DIFFERENT = {
    "whole numbers, flags, floats": [1, True, 1.0, np.float32(1), np.int32(1), 1 + 0j, "1"],
    "zeros": [0, False, 0.0, -0.0, None, "", (), [], {}],
    "arrays": [np.zeros(2), np.zeros(2, np.float32), np.zeros((1, 2)), np.array([0.0, 1.0]), jnp.zeros(2)],
    "order": [[1, 2], [2, 1], (1, 2), {1: 2}],
    "functions": [nn.relu, nn.tanh, nn.silu, nn.gelu, jnp.sin, np.sin, len, optax.adam, functools.partial(nn.gelu)],
    "objects": [nn.Dense(3), nn.Dense(3, use_bias=False), nn.Dense(4), nn.Conv(3, (3,)), types.SimpleNamespace(a=1)],
    "states": [np.random.default_rng(0), np.random.default_rng(1), collections.deque([1]), itertools.count(3)],
    "closures": list(map(constant, (1, 2, 1.0))),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_unequal_values_have_unequal_fingerprints(kind):
    read = [fingerprint((FlaxNetwork(constant(value)),)) for value in DIFFERENT[kind]]
    assert len(set(read)) == len(read)


def test_objects_that_refer_to_each_other():
    def even(n):
        return odd(n)

    def odd(n):
        return even(n)

    loop = []
    loop.append(loop)
    node = types.SimpleNamespace()
    node.self = node
    assert all(fingerprint((FlaxNetwork(constant(value)),)).is_complete for value in (even, loop, node))


class OwnDeque(collections.deque):
    pass


class OwnDict(dict):
    pass


class OwnSlots:
    __slots__ = ("a",)

    def __init__(self):
        self.a = 1


class Held:
    a = 1


def changes():
    """Return objects, several of classes written in C, each with a function that changes its content."""
    held = Held()
    return {
        "deque": (collections.deque([1.0]), lambda v: v.__setitem__(0, 2.0)),
        "ordered dict": (collections.OrderedDict(a=1), lambda v: v.__setitem__("a", 2)),
        "default dict": (collections.defaultdict(int, a=1), lambda v: v.__setitem__("a", 2)),
        "counter": (collections.Counter("aab"), lambda v: v.update("b")),
        "bytearray": (bytearray(b"a"), lambda v: v.__setitem__(0, 98)),
        "array": (array.array("d", [1.0]), lambda v: v.__setitem__(0, 2.0)),
        "table": (pd.DataFrame({"s": [1.0]}), lambda v: v.__setitem__("s", [2.0])),
        "series": (pd.Series([1.0, 2.0]), lambda v: v.__setitem__(0, 3.0)),
        "random": (random.Random(0), lambda v: v.seed(1)),
        "generator": (np.random.default_rng(0), lambda v: v.random()),
        "namespace": (types.SimpleNamespace(a=1), lambda v: setattr(v, "a", 2)),
        "reference": (weakref.ref(held), lambda v: setattr(v(), "a", 2)),
        "own deque": (OwnDeque([1.0]), lambda v: v.__setitem__(0, 2.0)),
        "attribute of an own deque": (OwnDeque([1.0]), lambda v: setattr(v, "a", 2.0)),
        "own dict": (OwnDict(a=1), lambda v: v.__setitem__("a", 2)),
        "slots": (OwnSlots(), lambda v: setattr(v, "a", 2)),
        "keeps": (held, lambda v: None),
    }


@pytest.mark.parametrize("kind", [kind for kind in changes() if kind != "keeps"])
def test_a_changed_object_has_another_fingerprint(kind):
    kept = changes()  # keep the objects alive, for the weak reference
    value, change = kept[kind]
    network = FlaxNetwork(constant(value))
    before, again = fingerprint((network,)), fingerprint((network,))
    assert before.is_complete
    assert before == again
    change(value)
    after = fingerprint((network,))
    assert after.is_complete
    assert after != before


UNREADABLE = {"generator": (i for i in range(3)), "too much": list(map(float, range(30_000)))}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_fingerprints_of_unreadable_values_are_incomplete(kind):
    assert not fingerprint((FlaxNetwork(constant(UNREADABLE[kind])),)).is_complete


@pytest.mark.parametrize(
    "network", [Sequential((Dense(3), Dense(2))), Sequential((Dense(3, kernel_init="he_normal"),))]
)
def test_code_of_installed_packages_is_not_read(network):
    assert len(fingerprint((network,)).atoms) < 30


def test_1_and_True_and_1_0_are_different_structure():
    """The type of the field decides the factor of the input."""

    class Typed(skdeep.Layer):
        value: object = 1

        def build(self):
            name = type(self.value).__name__
            return Function(lambda x: x * {"int": 1.0, "bool": 2.0, "float": 3.0}[name])

    found = [
        DeepRegressor(network=[Typed(value), Dense(1)], max_epochs=1, tol=None, random_state=0)
        .fit(X, y)
        .predict(X)
        .std()
        for value in (1, True, 1.0)
    ]
    assert len(set(found)) == 3
