"""`Component`, the base class of losses, optimizers, networks and the like: a frozen dataclass that is also a pytree.

Float fields are data (pytree leaves, traced by `jit`); every other field is structure (hashed).
Fields that hold components are subtrees, so that the floats inside them are data too.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, dataclass_transform

import jax

from skdeep import errors
from skdeep.annotations import MISFIT, is_data, without_numpy
from skdeep.definition import (
    DATACLASS_FIELDS,
    HeldField,
    dataclass_fields_of,
    define,
    fields_of,
    forget_fields,
    refuse_unannotated,
    restore_missing,
)
from skdeep.pickling import reduced

__all__ = ["Component", "check_structure", "components_in", "fields_of", "is_data", "kind_inside", "static"]

_DATACLASS_MARK = "__dataclass_params__"
_PLAIN = (int, float, str, bool, type(None))


def static(default: Any = dataclasses.MISSING) -> Any:
    """Declare a float field as structure: Python code may branch on its value, and a new value needs a new compile.

    Parameters
    ----------
    default : object, optional
        The default of the field; without it the field is required.

    Examples
    --------
    >>> import skdeep
    >>> class Clipped(skdeep.Schedule):
    ...     floor: float = skdeep.static(0.1)
    ...     def __call__(self, progress):
    ...         return 1.0 if self.floor > 1.0 else 1.0 - progress * (1.0 - self.floor)
    >>> import jax
    >>> jax.tree.leaves(Clipped())
    []
    """
    return dataclasses.field(default=default, metadata={"static": True})


class _ComponentType(type):
    """Checks the fields of new components, and refuses a second `@dataclass` decorator.

    When cloudpickle restores a class in the process that it came from, it sets all attributes again. Setting an equal
    `__dataclass_params__` is allowed, and copies of `dataclasses.MISSING` in fields are replaced by the original.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        _refuse_loose_items(cls, args)
        component = super().__call__(*args, **kwargs)
        _settle(component, checks=bool(args or kwargs))
        return component

    @property
    def __signature__(cls) -> inspect.Signature:
        """The signature of the dataclass's `__init__` without `self`, instead of that of `__call__`."""
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]  # that of this class, made by dataclass
        return signature.replace(parameters=list(signature.parameters.values())[1:], return_annotation=signature.empty)

    def __setattr__(cls, name: str, value: object) -> None:
        if name == _DATACLASS_MARK and repr(vars(cls).get(name, value)) != repr(value):
            raise TypeError(
                f"{cls.__name__} is decorated with @dataclass, but every Component is made a frozen dataclass already. "
                "Remove the decorator."
            )
        if name == DATACLASS_FIELDS:
            for field in typing.cast(dict[str, Any], value).values():
                restore_missing(field)
            forget_fields(cls)
        super().__setattr__(name, value)


