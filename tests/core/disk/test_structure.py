"""The structure of arguments is written by content, and only if it contains no code of users or plugins."""

from __future__ import annotations

import functools
import math
import operator
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import skdeep
from skdeep.core.disk.structure import ForeignCodeError, written_structure
from skdeep.core.fingerprint import fingerprint
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
    ids=repr,
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
