"""Components: which fields are traced, pytrees, copies, pickles, changes, and the messages of misuse."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Optional

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import clone

from skdeep import layers, losses, networks, optimizers, schedules, static
from skdeep.component import Component, check_structure, components_in, is_data, lists_to_tuples
from skdeep.layers import Activation, Dense, Dropout, Residual
from skdeep.networks import Sequential
from skdeep.optimizers import AdamW


class Inner(Component):
    rate: float = 0.5
    width: int = 3


class Outer(Component):
    level: float
    inner: Inner = Inner()
    parts: tuple[Inner, ...] = ()
    name: str = "a"
    optional: float | None = None
    levels: float | tuple[float, ...] = (0.1, 0.2)
    is_on: bool = False
    fixed: float = static(2.0)
    function: Callable[[Any], Any] | None = None

    shared: ClassVar[int] = 3

    @property
    def doubled(self):
        return 2 * self.level

    @classmethod
    def make(cls):
        return cls(1.0)

    @staticmethod
    def one():
        return 1


class Derived(Outer):
    more: float = 9.0
    shared = 4


def test_leaves_are_the_floats_in_the_order_of_the_fields():
    outer = Outer(1.0, Inner(2.0), (Inner(3.0), Inner(4.0)), optional=5.0, levels=(6.0, 7.0))
    assert jax.tree.leaves(outer) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert jax.tree.leaves(Derived(1.0)) == [1.0, 0.5, 0.1, 0.2, 9.0]


def test_leaves_have_the_names_of_the_fields():
    paths, _ = zip(*jax.tree_util.tree_flatten_with_path(Outer(1.0, parts=(Inner(),)))[0], strict=True)
    assert [jax.tree_util.keystr(path) for path in paths] == [
        ".level",
        ".inner.rate",
        ".parts[0].rate",
        ".levels[0]",
        ".levels[1]",
    ]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (float, True),
        (float | None, True),
        (Optional[float], True),  # noqa: UP045
        (tuple[float, ...], True),
        (tuple[float, float], True),
        (float | tuple[float, ...], True),
        (float | tuple[float, ...] | None, True),
        (Inner, True),
        (Inner | None, True),
        (tuple[Inner, ...], True),
        (tuple[Inner | None, ...], True),
        (int, False),
        (bool, False),
        (str, False),
        (int | float, False),
        (float | str, False),
        (tuple[int, ...], False),
        (tuple[float, int], False),
        (tuple, False),
        (list[float], False),
        (Callable[[float], float], False),
        (Any, False),
        (object, False),
        (np.ndarray, False),
    ],
)
def test_is_data(annotation, expected):
    assert is_data(annotation) is expected


STRUCTURE = [{"name": "b"}, {"is_on": True}, {"fixed": 3.0}, {"inner__width": 4}, {"function": abs}, {"optional": 1.0}]


@pytest.mark.parametrize("changes", STRUCTURE)
def test_structure_is_in_the_tree(changes):
    outer = Outer(1.0)
    assert jax.tree.structure(outer.replace(**changes)) != jax.tree.structure(outer)


@pytest.mark.parametrize("changes", [{"level": 2.0}, {"inner__rate": 0.1}, {"levels": (3.0, 4.0)}])
def test_data_is_not_in_the_tree(changes):
    outer = Outer(1.0)
    assert jax.tree.structure(outer.replace(**changes)) == jax.tree.structure(outer)


class First(Component):
    rate: float = 0.5

    def __call__(self):
        return jnp.asarray(self.rate)


class Second(Component):
    rate: float = 0.5

    def __call__(self):
        return -jnp.asarray(self.rate)


@pytest.mark.parametrize(
    ("first", "second"),
    [(First(), Second()), *itertools.pairwise([losses.Poisson(), losses.SquaredError(), losses.Hinge()])],
)
def test_classes_with_the_same_fields_are_different_trees(first, second):
    """Or `jax.jit` may run the program of one class for an object of the other."""
    assert first != second
    assert jax.tree.structure(first) != jax.tree.structure(second)
    assert jax.tree.structure((1, [first])) != jax.tree.structure((1, [second]))


def test_round_trip_with_tracers():
    outer = Outer(1.0, Inner(2.0), (Inner(3.0),), function=abs)

    @jax.jit
    def double(component):
        assert isinstance(component.level, jax.core.Tracer)
        assert component.inner.width == 3
        assert component.function is abs
        return jax.tree.map(lambda leaf: 2 * leaf, component)

    doubled = double(outer)
    assert doubled == outer.replace(level=2.0, inner__rate=4.0, parts=(Inner(6.0),), levels=doubled.levels)
    np.testing.assert_allclose(doubled.levels, (0.2, 0.4), rtol=1e-6)


def test_one_trace_for_all_values_and_one_more_for_another_structure():
    n_traces = []

    @jax.jit
    def level(component):
        n_traces.append(1)
        return component.level * component.inner.rate

    values = [level(Outer(a, Inner(b))) for a, b in ((1.0, 2.0), (3.0, 4.0))]
    assert values == [2.0, 12.0]
    assert len(n_traces) == 1
    level(Outer(1.0, Inner(2.0, width=4)))
    assert len(n_traces) == 2


def test_trees_of_objects_that_are_no_numbers():
    """JAX puts anything in the leaves; `None` stands for no leaf."""
    leaves, tree = jax.tree.flatten(Outer(1.0))
    assert jax.tree.unflatten(tree, ["x"] * len(leaves)).level == "x"
    assert jax.tree.map(lambda _: None, Outer(1.0)).inner.rate is None


def make_class(**members):
    return type("Made", (Component,), {"__module__": __name__, **members})


def test_annotation_that_cannot_be_resolved_counts_as_structure():
    made = make_class(__annotations__={"a": "NotImported", "b": "float", "c": "Inner"}, a=1, b=2.0, c=Inner())
    assert jax.tree.leaves(made()) == [2.0, 0.5]


def test_field_without_annotation_is_refused():
    message = "The field 'b' of Made has no annotation.*Write 'b: float = 2.0', or annotate it as ClassVar."
    with pytest.raises(TypeError, match=message):
        make_class(__annotations__={"a": float}, a=1.0, b=2.0)


@pytest.mark.parametrize(
    "member", [lambda self: 1, property(lambda self: 1), classmethod(lambda cls: 1), staticmethod(abs), Inner, type]
)
def test_methods_and_classes_need_no_annotation(member):
    assert make_class(member=member)().get_params() == {}


def test_class_variables_of_a_base_need_no_annotation():
    assert Derived.shared == 4
    assert Outer.shared == 3
    assert "shared" not in Derived(1.0).get_params()


@pytest.mark.parametrize(
    ("decorate", "message"),
    [
        (dataclasses.dataclass, "Decorated is decorated with @dataclass, .* Remove the decorator."),
        (
            dataclasses.dataclass(frozen=True),
            "Cannot overwrite attribute __setattr__ in class Decorated",
        ),  # Python's own
    ],
)
def test_second_dataclass_decorator_is_refused(decorate, message):
    class Decorated(Component):
        rate: float = 1.0

    with pytest.raises(TypeError, match=message):
        decorate(Decorated)


def test_classes_that_cannot_be_imported_come_back_from_another_process():
    """cloudpickle sends such a class by value, and fills it again where it came from."""

    class Local(Component):
        rate: float = 1.0
        depth: int = 3

    script = "import sys, cloudpickle; sys.stdout.buffer.write(cloudpickle.dumps(cloudpickle.load(sys.stdin.buffer).replace(rate=2.0)))"
    data = cloudpickle.dumps(Local())
    back = subprocess.run([sys.executable, "-c", script], input=data, stdout=subprocess.PIPE, check=True, timeout=120)
    again = cloudpickle.loads(back.stdout)
    assert type(again) is Local
    assert again == Local(rate=2.0)
    assert jax.tree.leaves(again) == [2.0]


def test_instances_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Inner().rate = 1.0


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, clone])
def test_copies_are_the_object_itself(copier):
    outer = Outer(1.0, function=lambda x: x)
    assert copier(outer) is outer


EVERY_DEFAULT = [
    getattr(module, name)()
    for module in (losses, optimizers, schedules, layers, networks)
    for name in module.__all__
    if isinstance(getattr(module, name), type)
    and all(f.default is not dataclasses.MISSING for f in dataclasses.fields(getattr(module, name)))
]


@pytest.mark.parametrize("component", [Outer(1.0, function=abs), *EVERY_DEFAULT])
def test_pickle_round_trip(component):
    again = pickle.loads(pickle.dumps(component))
    assert again == component
    assert hash(again) == hash(component)
    assert jax.tree.structure(again) == jax.tree.structure(component)


@pytest.mark.parametrize("component", EVERY_DEFAULT)
def test_repr_makes_the_component_again(component):
    names = {**vars(layers), type(component).__name__: type(component)}
    assert eval(repr(component), names) == component


def test_get_params():
    outer = Outer(1.0, parts=(Inner(),))
    shallow = {f.name: getattr(outer, f.name) for f in dataclasses.fields(outer)}
    assert outer.get_params(deep=False) == shallow
    assert outer.get_params() == shallow | {"inner__rate": 0.5, "inner__width": 3}


def test_replace():
    outer = Outer(1.0)
    assert outer.replace() == outer
    assert outer.replace(level=2.0, name="b") == Outer(2.0, name="b")
    assert outer.replace(inner__rate=0.1, inner__width=7) == Outer(1.0, Inner(0.1, 7))
    assert outer.replace(inner=Inner(width=5), inner__rate=0.1) == Outer(1.0, Inner(0.1, 5))
    assert outer == Outer(1.0)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        (
            AdamW(),
            {"weight_deacy": 0.1},
            "Invalid field 'weight_deacy' for AdamW. Did you mean 'weight_decay'? "
            "Its fields are: b1, b2, eps, weight_decay.",
        ),
        (AdamW(), {"zzz": 1}, "Invalid field 'zzz' for AdamW. Its fields are: b1, b2, eps, weight_decay."),
        (losses.Hinge(), {"margin": 1}, "Invalid field 'margin' for Hinge. It has no fields."),
        (Outer(1.0), {"inner__rat": 1}, "Invalid field 'rat' for Inner. Did you mean 'rate'?"),
        (Outer(1.0), {"innr__rate": 1}, "Invalid field 'innr' for Outer. Did you mean 'inner'?"),
        (Outer(1.0), {"level__rate": 1}, "The field 'level' of Outer is 1.0: it has no fields to set."),
    ],
)
def test_replace_of_an_unknown_field(component, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        component.replace(**changes)


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (Outer(1.0, levels=[0.1, 0.2]), Outer(1.0, levels=(0.1, 0.2))),
        (Sequential([Dense(3), Dropout(0.1)]), Sequential((Dense(3), Dropout(0.1)))),
        (Sequential((Residual([Dense(3)]),)), Sequential((Residual((Dense(3),)),))),
        (networks.MLP(widths=[3, 4]), networks.MLP(widths=(3, 4))),
        (networks.MLP(widths=[[3], [4]]), networks.MLP(widths=((3,), (4,)))),
        (Outer(1.0), Outer(1.0)),
    ],
)
def test_lists_to_tuples(component, expected):
    assert lists_to_tuples(component) == expected


@pytest.mark.parametrize("component", [Outer(1.0), Outer(np.ones(2)), *EVERY_DEFAULT])
def test_check_structure_accepts(component):
    check_structure(component)


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (Outer(1.0, name=np.ones(2)), "The field 'name' of Outer must be hashable, .* Got ndarray instead."),
        (Outer(1.0, name={"a": 1}), "The field 'name' of Outer must be hashable, .* Got dict instead."),
        (Outer(1.0, fixed=np.ones(2)), "The field 'fixed' of Outer must be hashable, .* Got ndarray instead."),
        (Outer(1.0, Inner(width=[3])), "The field 'width' of Inner must be hashable, .* Got list instead."),
        (Outer(1.0, parts=(Inner(), Inner(width={}))), "The field 'width' of Inner must be hashable"),
        (Sequential((Residual((Activation({}),)),)), "The field 'function' of Activation must be hashable"),
    ],
    ids=["array", "dict", "static", "inside", "in a tuple", "deep inside"],
)
def test_check_structure_names_the_field(component, message):
    with pytest.raises(TypeError, match=message):
        check_structure(component)


def test_components_in_goes_depth_first():
    dense, relu, dropout = Dense(3), Activation("relu"), Dropout(0.1)
    residual = Residual((dense, relu))
    network = Sequential((residual, dropout))
    assert list(components_in(network)) == [network, residual, dense, relu, dropout]
    assert list(components_in(Inner())) == [Inner()]