@dataclass_transform(frozen_default=True, field_specifiers=(static, dataclasses.field))
class Component(metaclass=_ComponentType):
    """A frozen dataclass whose float fields are traced and whose other fields are structure.

    Subclasses write annotated fields and methods, nothing else. A field annotated `float`,
    `float | None`, `tuple[float, ...]` or a union of these is data; so is a field annotated with a
    component class (or a tuple of components). All other fields are structure: their values must be hashable,
    and a new value needs a new compile. `skdeep.static(default)` makes a float field structure.

    Fields are checked when an instance is made: against their annotations, then by `check_fields`. Lists
    become tuples, and NumPy scalars become Python numbers. If a field holds a tracer, nothing is checked.
    A field that holds a component may be set to a name, which `fit` resolves.

    Class variable `expected_failed_checks`: a mapping from the name of each check of `skdeep.testing` that the component
    fails to the reason.

    Instances are immutable values: `clone` and `deepcopy` return the instance itself.

    Examples
    --------
    >>> import jax
    >>> from skdeep.optimizers import AdamW
    >>> jax.tree.leaves(AdamW(b1=0.8, weight_decay=0))
    [0.8, 0.999, 1e-08, 0]
    >>> AdamW().replace(b1=0.5).b1
    0.5
    """

    kind: ClassVar[str] = "component"
    expected_failed_checks: ClassVar[Mapping[str, str]] = {}
    plugin_api: ClassVar[tuple[int, int]] = (1, 0)
    _data_fields: ClassVar[tuple[str, ...]] = ()
    _structure_fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_unannotated(cls)
        dataclasses.dataclass(frozen=True)(cls)
        define(cls, Component)
        _register_pytree(cls)

    def __sklearn_clone__(self) -> Self:
        return self

    def __reduce__(self) -> Any:
        return reduced(_with_carried_names(self), dataclass_fields_of(type(self)))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields by name; with `deep`, also the fields of inner components as `name__field`.

        The first component of a tuple is `name__0`, and its fields are `name__0__field`.
        """
        params: dict[str, Any] = {}
        for name in dataclass_fields_of(type(self)):
            value = params[name] = getattr(self, name)
            if deep:
                params.update({f"{name}__{path}": inner for path, inner in _params_inside(value)})
        return params

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; `name__field` changes a field of an inner component.

        `name__0` is the first component of a tuple, and `name__0__field` a field of it. If a field holds the name of a
        component, and a field of that component is set too, the name is resolved.

        Raises
        ------
        ValueError
            If there is no such field (the message lists the fields), or if a field does not allow the value.

        Examples
        --------
        >>> from skdeep.losses import Huber
        >>> Huber().replace(delta=2.0)
        Huber(delta=2.0)
        >>> from skdeep.layers import Dense
        >>> from skdeep.networks import Sequential
        >>> Sequential((Dense(), Dense())).replace(layers__1__features=8).layers[1].features
        8
        """
        direct, nested = _by_first_name(changes)
        fields = {field.name: field for field in fields_of(type(self))}
        for name in (*direct, *nested):
            if name not in fields:
                raise errors.UnknownFieldError(errors.unknown_field(type(self).__name__, name, fields))
        for name, inner in nested.items():
            value = direct.get(name, getattr(self, name))
            direct[name] = _changed_inside(f"{type(self).__name__}.{name}", value, inner, fields[name])
        return dataclasses.replace(self, **direct)  # type: ignore[type-var]  # every subclass is a dataclass

    def with_traced(self, **values: Any) -> Self:
        """Return a copy with some numbers replaced by traced ones, inside a program; nothing is checked."""
        changed = object.__new__(type(self))
        for name, value in {**vars(self), **values}.items():
            object.__setattr__(changed, name, value)
        return changed

    def check_fields(self) -> None:
        """Raise ValueError if a field has an invalid value that its annotation allows.

        Called when a component is made with arguments, and by `fit`. It is not called if a field holds a tracer or an
        unresolved name of a component.
        """


def _with_carried_names(component: Component) -> Component:
    """Return a component in which the registered names of unresolved fields have their objects, for a pickle."""
    kinds = {field.name: field.kind for field in fields_of(type(component)) if field.kind is not None}
    unresolved = [field.name for field in fields_of(type(component)) if _is_unresolved(component, field)]
    if not unresolved:
        return component
    from skdeep.estimators.resolve import with_carried_names  # only where a name has to be looked up

    return component.with_traced(
        **{name: with_carried_names(kinds[name], getattr(component, name)) for name in unresolved}
    )


def components_in(component: Component) -> Iterator[Component]:
    """Yield a component and every component in its fields, depth first."""
    yield component
    for field in dataclasses.fields(component):  # type: ignore[arg-type]  # every subclass is a dataclass
        value = getattr(component, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Component):
                yield from components_in(item)


def kind_inside(field: HeldField, value: Any) -> str | None:
    """Return the kind of the components in a field: by its annotation, or else by its value; None if it has none."""
    if field.kind is not None:
        return field.kind
    items = value if isinstance(value, tuple) else (value,)
    return next((item.kind for item in items if isinstance(item, Component)), None)


