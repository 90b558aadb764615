"""The structure of arguments is written by content, and only if it contains no code of users or plugins."""

from __future__ import annotations

import enum
import functools
import importlib
import itertools
import math
import operator
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import define_prng_impl

import skdeep
from skdeep.core import random
from skdeep.core.content import digest_of
from skdeep.core.disk import structure as structure_file
from skdeep.core.disk.structure import ForeignCodeError, written_structure
from skdeep.core.fingerprint import _Reader, atoms_of, fingerprint
from skdeep.layers import Activation, Dense
from skdeep.layers.activation import ACTIVATIONS
from skdeep.losses import CrossEntropy, Huber
from skdeep.networks import MLP, Sequential
from skdeep.optimizers import Adam, AdamW
from skdeep.records import InputSpec, Task


def structure(value):
    return b"".join(written_structure(len, jax.tree.structure(value)))


def activated(function):
    return Sequential((Dense(4), Activation(function)))


DISTINCT = [
    (1, 2),
    [1, 2],
    {"a": 1, "b": 2},
    {"a": 1, "c": 2},
    (1, None),
    (1, (2,)),
    Huber(),
    CrossEntropy(),
    Adam(),
    AdamW(),
    MLP(widths=(2,)),
    MLP(widths=(3,)),
    MLP(widths=(2, 3)),
    MLP(widths=(2,), activation="tanh"),
    MLP(widths=(2,), normalization="batch"),
    Task("binary", 1),
    Task("multiclass", 1),
    Task("multiclass", 2),
    (Huber(), Huber()),
    *[activated(function) for function in (jnp.tanh, jax.nn.relu, jax.nn.sigmoid, jax.nn.softplus, math.sqrt)],
    *[
        activated(function)
        for function in (ACTIVATIONS["identity"], functools.partial(jax.nn.leaky_relu, negative_slope=0.1))
    ],
    activated(functools.partial(jax.nn.leaky_relu, negative_slope=0.2)),
]


def test_different_structures_are_written_differently():
    found = []
    for value in DISTINCT:
        try:
            found.append(structure(value))
        except ForeignCodeError:
            continue  # its program is looked up by its text
    assert len(found) >= len(DISTINCT) - 5
    assert len(set(found)) == len(found)


def test_traced_numbers_are_not_part_of_the_structure():
    assert structure(Huber(delta=1.0)) == structure(Huber(delta=2.0))
    assert structure((1.0, np.ones(3))) == structure((2, 4))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (InputSpec((3,)), InputSpec((4,))),
        (InputSpec((3,)), InputSpec((3,), "int32")),
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        (np.float32(1), np.float64(1)),
        (np.int32(1), np.int64(1)),
        (np.arange(3), np.arange(3.0)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (frozenset({1, 2}), frozenset({1})),
        ((frozenset({1, 2}), frozenset()), (frozenset({1}), frozenset({2}))),
        ("1", 1),
        (b"1", "1"),
        (np.dtype("float32"), np.dtype("float64")),
        (np.float32, np.float64),
        (jnp.float32, jnp.bfloat16),
        (math.sin, math.cos),
        (operator.add, operator.sub),
        (range(2), range(3)),
        (slice(1), slice(2)),
    ],
)
def test_static_values(first, second):
    assert static(first) != static(second)
    assert static(first) == static(first)


def static(value):
    """Return the written form of a value in a structure field."""
    return b"".join(written_structure(functools.partial(len, value), jax.tree.structure(None)))


class OwnLoss(skdeep.Loss):
    def __call__(self, raw, target):
        return raw


def own_function(x):
    return x


@pytest.mark.parametrize(
    "value",
    [
        OwnLoss(),
        activated(own_function),
        activated(lambda x: x),
        activated(functools.partial(own_function)),
        activated(jax.jit(own_function)),
        activated(jax.checkpoint(own_function)),
        (CrossEntropy(), (OwnLoss(),)),
    ],
)
def test_code_of_users_is_foreign(value):
    with pytest.raises(ForeignCodeError):
        structure(value)


def test_programs_of_users_are_foreign():
    for function in (own_function, lambda x: x, functools.partial(own_function)):
        with pytest.raises(ForeignCodeError):
            written_structure(function, jax.tree.structure(1))


def test_installed_code_of_other_packages_is_foreign():
    for function in (pytest.approx, functools.partial(pytest.approx)):
        with pytest.raises(ForeignCodeError):
            structure(activated(function))


