"""Rules from the annotation of a component's field: whether it is data or structure, and which values it allows."""

from __future__ import annotations

import collections.abc
import inspect
import numbers
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple

import jax
import numpy as np

from skdeep.linen import constructor_fields, copied, is_linen_class, values_of

MISFIT = object()
"""What `Rule.fit` returns for a value that its annotation does not allow."""

_SEQUENCES = (
    list,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Collection,
    collections.abc.Iterable,
)
_ARRAYS = (np.ndarray, jax.Array)


class Rule(NamedTuple):
    """An annotation as a rule.

    `fit(value)` returns the value to store, or MISFIT. `words` and `plural` name the allowed values in error messages.
    """

    fit: Callable[[Any], Any]
    words: str
    plural: str


def resolved(annotation: Any, scope: dict[str, Any], local: dict[str, Any]) -> Any:
    """Return an annotation with every quoted part evaluated.

    Raises
    ------
    Exception
        Any exception that evaluation raises, such as NameError for an unknown name.
    """
    holder = type("Holder", (), {"__annotations__": {"field": annotation}})
    return typing.get_type_hints(holder, scope, local, include_extras=True)["field"]


def is_data(annotation: Any) -> bool:
    """Return True if a field with this annotation is traced data, False if it is structure."""
    annotation = _plain(annotation)
    if _is_real(annotation) or _is_component_class(annotation):
        return True
    arguments = typing.get_args(annotation)
    if is_union(annotation):
        members = [_plain(a) for a in arguments if a is not type(None)]
        return any(map(is_data, members)) and all(is_data(a) or a is int or a in _ARRAYS for a in members)
    if _is_sequence(annotation):
        return bool(arguments) and all(a is Ellipsis or is_data(a) for a in arguments)
    return False


def has_data(annotation: Any) -> bool:
    """Return True if a field with this annotation may hold floats or components."""
    annotation = _plain(annotation)
    if typing.get_origin(annotation) in (collections.abc.Callable, type, Literal):
        return False
    return is_data(annotation) or any(map(has_data, typing.get_args(annotation)))


def component_class(annotation: Any) -> Any:
    """Return the class of the components that a field holds, alone or in a tuple; None if it holds none."""
    annotation = _plain(annotation)
    if _is_component_class(annotation):
        return annotation
    if is_union(annotation) or _is_sequence(annotation):
        return next(filter(None, map(component_class, typing.get_args(annotation))), None)
    return None


def holds_many(annotation: Any) -> bool:
    """Return True if a field holds a tuple of components, False if it holds one component or none."""
    annotation = _plain(annotation)
    if is_union(annotation):
        return any(map(holds_many, typing.get_args(annotation)))
    return _is_sequence(annotation) and component_class(annotation) is not None


def is_union(annotation: Any) -> bool:
    """Return True if an annotation is a union, such as `float | None`."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def rule_of(annotation: Any, is_static: bool = False) -> Rule:
    """Return the rule of an annotation. An annotation of an unknown form allows all values.

    In a static field that is annotated as float, 1 becomes 1.0: both have the same hash, so that they would share a
    program.
    """
    annotation = _plain(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (None, type(None)):
        return Rule(lambda value: None if value is None else MISFIT, "None", "None")
    if _is_component_class(annotation):
        return _component_rule(annotation)
    if _is_real(annotation):
        return Rule(_static_real if is_static else _real, "a number", "numbers")
    if annotation is bool or _is_subclass(annotation, np.bool_):
        return Rule(_boolean, "a bool", "bools")
    if annotation in (int, numbers.Integral) or _is_subclass(annotation, np.integer):
        return Rule(_integer, "an int", "ints")
    if annotation is str or _is_subclass(annotation, np.str_):
        return Rule(lambda value: value if isinstance(value, str) else MISFIT, "a string", "strings")
    if origin is Literal:
        words = f"one of {list(arguments)}"
        return Rule(lambda value: value if _is_among(value, arguments) else MISFIT, words, words)
    if annotation is collections.abc.Callable or origin is collections.abc.Callable:
        return Rule(lambda value: value if callable(value) else MISFIT, "a function", "functions")
    if is_union(annotation):
        return _union_rule([rule_of(a, is_static) for a in arguments])
    if _is_sequence(annotation):
        items = [rule_of(a, is_static) for a in arguments if a is not Ellipsis]
        return _tuple_rule(items, is_open=origin is not tuple or Ellipsis in arguments)
    return Rule(lambda value: value, "anything", "anything")


def without_numpy(value: Any) -> Any:
    """Return a value with NumPy scalars and strings replaced by Python's, and lists by tuples.

    `np.int64(8)` and 8 then are equal structure, and have equal pickles. Fields of linen modules are converted too.
    """
    if value is None or type(value) in (int, float, str, bool) or hasattr(type(value), "_data_fields"):
        return value
    if type(value) in (list, tuple):
        items = tuple(map(without_numpy, value))
        is_same = type(value) is tuple and all(a is b for a, b in zip(items, value, strict=True))
        return value if is_same else items
    if isinstance(value, np.number | np.bool_ | np.str_):
        return value.item()
    if hasattr(value, "ndim") and not isinstance(value, jax.core.Tracer) and isinstance(value, np.ndarray | jax.Array):
        is_plain = value.ndim == 0 and isinstance(value.dtype, np.dtype) and value.dtype.kind in "biufU"
        return value.item() if is_plain else value
    return _plain_module(value) if is_linen_class(type(value)) else value


def _plain_module(module: Any) -> Any:
    values = values_of(module, constructor_fields(module))
    plain = {name: without_numpy(value) for name, value in values.items()}
    changed = {name: value for name, value in plain.items() if value is not values[name]}
    return copied(module, **changed) if changed else module


def _plain(annotation: Any) -> Any:
    """Return an annotation without Annotated, Final, ClassVar, NewType and aliases around it."""
    while True:
        if hasattr(annotation, "__supertype__"):  # NewType
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif typing.get_origin(annotation) in (Annotated, Final, ClassVar):
            annotation = typing.get_args(annotation)[0]
        else:
            return annotation


def _is_component_class(annotation: Any) -> bool:
    return inspect.isclass(annotation) and hasattr(annotation, "_data_fields")


def _is_subclass(annotation: Any, base: type) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, base)


def _is_real(annotation: Any) -> bool:
    """Return True if an annotation means a real number: float, a floating type of NumPy or JAX, or numbers.Real."""
    if annotation is numbers.Real or _is_subclass(annotation, float) or _is_subclass(annotation, np.floating):
        return True
    dtype = getattr(annotation, "dtype", None)  # jnp.float32 is a class of its own
    return inspect.isclass(annotation) and isinstance(dtype, np.dtype) and jax.numpy.issubdtype(dtype, np.floating)


def _is_sequence(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return origin is tuple or annotation is tuple or (origin in _SEQUENCES and bool(typing.get_args(annotation)))


def _holds_numbers(value: Any) -> bool:
    """Return True if a value is an array of numbers or a tracer of one."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and hasattr(value, "shape") and bool(jax.numpy.issubdtype(dtype, np.number))