def check_structure(component: Component) -> None:
    """Check that the values of structure fields can be hashed, in the component and in those inside it.

    Raises
    ------
    TypeError
        If a structure field holds an array, a dict or another value without a hash; the message names the field.
    """
    for part in components_in(component):
        for name in type(part)._structure_fields:
            _check_hashable(part, name)


def _check_hashable(component: Component, name: str) -> None:
    value = getattr(component, name)
    try:
        hash(value)
    except TypeError as err:
        raise errors.InvalidFieldError(
            f"The field {name!r} of {type(component).__name__} must be hashable, because it is part of the key of the "
            f"compiled program. Got {type(value).__name__} instead. Give numbers, strings, tuples or functions."
        ) from err


def _settle(component: Component, checks: bool) -> None:
    """Replace NumPy scalars and lists in the fields of a new component, and check the fields unless one is a tracer."""
    cls, values = type(component), vars(component)
    fields = [field for field in fields_of(cls) if not _is_plain_default(values[field.name], field.default)]
    for field in fields:
        _store(component, field.name, without_numpy(values[field.name]))
    if not checks or any(_is_traced(values[field.name]) for field in fields):
        return
    for field in fields:
        fitted = field.rule.fit(values[field.name])
        if fitted is not MISFIT:
            _store(component, field.name, fitted)
        elif not _is_same(values[field.name], field.default):
            _refuse_value(component, field)
        if not field.is_data and type(values[field.name]) not in _PLAIN:
            _check_hashable(component, field.name)
    if cls.check_fields is Component.check_fields or any(_is_unresolved(component, field) for field in fields):
        return
    if not any(map(_is_traced, jax.tree.leaves(component))):
        _check_values(component, fields)


def _check_values(component: Component, fields: list[HeldField]) -> None:
    """Call `check_fields`; if it fails because a field holds an array, raise InvalidFieldError that names the field."""
    try:
        component.check_fields()
    except (TypeError, ValueError) as err:
        arrays = [field for field in fields if getattr(getattr(component, field.name), "ndim", 0) > 0]
        if not arrays or any(repr(field.name) in str(err) for field in fields):
            raise
        owner, name = type(component).__name__, arrays[0].name
        raise errors.InvalidFieldError(errors.wrong_value(owner, name, "a number", getattr(component, name))) from err


def _is_plain_default(value: Any, default: Any) -> bool:
    return value is default and (type(value) in _PLAIN or isinstance(value, Component))


def _is_traced(value: Any) -> bool:
    return isinstance(value, jax.core.Tracer) or (type(value) is tuple and any(map(_is_traced, value)))


def _store(component: Component, name: str, value: Any) -> None:
    if value is not vars(component)[name]:
        object.__setattr__(component, name, value)


def _is_same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))


def _is_unresolved(component: Component, field: HeldField) -> bool:
    """Return True if a field holds a name, function or module that `fit` has to replace by a component."""
    value = getattr(component, field.name)
    items = value if isinstance(value, tuple) and field.holds_many else (value,)
    return field.kind is not None and any(not isinstance(item, Component) and item is not None for item in items)


def _refuse_value(component: Component, field: HeldField) -> None:
    """Raise InvalidFieldError with the message of `check_fields` if it names the field, else by the annotation."""
    owner, value = type(component).__name__, getattr(component, field.name)
    message = errors.wrong_value(owner, field.name, field.rule.words, value)
    try:
        component.check_fields()
    except Exception as err:  # it may meet values that it does not expect
        if isinstance(err, ValueError) and repr(field.name) in str(err):
            message = str(err)
    is_one_item = field.rule.fit((value,)) is not MISFIT
    cure = f" {owner}({field.name}=...) takes a tuple: write ({value!r},)." if is_one_item else ""
    raise errors.InvalidFieldError(message + cure)


