"""The objects of users that a model file names but does not hold: their modules, components and functions.

They are given again to `load` under the name of the parameter that holds them, as they were given to the estimator. A place is this
name, then the steps to a part: positions in lists, keys of dicts, fields of components.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from sklearn.frozen import FrozenEstimator

from skdeep import registry
from skdeep.annotations import without_numpy
from skdeep.component import Component
from skdeep.discovery import GROUPS
from skdeep.errors import CorruptModelError, MissingComponentError, ModelMismatchError
from skdeep.linen import is_linen_class, user_fields, values_of
from skdeep.persistence.of_scikit_learn import parts_of_scorer
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

    def described(self) -> dict[str, list[Any]]:
        """Return by parameter what `load` asks for: the place, name and fields of each object."""
        found: dict[str, list[Any]] = {}
        for own in self._found:
            part = {"place": own.place[1:], "name": _name(own.value), "fields": _fields_of(own.value)}
            found.setdefault(own.place[0], []).append(part)
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

    def __init__(self, given: Mapping[str, Any], described: Any) -> None:
        if not _is_description(described):
            raise CorruptModelError("The manifest has no valid list of objects to give.")
        self._given = {name: value for name, value in given.items() if value is not None}
        if unknown := sorted(self._given.keys() - described.keys()):
            raise TypeError(
                f"load() got {unknown[0]}=, but the file holds all of this parameter. "
                f"It asks for: {', '.join(sorted(described)) or 'nothing'}."
            )
        for name, parts in described.items():
            if name not in self._given:
                raise MissingComponentError(
                    f"The file holds no code, and its {name} is an object of your own: {', '.join(map(_shown, parts))}. Give it as it "
                    f"was given to the estimator: load(path, {name}=...)."
                )
            for part in parts:
                self._check(name, part)

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

    def _check(self, name: str, part: Mapping[str, Any]) -> None:
        value = self.at([name, *part["place"]])
        if _name(value) != part["name"]:
            raise ModelMismatchError(f"The file's {name} is {part['name']}, but load() got {_name(value)}.")
        fields, stored = _fields_of(value), part["fields"]
        for field in (*stored, *fields):
            if fields.get(field, self) != stored.get(field, self):
                raise ModelMismatchError(
                    f"The file's {name} is {_shown(part)}, but that given to load() has {field}={fields.get(field)!r}."
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
    if name_of(type(value)) is not None or parts_of_scorer(value) is not None:
        return True
    named = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
    kinds = (value.kind,) if isinstance(value, Component) else GROUPS
    return any(registry.id_of(kind, named) is not None for kind in kinds)


def _are_equal(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except Exception:  # the user's code
        return False


def _is_description(described: Any) -> bool:
    return isinstance(described, dict) and all(
        isinstance(parts, list) and parts and all(map(_is_part, parts)) for parts in described.values()
    )


def _is_part(part: Any) -> bool:
    kinds = {"place": list, "name": str, "fields": dict}
    return isinstance(part, dict) and all(isinstance(part.get(key), kind) for key, kind in kinds.items())


def _shown(part: Mapping[str, Any]) -> str:
    """Return an object as the file describes it, such as "Net(width=8)"."""
    fields = ", ".join(f"{name}={value!r}" for name, value in part["fields"].items() if value is not None)
    return f"{part['name']}({fields})" if fields else str(part["name"])


def _name(value: Any) -> str:
    return str(getattr(value, "__qualname__", None) or type(value).__qualname__)


def _fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of a component or module, as JSON that tells different values apart."""
    if isinstance(value, Component):
        return {name: _comparable(item) for name, item in fields_of_record(value).items()}
    if is_linen_class(type(value)):
        return {name: _comparable(item) for name, item in values_of(value, user_fields(value)).items()}
    return {}


def _comparable(value: Any) -> Any:
    """Return JSON that is equal for equal values: arrays by digest, functions and other objects by name."""
    value = without_numpy(value)
    if value is None or type(value) in (bool, int):
        return value
    if isinstance(value, str):
        return str(value)
    if type(value) is float:
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _comparable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | jax.Array):
        array = np.ascontiguousarray(value)
        return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    return {"name": _name(value), "fields": _fields_of(value)}