def _real(value: Any) -> Any:
    is_real = type(value) is float or isinstance(value, numbers.Real) or _holds_numbers(value)
    return value if is_real else MISFIT


def _static_real(value: Any) -> Any:
    return float(value) if isinstance(value, numbers.Real) else MISFIT


def _integer(value: Any) -> Any:
    return value if isinstance(value, numbers.Integral) and not isinstance(value, bool) else MISFIT


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return bool(value) if isinstance(value, int) and value in (0, 1) else MISFIT


def _is_among(value: Any, allowed: tuple[Any, ...]) -> bool:
    return any(type(value) is type(a) and value == a for a in allowed)


def _component_rule(cls: Any) -> Rule:
    kind = getattr(cls, "kind", "component")
    article = "an" if kind[0] in "aeiou" else "a"

    def fit(value: Any) -> Any:
        if _is_component_class(type(value)):
            return value if isinstance(value, cls) else MISFIT
        # Names, functions and modules are allowed: `fit` replaces them by components.
        cannot = value is None or inspect.isclass(value) or isinstance(value, numbers.Number)
        return MISFIT if cannot else value

    return Rule(fit, f"{article} {kind}", f"{kind}s")


def _union_rule(rules: list[Rule]) -> Rule:
    def fit(value: Any) -> Any:
        fitted = [f for f in (rule.fit(value) for rule in rules) if f is not MISFIT]
        # Prefer a rule that keeps the value unchanged; for an array, prefer a rule that makes a tuple of it.
        best = (f for f in fitted if (f is value) is not isinstance(value, np.ndarray))
        return next(best, fitted[0] if fitted else MISFIT)

    words, plurals = ([getattr(rule, name) for rule in rules] for name in ("words", "plural"))
    return Rule(fit, " or ".join(words), " or ".join(plurals))


def _tuple_rule(items: list[Rule], is_open: bool) -> Rule:
    """Return the rule of a tuple: of any length if `is_open` (`tuple[int, ...]`, `list[int]`), else `tuple[int, float]`."""

    def fit(value: Any) -> Any:
        if isinstance(value, range | np.ndarray):
            value = without_numpy(list(value.tolist() if isinstance(value, np.ndarray) else value))
        if not isinstance(value, tuple):
            return MISFIT
        rules = items * len(value) if is_open else items
        if len(rules) != len(value):
            return value if not items else MISFIT
        fitted = tuple(rule.fit(v) for rule, v in zip(rules, value, strict=True))
        if any(f is MISFIT for f in fitted):
            return MISFIT
        return value if all(f is v for f, v in zip(fitted, value, strict=True)) else fitted

    words = "a tuple"
    if items:
        words += f" of {items[0].plural}" if is_open else f" ({', '.join(rule.words for rule in items)})"
    return Rule(fit, words, words.replace("a tuple", "tuples", 1))
