"""Definition of component classes: their fields, which of them are data, and errors in a class definition."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
import weakref
from typing import Any, NamedTuple

from skdeep import errors
from skdeep.annotations import (
    MISFIT,
    Rule,
    component_class,
    has_data,
    holds_many,
    is_data,
    resolved,
    rule_of,
    without_numpy,
)

DATACLASS_FIELDS = "__dataclass_fields__"
_NAMES_WITHOUT_ANNOTATION = (types.FunctionType, classmethod, staticmethod, property, type)


class HeldField(NamedTuple):
    """A field of a component class with the rule of its annotation.

    `kind` is the kind of the components that it holds, None if it holds none or any kind. `holds_many` tells that it
    holds a tuple of components.
    """

    name: str
    rule: Rule
    default: Any
    is_data: bool
    kind: str | None
    holds_many: bool


_annotations: weakref.WeakKeyDictionary[type, dict[str, Any]] = weakref.WeakKeyDictionary()
_held: weakref.WeakKeyDictionary[type, tuple[HeldField, ...]] = weakref.WeakKeyDictionary()


def define(cls: Any, root: type) -> None:
    """Check a new component class, and set `_data_fields` and `_structure_fields`; `root` is the class `Component`.

    Raises
    ------
    InvalidFieldError
        If the name of a field is reserved, if its annotation does not tell whether it is traced, or if a class variable
        such as `scaling` has an invalid value.
    """
    fields = dataclass_fields_of(cls)
    own = [name for name in inspect.get_annotations(cls) if name in fields]
    for name in own:
        _refuse_name(cls, name, root)
    _annotations[cls] = hints = _own_annotations(cls, own)
    is_traced = {name: is_data(hints[name]) and not fields[name].metadata.get("static") for name in own}
    for base in cls.__mro__[1:]:
        for is_data_there, names in ((True, "_data_fields"), (False, "_structure_fields")):
            for name in vars(base).get(names, ()):
                is_traced.setdefault(name, is_data_there)
    cls._data_fields = tuple(name for name in fields if is_traced[name])
    cls._structure_fields = tuple(name for name in fields if name not in cls._data_fields)
    _check_class_variables(cls, root)


def fields_of(cls: type) -> tuple[HeldField, ...]:
    """Return the fields of a component class."""
    held = _held.get(cls)
    if held is None:
        hints = _all_annotations(cls)
        held = tuple(_held_field(cls, field, hints[field.name]) for field in dataclass_fields_of(cls).values())
        _held[cls] = held
    return held


def forget_fields(cls: type) -> None:
    """Drop the cached fields of a class, so that `fields_of` reads them again."""
    _held.pop(cls, None)


def refuse_unannotated(cls: type) -> None:
    """Raise TypeError if a class attribute looks like a field but has no annotation."""
    inherited = {name for base in cls.__mro__[1:] for name in _class_variables(base)}
    annotations = inspect.get_annotations(cls)
    for name, value in vars(cls).items():
        if name.startswith("__") or name in annotations or name in inherited:
            continue
        if isinstance(value, _NAMES_WITHOUT_ANNOTATION) or hasattr(value, "__get__"):
            continue
        raise TypeError(
            f"The field {name!r} of {cls.__name__} has no annotation, without which it is not a field. "
            f"Write '{name}: {type(value).__name__} = {value!r}', or annotate it as ClassVar."
        )


def _refuse_name(cls: type, name: str, root: type) -> None:
    """Raise InvalidFieldError if a field's name has "__", or is that of a method or an attribute of `Component`."""
    reason = "'__' separates the names in a path such as optimizer__b1" if "__" in name else ""
    for base in cls.__mro__[1:]:
        member = vars(base).get(name)
        is_field = name in vars(base).get(DATACLASS_FIELDS, ())
        if name in vars(base) and not is_field and (base is root or _is_method(member)):
            what = "method" if _is_method(member) else "class variable"
            reason = f"it is the name of a {what} of {base.__name__}"
    if reason:
        raise errors.InvalidFieldError(f"{cls.__name__} must not have a field {name!r}: {reason}. Choose another name.")


def _is_method(member: Any) -> bool:
    return isinstance(member, types.FunctionType | classmethod | staticmethod | property)


def _class_variables(cls: type) -> set[str]:
    return {name for name, hint in inspect.get_annotations(cls).items() if "ClassVar" in str(hint)}


