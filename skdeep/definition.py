"""The class of a component: what its fields are, and what is refused where it is defined."""

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
    """A field of a component class, and what its annotation says; `kind` is that of the components it holds."""

    name: str
    rule: Rule
    default: Any
    is_data: bool
    kind: str | None
    holds_many: bool


_annotations: weakref.WeakKeyDictionary[type, dict[str, Any]] = weakref.WeakKeyDictionary()
_held: weakref.WeakKeyDictionary[type, tuple[HeldField, ...]] = weakref.WeakKeyDictionary()


def define(cls: Any, root: type) -> None:
    """Check a new component class, and set which of its fields are data; `root` is the base of all components.

    Raises
    ------
    InvalidFieldError
        If a field has a name that something else needs, or an annotation that does not say whether it is traced; if a
        class variable of a kind of component has a value that it cannot have.
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
    """Read the fields of a class again when they are asked for next: they were set anew."""
    _held.pop(cls, None)


def refuse_unannotated(cls: type) -> None:
    """Raise TypeError if a class has a value without annotation that would be a field with one."""
    inherited = {name for base in cls.__mro__[1:] for name in _class_variables(base)}
    annotations = inspect.get_annotations(cls)
    for name, value in vars(cls).items():
        if name.startswith("__") or name in annotations or name in inherited:
            continue
        if isinstance(value, _NAMES_WITHOUT_ANNOTATION) or hasattr(value, "__get__"):
            continue
        raise TypeError(
            f"The field {name!r} of {cls.__name__} has no annotation, so it would not be a field at all. "
            f"Write '{name}: {type(value).__name__} = {value!r}', or annotate it as ClassVar."
        )


def _refuse_name(cls: type, name: str, root: type) -> None:
    """Raise if a field has a name that something else needs: a path, a method, or what every component has."""
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
    """Check what a class gives for class variables that a base annotates, such as `scaling` and `tasks` of losses."""
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
    """Put `dataclasses.MISSING` itself where a field has a copy of it, as fields have that were pickled by value."""
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
        If one cannot be evaluated, or holds floats or components among other things: nobody could tell whether the
        field is traced. A field that is declared `static` may have any annotation.
    """
    local = _names_around(cls)
    hints: dict[str, Any] = {}
    for name in names:
        is_static = dataclass_fields_of(cls)[name].metadata.get("static", False)
        cure = f"or declare it as structure: '{name}: ... = skdeep.static(...)'."
        try:
            hint = _evaluated(cls, name, local)
        except Exception as err:  # evaluating runs code
            if not is_static:
                raise errors.InvalidFieldError(
                    f"The annotation of the field {name!r} of {cls.__name__} cannot be evaluated "
                    f"({type(err).__name__}: {err}), so that nobody can tell whether the field is traced. Define or import "
                    f"what it names before the class, also outside of 'if TYPE_CHECKING', annotate it Any, {cure}"
                ) from err
            hint = Any
        if not is_static and (hint is typing.Final or (has_data(hint) and not is_data(hint))):
            raise errors.InvalidFieldError(
                f"The field {name!r} of {cls.__name__} is annotated {inspect.get_annotations(cls)[name]}, which says "
                "neither that it is traced nor that it is structure. Annotate it float, float | None, tuple[float, ...] or "
                f"with a component class to have it traced, {cure}"
            )
        hints[name] = hint
    return hints


def _all_annotations(cls: type) -> dict[str, Any]:
    """Return the annotation of each field, inherited ones too; Any where it cannot be evaluated any more."""
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        known = _annotations.get(base, {})
        for name in inspect.get_annotations(base):
            try:
                hints[name] = known[name] if name in known else _evaluated(base, name, {})
            except Exception:  # of a class that came from another process, without the names around it
                hints[name] = Any
    return hints


def _evaluated(cls: type, name: str, local: dict[str, Any]) -> Any:
    scope = {**vars(sys.modules.get(cls.__module__, typing)), **local, cls.__name__: cls}
    return resolved(inspect.get_annotations(cls)[name], scope, dict(vars(cls)))


def _names_around(cls: type) -> dict[str, Any]:
    """Return the local names where a class is defined, which a quoted annotation may use."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != cls.__module__:
        frame = frame.f_back
    return dict(frame.f_locals) if frame is not None else {}
