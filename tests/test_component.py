"""Components: traced fields, pytrees, copies, pickles, `replace`, and error messages."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import numbers
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Final, NewType, Optional

import cloudpickle
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.base import clone

from skdeep import layers, losses, networks, optimizers, schedules, static
from skdeep.component import Component, check_structure, components_in, is_data
from skdeep.errors import InvalidFieldError
from skdeep.layers import Activation, Dense, Dropout, Residual
from skdeep.networks import Sequential
from skdeep.optimizers import AdamW

Rate = NewType("Rate", float)


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
        (int | float, True),
        (float | int | None, True),
        (float | np.ndarray, True),
        (list[float], True),
        (Sequence[float], True),
        (list[Inner], True),
        (Annotated[float, "positive"], True),
        (Annotated[float | None, "positive"], True),
        (Final[float], True),
        (Rate, True),
        (tuple[Rate, ...], True),
        (np.float32, True),
        (np.float64, True),
        (np.floating, True),
        (jnp.float32, True),
        (numbers.Real, True),
        (float | str, False),
        (tuple[int, ...], False),
        (tuple[float, int], False),
        (tuple, False),
        (np.int64, False),
        (Annotated[int, "positive"], False),
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
    """Otherwise `jax.jit` could run the program of one class for an object of the other."""
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
    """JAX may put any object into the leaves, or `None`, which is no leaf."""
    leaves, tree = jax.tree.flatten(Outer(1.0))
    assert jax.tree.unflatten(tree, ["x"] * len(leaves)).level == "x"
    assert jax.tree.map(lambda _: None, Outer(1.0)).inner.rate is None


def make_class(**members):
    return type("Made", (Component,), {"__module__": __name__, **members})


QUOTED = [
    "float",
    "'float'",
    "Annotated['float', 1]",
    "list['Rate']",
    "Optional[float]",
    "Final[float]",
    "Inner",
    "np.float32",
]


@pytest.mark.parametrize("annotation", QUOTED)
def test_quoted_annotations_are_evaluated(annotation):
    value = Inner() if annotation == "Inner" else (2.0,) if "list" in annotation else 2.0
    made = make_class(__annotations__={"a": annotation}, a=value)
    assert jax.tree.leaves(made()) == ([0.5] if annotation == "Inner" else [2.0])


def test_quoted_annotations_may_use_names_around_the_class():
    Share = NewType("Share", float)

    class Local(Component):
        share: Share = 0.5

    assert jax.tree.leaves(Local()) == [0.5]
    assert Local(Share(0.25)).share == 0.25


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("NotImported", r"'a' of Made cannot be evaluated \(NameError.*NotImported.*skdeep.static"),
        ("float[", r"'a' of Made cannot be evaluated \(SyntaxError"),
        ("np.no_such_type", r"'a' of Made cannot be evaluated \(AttributeError"),
        (float | str, r"'a' of Made is annotated float \| str, .* Annotate it float.*skdeep.static"),
        (tuple[float, int], "'a' of Made is annotated"),
        (dict[str, float], "'a' of Made is annotated"),
        (Inner | str, "'a' of Made is annotated"),
        ("Final", "'a' of Made is annotated Final"),
    ],
)
def test_annotations_that_say_neither_data_nor_structure_are_refused(annotation, message):
    with pytest.raises(InvalidFieldError, match=message):
        make_class(__annotations__={"a": annotation}, a=1.0)
    made = make_class(__annotations__={"a": annotation}, a=static(1.0))
    assert jax.tree.leaves(made()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("replace", "must not have a field 'replace': it is the name of a method of Component. Choose another name."),
        ("get_params", "of a method of Component"),
        ("check_fields", "of a method of Component"),
        ("kind", "of a class variable of Component"),
        ("plugin_api", "of a class variable of Component"),
        ("a__b", "must not have a field 'a__b': '__' separates the names in a path such as optimizer__b1."),
        ("doubled", "of a method of Outer"),
    ],
)
def test_reserved_field_names_are_refused(name, message):
    with pytest.raises(InvalidFieldError, match=re.escape(message)):
        type("Made", (Outer,), {"__module__": __name__, "__annotations__": {name: int}, name: 1})


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"scaling": "standardize"},
            r"The 'scaling' class variable of Made must be one of \['none', 'standard', 'mean'\]. Got 'standardize'",
        ),
        ({"domain": "positive"}, "'domain' class variable of Made must be one of"),
        (
            {"tasks": ("regression")},
            r"'tasks' class variable of Made must be a tuple .* Got 'regression' .* Write tasks = \('regression',\).",
        ),
        ({"tasks": ("regresion",)}, "'tasks' class variable of Made must be a tuple of one of"),
        ({"probabilistic": "yes"}, "'probabilistic' class variable of Made must be a bool. Got 'yes'"),
    ],
)
def test_class_variables_of_a_loss_are_checked(members, message):
    with pytest.raises(InvalidFieldError, match=message):
        type("Made", (losses.SquaredError,), {"__module__": __name__, **members})


def test_class_variables_are_stored_as_their_annotation_says():
    made = type("Made", (losses.SquaredError,), {"__module__": __name__, "tasks": ["regression"], "has_std": 1})
    assert made.tasks == ("regression",)
    assert made.has_std is True


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


def test_classes_that_cannot_be_imported_return_from_another_process():
    """cloudpickle pickles such a class by value, and sets its attributes again when it returns to its process."""

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


def test_fields_without_default_have_none_after_another_process():
    """`dataclasses.MISSING` says that a field has no default; pickle makes a copy of it."""

    class Local(Component):
        rate: float
        depth: int = 3

    again = cloudpickle.loads(cloudpickle.dumps(Local))
    assert again is Local
    elsewhere = "import sys, cloudpickle; cls = cloudpickle.load(sys.stdin.buffer)\n"
    elsewhere += "Derived = type('Derived', (cls,), {'__module__': '__main__'})\n"
    elsewhere += "for made in (cls, Derived):\n"
    elsewhere += "    try: made()\n    except TypeError as err: print(err)\n"
    elsewhere += "    print(made(2.0).depth, made._data_fields)\n"
    out = subprocess.run(
        [sys.executable, "-c", elsewhere],
        input=cloudpickle.dumps(Local),
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    ).stdout.decode()
    assert out.count("missing 1 required positional argument: 'rate'") == 2
    assert out.count("3 ('rate',)") == 2

    class Derived(Local):
        more: float = 1.0

    for cls in (Local, Derived):
        assert dataclasses.fields(cls)[0].default is dataclasses.MISSING
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'rate'"):
            cls()


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
    names = {**vars(networks), **vars(layers), type(component).__name__: type(component)}
    assert eval(repr(component), names) == component


def test_get_params():
    outer = Outer(1.0, parts=(Inner(),))
    shallow = {f.name: getattr(outer, f.name) for f in dataclasses.fields(outer)}
    assert outer.get_params(deep=False) == shallow
    inside = {"inner__rate": 0.5, "inner__width": 3}
    assert outer.get_params() == shallow | inside | {
        "parts__0": Inner(),
        "parts__0__rate": 0.5,
        "parts__0__width": 3,
    }


def test_replace():
    outer = Outer(1.0)
    assert outer.replace() == outer
    assert outer.replace(level=2.0, name="b") == Outer(2.0, name="b")
    assert outer.replace(inner__rate=0.1, inner__width=7) == Outer(1.0, Inner(0.1, 7))
    assert outer.replace(inner=Inner(width=5), inner__rate=0.1) == Outer(1.0, Inner(0.1, 5))
    assert outer == Outer(1.0)


def test_replace_reaches_into_tuples():
    outer = Outer(1.0, parts=(Inner(), Inner(2.0)))
    assert outer.replace(parts__1__rate=3.0).parts == (Inner(), Inner(3.0))
    assert outer.replace(parts__0=Inner(4.0), parts__0__width=5).parts == (Inner(4.0, 5), Inner(2.0))
    assert outer.replace(parts=[Inner(6.0)], parts__0__width=7).parts == (Inner(6.0, 7),)
    assert outer.replace(**outer.get_params()) == outer
    network = Sequential((Residual((Dense(3), Activation("relu"))),))
    assert network.replace(layers__0__layers__0__features=4).layers[0].layers[0] == Dense(4)


def test_names_in_fields_stand_for_components():
    network = Sequential(("dense", Dense(3)))
    assert network.replace(layers__0__features=4, layers__1__features=5).layers == (Dense(4), Dense(5))
    assert network.replace(layers__1="dropout", layers__1__rate=0.1).layers[1] == Dropout(0.1)


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
        (Outer(1.0), {"level__rate": 1}, "Outer.level is 1.0, which has no fields to set."),
        (
            Outer(1.0, parts=(Inner(),)),
            {"parts__1__rate": 1},
            "Outer.parts holds 1 components, but '1' is not a position of one.",
        ),
        (
            Outer(1.0, parts=(Inner(),)),
            {"parts__rate": 1},
            "Outer.parts holds 1 components, but 'rate' is not a position",
        ),
        (Outer(1.0, parts=(Inner(),)), {"parts__0__rat": 1}, "Invalid field 'rat' for Inner. Did you mean 'rate'?"),
    ],
)
def test_replace_of_an_unknown_field(component, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        component.replace(**changes)


class Kinds(Component):
    number: float = 0.5
    count: int = 1
    is_on: bool = False
    name: str = "a"
    counts: tuple[int, ...] = (1,)
    size: int | tuple[int, ...] = 3
    levels: float | tuple[float, ...] = 0.5
    anything: Any = None
    fixed: float = static(2.0)


PLAIN = [
    ("count", np.int64(8), 8),
    ("count", np.array(8), 8),
    ("count", jnp.int32(8), 8),
    ("counts", np.arange(4, 6), (4, 5)),
    ("counts", [np.int8(4), np.uint32(5)], (4, 5)),
    ("counts", range(2), (0, 1)),
    ("size", np.int64(2), 2),
    ("size", [2, np.int16(3)], (2, 3)),
    ("is_on", np.bool_(True), True),
    ("is_on", 1, True),
    ("name", np.str_("b"), "b"),
    ("number", np.float32(0.25), 0.25),
    ("number", np.array(0.25), 0.25),
    ("number", np.int64(2), 2),
    ("levels", np.array([0.25, 0.5]), (0.25, 0.5)),
    ("levels", [np.float32(0.25)], (0.25,)),
    ("fixed", 1, 1.0),
    ("anything", [[np.int64(3)], np.float64(4)], ((3,), 4.0)),
]


@pytest.mark.parametrize(("name", "given", "stored"), PLAIN)
def test_fields_hold_plain_values(name, given, stored):
    """NumPy scalars become Python's, so that both have equal structure, hash and pickle."""
    for component in (
        Kinds(**{name: given}),
        Kinds().replace(**{name: given}),
        dataclasses.replace(Kinds(), **{name: given}),
    ):
        assert repr(getattr(component, name)) == repr(stored)
        assert pickle.dumps(component) == pickle.dumps(Kinds(**{name: stored}))
        assert jax.tree.structure(component) == jax.tree.structure(Kinds(**{name: stored}))