def _check_class_variables(cls: type, root: type) -> None:
    """Check the values of class variables that a base class annotates, such as `scaling` and `tasks` of losses."""
    for base in cls.__mro__[1:]:
        if base is root or not issubclass(base, root):
            continue
        for name in _class_variables(base) & set(vars(cls)) - {"kind", "plugin_api"}:
            value = without_numpy(vars(cls)[name])
            if hasattr(value, "__get__"):
                continue
            rule = rule_of(_evaluated(base, name, {}))
            fitted = rule.fit(value)
            if fitted is MISFIT:
                is_one_item = rule.fit((value,)) is not MISFIT
                cure = f" Write {name} = ({value!r},)." if is_one_item else ""
                raise errors.InvalidFieldError(
                    errors.wrong_value(cls.__name__, name, rule.words, value, "class variable") + cure
                )
            if fitted is not vars(cls)[name]:
                setattr(cls, name, fitted)


def dataclass_fields_of(cls: type) -> dict[str, Any]:
    """Return the dataclass fields of a component class by name."""
    return {field.name: field for field in dataclasses.fields(cls)}


def restore_missing(field: Any) -> None:
    """Replace copies of `dataclasses.MISSING` in a field by the original; pickling a class by value makes copies."""
    for name in ("default", "default_factory", "kw_only"):
        if isinstance(getattr(field, name), type(dataclasses.MISSING)):
            setattr(field, name, dataclasses.MISSING)


def _held_field(cls: Any, field: Any, hint: Any) -> HeldField:
    inner = component_class(hint)
    kind = getattr(inner, "kind", None)
    return HeldField(
        field.name,
        rule_of(hint, is_static=field.name not in cls._data_fields),
        field.default,
        field.name in cls._data_fields,
        None if kind == "component" else kind,
        holds_many(hint),
    )


def _own_annotations(cls: type, names: list[str]) -> dict[str, Any]:
    """Return the evaluated annotations of the fields that a class itself declares.

    Raises
    ------
    InvalidFieldError
        If an annotation cannot be evaluated, or mixes floats or components with other types, so that it does not tell
        whether the field is traced. A field that is declared `static` may have any annotation.
    """
    local = _names_around(cls)
    hints: dict[str, Any] = {}
    for name in names:
        is_static = dataclass_fields_of(cls)[name].metadata.get("static", False)
        cure = f"or declare it as structure: '{name}: ... = skdeep.static(...)'."
        try:
            hint = _evaluated(cls, name, local)
        except Exception as err:  # evaluating an annotation runs code, which may raise anything
            if not is_static:
                raise errors.InvalidFieldError(
                    f"The annotation of the field {name!r} of {cls.__name__} cannot be evaluated "
                    f"({type(err).__name__}: {err}), so skdeep cannot tell whether the field is traced. Define or import "
                    f"its names before the class and outside of 'if TYPE_CHECKING', annotate it Any, {cure}"
                ) from err
            hint = Any
        if not is_static and (hint is typing.Final or (has_data(hint) and not is_data(hint))):
            raise errors.InvalidFieldError(
                f"The field {name!r} of {cls.__name__} is annotated {inspect.get_annotations(cls)[name]}, which does not tell "
                "whether it is traced or structure. Annotate it float, float | None, tuple[float, ...] or "
                f"with a component class to have it traced, {cure}"
            )
        hints[name] = hint
    return hints


def _all_annotations(cls: type) -> dict[str, Any]:
    """Return the annotation of each field, inherited ones included; Any if it can no longer be evaluated."""
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        known = _annotations.get(base, {})
        for name in inspect.get_annotations(base):
            try:
                hints[name] = known[name] if name in known else _evaluated(base, name, {})
            except Exception:  # a class from another process lacks the local names of its definition
                hints[name] = Any
    return hints


def _evaluated(cls: type, name: str, local: dict[str, Any]) -> Any:
    scope = {**vars(sys.modules.get(cls.__module__, typing)), **local, cls.__name__: cls}
    return resolved(inspect.get_annotations(cls)[name], scope, dict(vars(cls)))


def _names_around(cls: type) -> dict[str, Any]:
    """Return the local names at the place where a class is defined; quoted annotations may use them."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != cls.__module__:
        frame = frame.f_back
    return dict(frame.f_locals) if frame is not None else {}