def _refuse_loose_items(cls: type, args: tuple[Any, ...]) -> None:
    """Raise InvalidFieldError if the items of a tuple field were given as separate arguments, as in `MLP(64, 32)`."""
    if len(args) < 2:
        return
    first = fields_of(cls)[0] if fields_of(cls) else None
    if first and first.rule.fit(args[0]) is MISFIT and first.rule.fit(without_numpy(args)) is not MISFIT:
        raise errors.InvalidFieldError(
            f"{cls.__name__}({first.name}=...) takes {first.rule.words}. Got {', '.join(map(repr, args))} as separate "
            f"arguments instead. Write {cls.__name__}({args!r})."
        )


def _params_inside(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the paths and values below a field: fields of a component, components of a tuple and their fields."""
    if isinstance(value, Component):
        yield from value.get_params().items()
    elif isinstance(value, tuple) and any(isinstance(item, Component) for item in value):
        for i, item in enumerate(value):
            yield str(i), item
            yield from ((f"{i}__{path}", inner) for path, inner in _params_inside(item))


def _by_first_name(changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Split changes by path into changes of fields, and for each field the changes below it."""
    direct: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for path, value in changes.items():
        name, _, rest = path.partition("__")
        if rest:
            nested.setdefault(name, {})[rest] = value
        else:
            direct[name] = value
    return direct, nested


def _changed_inside(place: str, value: Any, changes: dict[str, Any], field: HeldField) -> Any:
    """Return the value of a field with changes below it: of a component's fields, or of components in a tuple."""
    kind = kind_inside(field, value)
    if isinstance(value, list | tuple) and (field.holds_many or any(isinstance(item, Component) for item in value)):
        return _changed_items(place, tuple(value), changes, field)
    if kind is not None and value is not None and not isinstance(value, Component):
        from skdeep.estimators.resolve import component_of  # only where a name has to be looked up

        value = component_of(kind, value)
    if not isinstance(value, Component):
        raise errors.UnknownFieldError(f"{place} is {value!r}, which has no fields to set.")
    return value.replace(**changes)


def _changed_items(place: str, items: tuple[Any, ...], changes: dict[str, Any], field: HeldField) -> tuple[Any, ...]:
    direct, nested = _by_first_name(changes)
    changed = dict(enumerate(items))
    for name in (*direct, *nested):
        if not name.isdecimal() or int(name) not in changed:
            raise errors.UnknownFieldError(
                f"{place} holds {len(items)} components, but {name!r} is not a position of one."
            )
    changed.update({int(name): value for name, value in direct.items()})
    for name, inner in nested.items():
        changed[int(name)] = _changed_inside(f"{place}[{name}]", changed[int(name)], inner, field)
    return tuple(changed.values())


def _register_pytree(cls: type[Component]) -> None:
    """Register a component class as a pytree whose structure includes the class; unflattening runs no constructor.

    `jax.tree_util.register_dataclass` cannot be used: trees of two classes with equal fields compare equal
    (jax 0.10.2: `tree.structure(A()) == tree.structure(B())`), so that programs of different classes would be confused.
    Field names are read at each call, because cloudpickle sets the attributes of a class after it was registered.
    """

    def flatten(component: Any) -> tuple[list[Any], tuple[Any, ...]]:
        data = [getattr(component, name) for name in cls._data_fields]
        return data, (cls, *(getattr(component, name) for name in cls._structure_fields))

    def flatten_with_keys(component: Any) -> tuple[list[Any], tuple[Any, ...]]:
        data, structure = flatten(component)
        keys = map(jax.tree_util.GetAttrKey, cls._data_fields)
        return list(zip(keys, data, strict=True)), structure

    def unflatten(structure: tuple[Any, ...], data: Any) -> Any:
        component: Any = object.__new__(cls)
        names, values = (*cls._data_fields, *cls._structure_fields), (*data, *structure[1:])
        for name, value in zip(names, values, strict=True):
            object.__setattr__(component, name, value)
        return component

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