def test_a_class_that_pretends_to_be_builtin_is_foreign():
    class Fake:
        __module__ = "builtins"

    class Renamed:
        __module__ = "skdeep.losses"
        __qualname__ = "Huber"

    assert "skdeep.losses" in sys.modules
    for cls in (Fake, Renamed):
        with pytest.raises(ForeignCodeError):
            structure(activated(cls))


def test_code_made_at_run_time_in_the_namespace_of_a_package_is_read():
    made = [eval(f"lambda x: {code}", dict(vars(jnp))) for code in ("x * 2", "x ** 3")]
    constants = [eval("lambda x: c * x", {**vars(jnp), "c": c}) for c in (1, 2)]
    for pair in (made, constants):
        for function in pair:
            function.__name__ = function.__qualname__ = "_lambdifygenerated"
        found = [fingerprint([activated(function)]) for function in pair]
        assert found[0] != found[1]


def test_nested_tuples_are_told_apart():
    def function(*values):
        return values

    values = [
        functools.partial(function, (1, 2)),
        functools.partial(function, (1,), 2),
        functools.partial(function, 1, ("k", 2)),
        functools.partial(function, 1, k=2),
    ]
    assert len({fingerprint([activated(value)]) for value in values}) == 4


def is_foreign(value):
    try:
        static(value)
    except ForeignCodeError:
        return True
    return False


def with_method(base, factor):
    """Return a member of an enum class, of which only the code of a method depends on the factor."""

    class Scale(*base, enum.Enum):
        ONE = base[0](1) if base else 1

        def times(self, x):
            return factor * x

        @property
        def twice(self):
            return 2 * factor

    return Scale.ONE


@pytest.mark.parametrize("base", [(), (str,), (int,)], ids=str)
def test_members_of_enums_count_with_the_code_of_their_class(base):
    """Members of two classes are equal if they are also equal strings."""
    one, same, other = with_method(base, 2), with_method(base, 2), with_method(base, 3)
    assert is_foreign(one)
    assert atoms_of(one) != atoms_of(other)
    assert digest_of(atoms_of(one)) != digest_of(atoms_of(other))
    assert digest_of(atoms_of(one)) == digest_of(atoms_of(same))


def test_members_of_enums_of_other_packages_are_foreign(monkeypatch):
    """Such a class is found by its name, and its member is a string."""
    packages = []
    for name in ("one", "other"):
        package = types.ModuleType(name)
        package.__file__ = pytest.__file__  # a folder of installed packages
        monkeypatch.setitem(sys.modules, name, package)
        exec("import enum\nclass Mode(str, enum.Enum):\n    A = 'a'", vars(package))
        packages.append(package)
    one, other = (package.Mode.A for package in packages)
    assert one == other
    assert is_foreign(one)
    assert atoms_of(one) != atoms_of(other)
    assert digest_of(atoms_of(one)) != digest_of(atoms_of(other))


INSIDE = {
    "a field": lambda code: (Activation(code),),
    "a component in a tuple": lambda code: functools.partial(len, (Dense(3), Activation(code))),
    "a partial": lambda code: functools.partial(len, Activation(code)),
    "a dict": lambda code: functools.partial(len, {"a": Activation(code)}),
    "a network": lambda code: functools.partial(len, activated(code)),
}


@pytest.mark.parametrize("place", INSIDE)
def test_code_in_components_in_fields_is_read(place, monkeypatch):
    """A pickled component names its functions, but a name does not tell two versions of a function."""
    module = types.ModuleType("own_module")
    monkeypatch.setitem(sys.modules, "own_module", module)
    found = []
    for factor in (2, 2, 3):
        exec(f"def scaled(x):\n    return {factor} * x", vars(module))
        value = INSIDE[place](module.scaled)
        assert is_foreign(value)
        found.append(digest_of(atoms_of(value)))
    assert found[0] == found[1] != found[2]
    assert not is_foreign(INSIDE[place](jnp.tanh))


def test_numbers_of_components_in_fields_are_read():
    assert static(Huber(delta=1.0)) != static(Huber(delta=2.0))