def test_fields_of_modules_hold_plain_values():
    network = networks.FlaxNetwork(nn.Dense(np.int64(3), use_bias=np.bool_(False)))
    assert (type(network.module.features), network.module.use_bias) == (int, False)
    assert type(network.replace(features=np.int32(4)).module.features) is int
    inner = layers.ModuleLayer(nn.Sequential([nn.Dense(np.int64(2)), nn.relu])).module.layers
    assert type(inner) is tuple
    assert type(inner[0].features) is int


def test_a_list_is_not_shared_by_copies():
    widths = [3, 4]
    network = networks.MLP(widths=widths)
    widths.append(5)
    assert network.widths == clone(network).widths == (3, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: networks.MLP(64, 32),
            "MLP(widths=...) takes a tuple of ints. Got 64, 32 as separate arguments instead. Write MLP((64, 32)).",
        ),
        (lambda: networks.MLP(1, 2, 3, 4, 5, 6, 7), "MLP(widths=...) takes a tuple of ints."),
        (lambda: Sequential(Dense(), Dense()), "Sequential(layers=...) takes a tuple of layers."),
        (lambda: networks.MLP(64), "Got 64 instead. MLP(widths=...) takes a tuple: write (64,)."),
        (
            lambda: networks.MLP(widths="64"),
            "'widths' field of MLP must be a tuple of positive ints. Got '64' instead.",
        ),
        (lambda: Kinds(number="x"), "The 'number' field of Kinds must be a number. Got 'x' instead."),
        (lambda: Kinds(number=None), "The 'number' field of Kinds must be a number. Got None instead."),
        (lambda: Kinds(count=True), "The 'count' field of Kinds must be an int. Got True instead."),
        (lambda: Kinds(count=np.float64(8)), "The 'count' field of Kinds must be an int. Got 8.0 instead."),
        (lambda: Kinds(is_on=2), "The 'is_on' field of Kinds must be a bool. Got 2 instead."),
        (lambda: Kinds(name=3), "The 'name' field of Kinds must be a string. Got 3 instead."),
        (
            lambda: Kinds(levels="x"),
            "The 'levels' field of Kinds must be a number or a tuple of numbers. Got 'x' instead.",
        ),
        (lambda: Kinds().replace(count="8"), "The 'count' field of Kinds must be an int. Got '8' instead."),
        (lambda: Outer(1.0, inner=Dense()), "The 'inner' field of Outer must be a component. Got Dense("),
        (lambda: Outer(1.0, function=3), "The 'function' field of Outer must be a function or None. Got 3 instead."),
        (lambda: Dense().replace(features=0), "The 'features' field of Dense must be a positive int. Got 0 instead."),
        (
            lambda: losses.Huber(delta=np.ones(2)),
            "The 'delta' field of Huber must be a number. Got array([1., 1.]) instead.",
        ),
        (lambda: losses.Huber(delta="x"), "The 'delta' field of Huber must be a number. Got 'x' instead."),
        (lambda: losses.Huber(delta=0.0), "The 'delta' field of Huber must be positive. Got 0.0 instead."),
    ],
)
def test_fields_are_checked_when_a_component_is_made(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_tracers_are_not_checked():
    class Positive(Component):
        rate: float = 1.0
        depth: int = 2

        def check_fields(self):
            if not self.rate > 0:
                raise ValueError("The 'rate' field must be positive.")

    rates = jnp.array([-1.0, 2.0])
    made = jax.jit(jax.vmap(lambda rate: Positive(rate, [3]).replace(rate=2 * rate)))(rates)
    np.testing.assert_array_equal(made.rate, [-2.0, 4.0])
    assert made.depth == (3,)
    with pytest.raises(ValueError, match="must be positive"):
        Positive(-1.0)


def test_a_default_that_its_annotation_does_not_allow_stays_allowed():
    class Loose(Component):
        depth: int = None
        rate: float = None

    assert Loose(depth=None, rate=None) == Loose()
    assert Loose(depth=3).replace(depth=None) == Loose()


@pytest.mark.parametrize("component", [Outer(1.0), Outer(np.ones(2)), *EVERY_DEFAULT])
def test_check_structure_accepts(component):
    check_structure(component)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Kinds(anything=np.ones(2)), "The field 'anything' of Kinds must be hashable, .* Got ndarray instead."),
        (lambda: Kinds(anything={"a": 1}), "The field 'anything' of Kinds must be hashable, .* Got dict instead."),
        (lambda: Kinds(anything=({},)), "The field 'anything' of Kinds must be hashable, .* Got tuple instead."),
        (lambda: Outer(1.0, fixed=np.ones(2)), "The 'fixed' field of Outer must be a number. Got array"),
        (lambda: Activation({}), "The 'function' field of Activation must be a string or a function. Got {} instead."),
    ],
    ids=["array", "dict", "in a tuple", "static", "function"],
)
def test_structure_must_be_hashable(make, message):
    with pytest.raises(TypeError, match=message):
        make()
    made = jax.tree.unflatten(jax.tree.structure(Kinds()), jax.tree.leaves(Kinds()))
    object.__setattr__(made, "anything", {})
    with pytest.raises(TypeError, match="The field 'anything' of Kinds must be hashable"):
        check_structure(made)


def test_components_in_goes_depth_first():
    dense, relu, dropout = Dense(3), Activation("relu"), Dropout(0.1)
    residual = Residual((dense, relu))
    network = Sequential((residual, dropout))
    assert list(components_in(network)) == [network, residual, dense, relu, dropout]
    assert list(components_in(Inner())) == [Inner()]
