"""The objects of users that a model file names but does not hold: their modules, components and functions.

They are given again to `load` under the name of the parameter that holds them, as they were given to the estimator. A place is this
name, then the steps to a part: positions in lists, keys of dicts, fields of components.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sklearn.frozen import FrozenEstimator

from skdeep import registry
from skdeep.component import Component
from skdeep.discovery import GROUPS
from skdeep.errors import MissingComponentError, ModelMismatchError
from skdeep.linen import constructor_fields, is_linen_class
from skdeep.persistence.records import fields_of_record, name_of

Place = list[Any]

_OTHERS = ("scoring",)


class Own(NamedTuple):
    """An object of the user, and its place."""

    value: Any
    place: Place


class OwnObjects:
    """The user's objects in the parameters of an estimator.

    Parameters
    ----------
    estimator : estimator of skdeep
    """

    def __init__(self, estimator: Any) -> None:
        self._found = list(_own_in_estimator(estimator, ""))
        self._by_id = {id(own.value): own.place for own in self._found}

    def place_of(self, value: Any) -> Place | None:
        """Return the place of an object, or of one that equals it, as a clone does; None if it is not the user's."""
        if not callable(value) and not isinstance(value, Component):
            return None
        if id(value) in self._by_id:
            return self._by_id[id(value)]
        same = (own.place for own in self._found if type(own.value) is type(value) and _are_equal(own.value, value))
        return next(same, None)

    def described(self) -> dict[str, Any]:
        """Return by parameter what `load` asks for: names and plain fields, by place."""
        found: dict[str, Any] = {}
        for own in self._found:
            steps = "/".join(map(str, own.place[1:]))
            found.setdefault(own.place[0], {})[steps] = {"name": _name(own.value), "fields": _plain_fields(own.value)}
        return found


class Given:
    """The user's objects as they were given to `load`, checked against the file's description of them.

    Parameters
    ----------
    given : dict
        By parameter.
    described : dict
        As `OwnObjects.described` returned it.

    Raises
    ------
    MissingComponentError
        If a parameter is not given.
    ModelMismatchError
        If an object has another name or other fields than that in the file.
    TypeError
        If a parameter is given that the file does not ask for.
    """

    def __init__(self, given: Mapping[str, Any], described: Mapping[str, Any]) -> None:
        self._given = {name: value for name, value in given.items() if value is not None}
        if unknown := sorted(self._given.keys() - described.keys()):
            raise TypeError(
                f"load() got {unknown[0]}=, but the file holds all of this parameter. "
                f"It asks for: {', '.join(sorted(described)) or 'nothing'}."
            )
        for name, parts in described.items():
            if name not in self._given:
                names = ", ".join(map(_shown, parts.values()))
                raise MissingComponentError(
                    f"The file holds no code, and its {name} is an object of your own: {names}. Give it as it was given to the "
                    f"estimator: load(path, {name}=...)."
                )
            for steps, part in parts.items():
                self._check(name, steps, part)

    def at(self, place: Place) -> Any:
        """Return the object at a place."""
        if not place or place[0] not in self._given:
            raise ModelMismatchError("The file does not list one of the objects of your own that it needs.")
        value = self._given[place[0]]
        for step in place[1:]:
            # Attributes other than fields would let a file reach any object.
            parts = fields_of_record(value) if isinstance(value, Component) else value
            try:
                value = parts[step] if isinstance(parts, list | tuple | dict) else {}[step]
            except (IndexError, KeyError, TypeError) as err:
                raise ModelMismatchError(
                    f"The object given as {place[0]!r} has another form than that in the file: there is no {place[1:]} in it."
                ) from err
        return value

    def _check(self, name: str, steps: str, part: Mapping[str, Any]) -> None:
        value = self.at([name, *(int(step) if step.isdigit() else step for step in steps.split("/") if step)])
        if _name(value) != part.get("name"):
            raise ModelMismatchError(f"The file's {name} is {part.get('name')}, but load() got {_name(value)}.")
        fields = _plain_fields(value)
        for field, stored in dict(part.get("fields") or {}).items():
            if field in fields and fields[field] != stored:
                raise ModelMismatchError(
                    f"The file's {name} is {_shown(part)}, but that given to load() has {field}={fields[field]!r}."
                )


def _own_in_estimator(estimator: Any, prefix: str) -> Iterator[Own]:
    for name in (*estimator._components, *_OTHERS):
        if name in estimator._get_param_names():
            yield from _own_in(getattr(estimator, name), [f"{prefix}{name}"])
    frozen = vars(estimator).get("pretrain")
    if isinstance(frozen, FrozenEstimator):
        yield from _own_in_estimator(frozen.estimator, f"{prefix}pretrain__")


def _own_in(value: Any, place: Place) -> Iterator[Own]:
    """Yield the objects of the user in the value of a parameter."""
    if type(value) in (list, tuple):
        for i, item in enumerate(value):
            yield from _own_in(item, [*place, i])
    elif type(value) is dict:
        for key, item in value.items():
            yield from _own_in(item, [*place, key])
    elif _is_known(value):
        for name, item in fields_of_record(value).items() if isinstance(value, Component) else ():
            yield from _own_in(item, [*place, name])
    elif callable(value) or isinstance(value, Component):
        yield Own(value, place)


def _is_known(value: Any) -> bool:
    """Return whether a file can name an object: if it is plain, a record, or in the registry."""
    if not callable(value) and not isinstance(value, Component):
        return True
    if name_of(type(value)) is not None:
        return True
    named = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
    kinds = (value.kind,) if isinstance(value, Component) else GROUPS
    return any(registry.id_of(kind, named) is not None for kind in kinds)


def _are_equal(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except Exception:  # the user's code
        return False


def _shown(part: Mapping[str, Any]) -> str:
    """Return an object as the file describes it, such as "Net(width=8)"."""
    fields = ", ".join(f"{name}={value!r}" for name, value in dict(part.get("fields") or {}).items())
    return f"{part.get('name')}({fields})" if fields else str(part.get("name"))


def _name(value: Any) -> str:
    return str(getattr(value, "__qualname__", None) or type(value).__qualname__)


def _plain_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a component or module that are plain values, in the form that JSON gives them back."""
    if isinstance(value, Component):
        fields = fields_of_record(value)
    elif is_linen_class(type(value)):
        fields = {field.name: getattr(value, field.name) for field in constructor_fields(value)}
    else:
        return {}
    return {
        name: item
        for name, item in fields.items()
        if type(item) in (bool, int, str) or (type(item) is float and item == item)
    }
