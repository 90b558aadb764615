"""The base class of everything a user can configure: a frozen dataclass that is also a pytree.

Float fields are data (pytree leaves, traced by `jit`); every other field is structure (hashed).
Fields that hold components are subtrees, so that the floats inside them are data too.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, dataclass_transform

import jax

from skdeep import errors
from skdeep.pickling import reduced

_DATACLASS_MARK = "__dataclass_params__"
_NAMES_WITHOUT_ANNOTATION = (types.FunctionType, classmethod, staticmethod, property, type)


def static(default: Any = dataclasses.MISSING) -> Any:
    """Declare a float field that is structure: the code may branch on it, a new value compiles.

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
    """Refuses a `@dataclass` that would make a component something else than the frozen dataclass it is.

    What says the same passes: cloudpickle sets all attributes of a class again when it comes back to its process.
    """

    def __setattr__(cls, name: str, value: object) -> None:
        if name == _DATACLASS_MARK and repr(vars(cls).get(name, value)) != repr(value):
            raise TypeError(
                f"{cls.__name__} is decorated with @dataclass, but every Component is made a frozen dataclass already. "
                "Remove the decorator."
            )
        super().__setattr__(name, value)


@dataclass_transform(frozen_default=True, field_specifiers=(static, dataclasses.field))
class Component(metaclass=_ComponentType):
    """A frozen dataclass whose float fields are traced and whose other fields are structure.

    Subclasses write annotated fields and methods, nothing else. A field annotated `float`,
    `float | None`, `tuple[float, ...]` or a union of these is data; so is a field annotated with a
    component class (or a tuple of components). All others are structure: they must be hashable
    and a change of theirs compiles anew. `skdeep.static(default)` makes a float field structure.

    Class variable `expected_failed_checks`: the checks of `skdeep.testing` that the component fails, by name, each
    with the reason.

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
        _refuse_unannotated(cls)
        dataclasses.dataclass(frozen=True)(cls)
        hints = _field_types(cls)
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # it is a dataclass from here on
        cls._data_fields = tuple(f.name for f in fields if not f.metadata.get("static") and is_data(hints[f.name]))
        cls._structure_fields = tuple(f.name for f in fields if f.name not in cls._data_fields)
        _register_pytree(cls)

    def __sklearn_clone__(self) -> Self:
        return self

    def __reduce__(self) -> Any:
        return reduced(self, (field.name for field in dataclasses.fields(self)))  # type: ignore[arg-type]  # a dataclass

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields by name; with `deep`, those of components inside as `name__field`."""
        params: dict[str, Any] = {}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, field.name)
            params[field.name] = value
            if deep and isinstance(value, Component):
                params.update({f"{field.name}__{name}": v for name, v in value.get_params().items()})
        return params

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed; `name__field` reaches into a component inside.

        Raises
        ------
        ValueError
            If there is no such field; the message lists the known ones.

        Examples
        --------
        >>> from skdeep.losses import Huber
        >>> Huber().replace(delta=2.0)
        Huber(delta=2.0)
        """
        direct: dict[str, Any] = {}
        nested: dict[str, dict[str, Any]] = {}
        known = self.get_params(deep=False)
        for path, value in changes.items():
            name, _, rest = path.partition("__")
            if name not in known:
                raise ValueError(errors.unknown_field(type(self).__name__, name, known))
            if rest:
                nested.setdefault(name, {})[rest] = value
            else:
                direct[name] = value
        for name, fields in nested.items():
            inner = direct.get(name, known[name])
            if not isinstance(inner, Component):
                raise ValueError(f"The field {name!r} of {type(self).__name__} is {inner!r}: it has no fields to set.")
            direct[name] = inner.replace(**fields)
        return dataclasses.replace(self, **direct)  # type: ignore[type-var]  # every subclass is a dataclass

    def check_fields(self) -> None:
        """Raise ValueError when a field has a value that makes no sense; called by `fit`, outside of tracing."""


def is_data(annotation: Any) -> bool:
    """Tell whether a field with this annotation is traced data rather than structure."""
    if annotation is float:
        return True
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return issubclass(annotation, Component)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return all(a is type(None) or is_data(a) for a in arguments)
    if origin is tuple:
        return all(a is Ellipsis or is_data(a) for a in arguments)
    return False


def components_in(component: Component) -> Iterator[Component]:
    """Yield a component and every component in its fields, depth first."""
    yield component
    for field in dataclasses.fields(component):  # type: ignore[arg-type]  # every subclass is a dataclass
        value = getattr(component, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Component):
                yield from components_in(item)


def lists_to_tuples(component: Component) -> Component:
    """Return the component with every list in its fields made a tuple, also in the components inside."""

    def convert(value: Any) -> Any:
        if isinstance(value, Component):
            return lists_to_tuples(value)
        return (
            tuple(convert(v) for v in value)
            if isinstance(value, list | tuple) and type(value) in (list, tuple)
            else value
        )

    names = [field.name for field in dataclasses.fields(component)]  # type: ignore[arg-type]  # as above
    return dataclasses.replace(component, **{name: convert(getattr(component, name)) for name in names})  # type: ignore[type-var]


def check_structure(component: Component) -> None:
    """Raise TypeError when a structure field holds a value that cannot be hashed, naming the field.

    Raises
    ------
    TypeError
        If a field that is not traced holds an array, a dict or anything else unhashable.
    """
    for part in components_in(component):
        hints = _field_types(type(part))
        for field in dataclasses.fields(part):  # type: ignore[arg-type]  # every subclass is a dataclass
            if is_data(hints[field.name]) and not field.metadata.get("static"):
                continue
            value = getattr(part, field.name)
            try:
                hash(value)
            except TypeError as err:
                raise TypeError(
                    f"The field {field.name!r} of {type(part).__name__} must be hashable, since it decides which program "
                    f"is compiled. Got {type(value).__name__} instead. Give numbers, strings, tuples or functions."
                ) from err


def _register_pytree(cls: type[Component]) -> None:
    """Register with the class as part of the structure, and without running the constructor on tracers.

    Trees of `jax.tree_util.register_dataclass` compare equal whatever their class is, if their fields do
    (jax 0.10.2: `tree.structure(A()) == tree.structure(B())`), which no cache of programs can live with.
    The names of the fields are read at each call: cloudpickle fills a class only after it was registered.
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


def _refuse_unannotated(cls: type) -> None:
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


def _class_variables(cls: type) -> set[str]:
    return {name for name, hint in inspect.get_annotations(cls).items() if "ClassVar" in str(hint)}


def _field_types(cls: type) -> dict[str, Any]:
    """Return the resolved annotation of each field; one that cannot be resolved counts as structure."""
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        scope = {**vars(sys.modules.get(base.__module__, typing)), base.__name__: base}
        for name, hint in inspect.get_annotations(base).items():
            if isinstance(hint, str):
                try:
                    hint = eval(hint, scope, dict(vars(base)))  # as typing.get_type_hints does
                except (NameError, AttributeError, TypeError, SyntaxError):
                    hint = object
            hints[name] = hint
    return hints
