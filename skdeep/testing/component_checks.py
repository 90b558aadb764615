"""Checks for components of every kind: copies, pickling, and float fields that are data."""

from __future__ import annotations

import copy
import functools
import pickle
import re
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

import cloudpickle
import jax
import joblib
import numpy as np
from sklearn.base import clone

from skdeep.component import check_structure, components_in
from skdeep.core import as_traced
from skdeep.testing.running import contract_check, expect, expect_same_form


@contract_check("let check_fields accept the defaults, and keep arrays, dicts and sets out of the fields: use tuples.")
def check_default_fields(component: Any) -> None:
    """The fields pass the component's own `check_fields`, and all fields that are not traced are hashable."""
    for part in components_in(component):
        part.check_fields()
    check_structure(component)


@contract_check("declare fields as annotated class attributes only, and define neither __init__ nor __post_init__.")
def check_parameters(component: Any) -> None:
    """`get_params` lists the fields; `replace` returns a component with equal or changed fields and refuses unknown ones."""
    params = component.get_params()
    again = component.replace(**params)
    expect(type(again) is type(component), f"replace(...) returned {again!r}.")
    _expect_equal(again.get_params(), params, "replace(**get_params()) changed the parameters")
    expect(
        clone(component) is component, "sklearn.base.clone made a copy. Components are immutable, so clones share them."
    )
    try:
        component.replace(no_such_field=1)
    except ValueError:
        return
    raise AssertionError("replace(no_such_field=1) raised no ValueError.")


@contract_check("let fields hold plain values, components or functions, so that they can be sent to worker processes.")
def check_copies(component: Any) -> None:
    """`copy.deepcopy` and cloudpickle give an equal component."""
    for again in (copy.deepcopy(component), pickle.loads(cloudpickle.dumps(component))):
        _expect_equal(again.get_params(), component.get_params(), "A copy has other parameters")


@contract_check(
    "let fields hold plain values, components, or functions that can be imported by name, so that models can be saved."
)
def check_pickling(component: Any) -> None:
    """Pickling gives an equal component, with the same `joblib.hash`."""
    again = pickle.loads(pickle.dumps(component))
    _expect_equal(again.get_params(), component.get_params(), "Pickling changed the parameters")
    expect(joblib.hash(again) == joblib.hash(component), "joblib.hash changed by pickling.")


@contract_check("annotate numbers that may differ between fits with `float`, and do not convert them in __post_init__.")
def check_floats_are_data(component: Any) -> None:
    """Another number in a float field, or another number type, does not change the pytree structure, so nothing recompiles."""
    traced = as_traced(component)
    for change in (lambda value: value * 0.9 + 0.01, lambda value: round(float(value)), np.float64):
        moved = as_traced(jax.tree.map(change, component))
        expect_same_form(moved, traced, "Another number in a float field changes the pytree structure.")


def expect_each_used(component: Any, used_by: Callable[[Any], Collection[int]], message: str) -> None:
    """Expect that each float field has an effect in this component, in its defaults, or with one bool field negated.

    `used_by` returns the float fields that affect a component's results, as positions among the component's leaves.
    """
    names = _float_fields(component)
    used = set(used_by(component))
    if not used.issuperset(range(len(names))):
        for variant in _variants(component):
            used |= set(used_by(variant))
    for position, name in enumerate(names):
        expect(position in used, f"Its float field {name!r} has no effect: {message} depends on it.")


def _float_fields(component: Any) -> list[str]:
    return [jax.tree_util.keystr(path).lstrip(".") for path, _ in jax.tree_util.tree_leaves_with_path(component)]


def _variants(component: Any) -> Iterator[Any]:
    """Yield components with the same float fields: the defaults, and this one with each bool field negated."""
    switches = [{name: not value} for name, value in component.get_params().items() if isinstance(value, bool)]
    makers: list[Callable[[], Any]] = [
        type(component),
        *(functools.partial(component.replace, **switch) for switch in switches),
    ]
    for make in makers:
        try:
            variant = make()
            variant.check_fields()
        except (TypeError, ValueError):  # a field has no default, or the values exclude each other
            continue
        if _float_fields(variant) == _float_fields(component):
            yield variant


COMPONENT_CHECKS = (check_default_fields, check_parameters, check_copies, check_floats_are_data)


def _expect_equal(actual: dict[str, Any], wanted: dict[str, Any], message: str) -> None:
    expect(set(actual) == set(wanted), f"{message}: {sorted(wanted)} became {sorted(actual)}.")
    for name, value in wanted.items():
        same = actual[name] is value or actual[name] == value or _appearance(actual[name]) == _appearance(value)
        expect(same, f"{message}: {name!r} was {value!r} and is {actual[name]!r}.")


def _appearance(value: Any) -> tuple[type, str]:
    """Return type and repr without addresses, since copies of functions and of modules do not compare equal."""
    return type(value), re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def is_importable(cls: type) -> bool:
    """Tell whether pickle can import a class by its name; it cannot if a notebook or a function defines the class."""
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is cls and cls.__module__ != "__main__"