@pytest.mark.parametrize("name", ["statistics", "colorsys", "optax", "ml_dtypes"])
def test_modules_of_users_with_the_name_of_known_ones_are_foreign(name, monkeypatch, tmp_path):
    (tmp_path / f"{name}.py").write_text(
        "from jax.numpy import tanh\ndef own(x):\n    return x\nclass Own:\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, name, None)  # restored afterwards
    del sys.modules[name]
    structure_file._folder_of.cache_clear()
    module = importlib.import_module(name)
    assert module.__file__ == str(tmp_path / f"{name}.py")
    for value in (module, module.own, module.Own):
        assert is_foreign(value)
    assert not is_foreign(module.tanh)
    structure_file._folder_of.cache_clear()


def test_installed_modules_with_the_name_of_known_ones_are_foreign(monkeypatch):
    """A file in the folder of packages is no file of Python or of Optax only because of its module's name."""
    for name in ("statistics", "optax.own", "_ctypes"):  # the last is in C, and in a file in all builds of Python
        module = types.ModuleType(name)
        module.__file__ = pytest.__file__
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile("def own(x):\n    return x\nclass Own:\n    pass", pytest.__file__, "exec"), vars(module))
        for value in (module, module.own, module.Own):
            assert is_foreign(value)


def test_a_function_that_takes_the_name_of_a_known_one_is_foreign(monkeypatch):
    """`functools.wraps` copies the name and the module, and code without a closure is not read."""
    module = types.ModuleType("package")
    module.__file__ = pytest.__file__
    monkeypatch.setitem(sys.modules, "package", module)
    source = "import functools, operator\n@functools.wraps(operator.attrgetter)\ndef own(x):\n    return x"
    exec(compile(source, pytest.__file__, "exec"), vars(module))
    module.own.__module__, module.own.__qualname__ = "jax.numpy", "tanh"
    assert is_foreign(module.own)


def test_functions_of_one_code_in_two_modules_are_told_apart(monkeypatch):
    """Equal code uses the globals of its own module."""
    found = []
    for name in ("one", "other"):
        module = types.ModuleType(name)
        module.__file__ = pytest.__file__
        monkeypatch.setitem(sys.modules, name, module)
        source = "def make(k):\n    def inner(x):\n        return helper(x, k)\n    return inner"
        exec(compile(source, pytest.__file__, "exec"), vars(module))
        found.append(module.make(1))
    assert fingerprint([activated(found[0])]) != fingerprint([activated(found[1])])
    assert digest_of(atoms_of(found[0])) != digest_of(atoms_of(found[1]))


def test_functions_in_c_of_other_packages_are_foreign():
    from safetensors import _safetensors_rust

    assert isinstance(_safetensors_rust.serialize, types.BuiltinFunctionType)
    for function in (_safetensors_rust.serialize, functools.partial(_safetensors_rust.serialize, 1)):
        assert is_foreign(function)
    for function in (len, math.sqrt, [1].append, str.upper, np.add, jnp.add, jnp.maximum):
        assert not is_foreign(function)


def test_jitted_functions_with_settings_of_their_own_are_foreign():
    for function in (
        jax.jit(jnp.tanh, inline=True),
        jax.jit(jnp.sum, static_argnames="axis"),
        jnp.frompyfunc(max, 2, 1),
    ):
        assert is_foreign(function)


def test_generators_of_random_keys_of_users_are_foreign():
    functions = {name: getattr(random.PRNG._impl, name) for name in ("seed", "split", "random_bits", "fold_in")}
    functions["seed"] = lambda seed: jnp.zeros(2, jnp.uint32)
    impl = define_prng_impl(key_shape=(2,), name="of the test", tag="pcg", **functions)
    users = [jax.random.wrap_key_data(np.zeros(2, np.uint32), impl=impl).dtype]
    with pytest.raises(ForeignCodeError):
        written_structure(len, jax.tree.structure(1), users)
    dtypes = [*(jax.random.key(0, impl=impl).dtype for impl in ("threefry2x32", "rbg", "unsafe_rbg")), np.dtype("f4")]
    written = [written_structure(len, jax.tree.structure(1), [dtype]) for dtype in dtypes]
    assert all(one != other for one, other in itertools.combinations(written, 2))


def test_later_references_to_items_of_a_set_do_not_depend_on_its_order():
    """The order of a set of strings differs between processes; lists stand for two orders of one set."""

    def read(items, later):
        reader = _Reader()
        reader.read_set(items)
        reader.read(later)
        return reader.atoms

    one, other = ("a", "b"), ("c", "d")
    assert read([one, other], one) == read([other, one], one)
    assert read([one, other], one) != read([other, one], other)
