"""From JSON and arrays to an estimator's state. Only classes of fixed lists, and components of the registry, are made."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from sklearn.frozen import FrozenEstimator

from skdeep import registry
from skdeep.component import Component, fields_of
from skdeep.discovery import GROUPS
from skdeep.errors import CorruptModelError, MissingComponentError, ModelFileError, ModelMismatchError
from skdeep.estimators.missing import Missing
from skdeep.estimators.resolve import with_names
from skdeep.linen import is_linen_class
from skdeep.persistence.lookup import Lookup, Plugins
from skdeep.persistence.of_scikit_learn import scorer_from, set_requests, splitter_named
from skdeep.persistence.own import Given
from skdeep.persistence.records import (
    ESTIMATORS,
    FOR_TRAINING,
    MOST_TEXT_BYTES,
    NOT_STORED,
    RECORDS,
    class_named,
    is_attribute_of_fit,
    made,
)

FullIds: TypeAlias = dict[tuple[str, str], str]

# Parts of the estimator that other values may refer to.
_SHARED = {"$own", "$random_state", "$same_random_state", "$estimator", "$frozen"}
_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_TYPE = re.compile(r"[<>|=]?(U\d{1,9}|[mM]8(\[\d{0,6}[A-Za-z]+\])?|b1|[iu][1248]|f[248])")


class Decoder:
    """Decodes values.

    Parameters
    ----------
    arrays : dict
        The arrays of the file, by name. Each is used once.
    given : Given
        The objects of the user.
    plugins : {"builtin", "installed"} or list of str
        The components that may be loaded: built-in ones, those of all installed packages, or those of these distributions.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], given: Given, plugins: Plugins) -> None:
        self._arrays, self._given = dict(arrays), given
        self._random_states: list[np.random.RandomState] = []
        self._text_bytes = 0
        self._taken: list[tuple[str, np.ndarray]] | None = None
        self._lookup = Lookup(plugins)
        self._readers: dict[str, Callable[[Any], Any]] = {
            "$array": self._array,
            "$component": self._component,
            "$dict": lambda node: {self._hashable(key): self.value(item) for key, item in node["$dict"]},
            "$estimator": lambda node: self.estimator(node["$estimator"]),
            "$float": lambda node: _FLOATS[node["$float"]],
            "$frozen": lambda node: FrozenEstimator(self.estimator(node["$frozen"])),
            "$objects": self._objects,
            "$own": lambda node: self._given.at(node["$own"]),
            "$number": lambda node: _dtype(node["$number"][0], "biu").type(node["$number"][1]),
            "$random_state": self._random_state,
            "$same_random_state": lambda node: self._random_states[node["$same_random_state"]],
            "$record": self._record,
            "$registered": lambda node: self._lookup.get(*node["$registered"]),
            "$scalar": lambda node: self.value(node["$scalar"])[()],
            "$slice": lambda node: slice(*map(self.value, node["$slice"])),
            "$scorer": lambda node: scorer_from(self.value(node["$scorer"])),
            "$splitter": lambda node: splitter_named(node["$splitter"], self.value(node["arguments"])),
            "$text": self._text_array,
            "$time": self._times,
            "$tuple": lambda node: tuple(map(self.value, node["$tuple"])),
        }

    def value(self, node: Any) -> Any:
        """Return the value of a JSON node.

        Raises
        ------
        CorruptModelError
            If the node is of no known form.
        MissingComponentError
            If a component is not available here, or `plugins` excludes it.
        ModelMismatchError
            If a class does not take the values that the file holds for it.
        """
        if isinstance(node, list):
            return [self.value(item) for item in node]
        if not isinstance(node, dict):
            return node
        tag = next((key for key in node if key.startswith("$")), None)
        if tag is None:
            return {key: self.value(item) for key, item in node.items()}
        if tag not in self._readers:
            raise CorruptModelError(f"The file holds a value of the unknown form {tag!r}.")
        try:
            return self._readers[tag](node)
        except ModelFileError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as err:
            raise CorruptModelError(f"The file holds a malformed {tag[1:]}: {type(err).__name__}: {err}.") from err

    def estimator(self, node: Any) -> Any:
        """Return an estimator from its class, parameters and fitted attributes."""
        if not (
            isinstance(node, dict) and isinstance(node.get("params"), dict) and isinstance(node.get("fitted"), dict)
        ):
            raise CorruptModelError("The file holds no estimator.")
        cls = class_named(_known(node.get("class"), ESTIMATORS))
        names = set(cls._get_param_names())
        if unknown := sorted(node["params"].keys() - (names - NOT_STORED)):
            raise ModelMismatchError(
                f"The file gives {cls.__name__} the parameter {unknown[0]!r}, which it does not have here."
            )
        full_ids = _full_ids(node.get("names", []))
        estimator = cls(**{name: self._param(cls, name, item, full_ids) for name, item in node["params"].items()})
        for name, item in node["fitted"].items():
            if name in names or not is_attribute_of_fit(name):
                raise ModelMismatchError(f"The file gives {cls.__name__} the attribute {name!r}, which no fit sets.")
            estimator.__dict__[name] = self._for_training(item) if name in FOR_TRAINING else self.value(item)
        if "requests" in node:
            set_requests(estimator, node["requests"])
        return estimator

    def _param(self, cls: Any, name: str, node: Any, full_ids: FullIds) -> Any:
        """Return the value of a parameter, `Missing` if only training needs it and a component is not available.

        A name is replaced by its full id if it means another component here than when it was saved.
        """
        kind = cls._components.get(name)

        def checked(kind: str, name: str) -> str:
            then = full_ids.get((kind, name), name)
            self._lookup.check_allowed(kind, then)
            return name if registry.full_id(kind, name) == then else then

        def known(kind: str, name: str) -> str:
            found = checked(kind, name)
            if ":" in found:
                self._lookup.check_known(kind, found)
            return found

        if name not in FOR_TRAINING:
            return self._named(kind, self.value(node), checked)
        names = [[*key, full_id] for key, full_id in full_ids.items() if key[0] == kind]
        return self._for_training(node, lambda value: self._named(kind, value, known), names)

    def _named(self, kind: str | None, value: Any, rename: Callable[[str, str], str]) -> Any:
        return value if kind is None or value is None else with_names(kind, value, rename)

    def _for_training(
        self, node: Any, then: Callable[[Any], Any] = lambda value: value, names: list[list[str]] | None = None
    ) -> Any:
        """Return `then(value)` of a node that prediction does not need; `Missing` if a component in it is not available."""
        outer, self._taken = self._taken, []
        try:
            return then(self.value(node))
        except MissingComponentError as err:
            parts = _parts_of(node)
            if any(_SHARED & part.keys() for part in parts):
                raise
            self._arrays.update(self._taken)
            self._taken = []
            arrays = {name: self.value({"$array": name}) for name in _names_of_arrays(parts)}
            return Missing(str(err), node, arrays, names or [])
        finally:
            if outer is not None:
                outer += self._taken
            self._taken = outer

    def check_all_used(self) -> None:
        """Raise CorruptModelError if arrays are left that no value used."""
        if self._arrays:
            raise CorruptModelError(f"The file holds the array {min(self._arrays)!r}, which belongs to nothing.")

    def _array(self, node: Any) -> Any:
        array = self._arrays.pop(node["$array"])
        if self._taken is not None:
            self._taken.append((node["$array"], array))
        if "dtype" not in node:
            return np.array(array)
        dtype = _dtype(node["dtype"], "biuf")
        if dtype.newbyteorder("=") != array.dtype:
            raise ModelMismatchError(
                f"The file gives an array the type {dtype}, but its values are of type {array.dtype}."
            )
        return array.astype(dtype)

    def _times(self, node: Any) -> Any:
        dtype = _dtype(node["$time"], "mM")
        return self.value(node["values"]).view(dtype.newbyteorder("=")).astype(dtype, copy=False)

    def _objects(self, node: Any) -> Any:
        found = np.empty(len(node["$objects"]), object)
        found[:] = [self.value(item) for item in node["$objects"]]
        return found.reshape(node["shape"])

    def _hashable(self, node: Any) -> Any:
        value = self.value(node)
        hash(value)
        return value

    def _fields(self, node: Any) -> dict[str, Any]:
        return {str(name): self.value(item) for name, item in node["fields"].items()}

    def _record(self, node: Any) -> Any:
        name = _known(node["$record"], RECORDS)
        fields = {
            field: self._for_training(item) if (name, field) == ("Memory", "optimizer") else self.value(item)
            for field, item in node["fields"].items()
        }
        return self._checked(made(class_named(name), fields))

    def _component(self, node: Any) -> Any:
        found = self._lookup.get(*node["$component"])
        if not (isinstance(found, type) and (issubclass(found, Component) or is_linen_class(found))):
            raise ModelMismatchError(
                f"{node['$component'][1]!r} was a class when the file was saved, and is {found!r} now."
            )
        fields = self._fields(node)
        try:
            component = found(**fields)
        except (TypeError, ValueError) as err:
            raise ModelMismatchError(f"{node['$component'][1]!r} does not take the values in the file: {err}") from err
        return self._checked(component)

    def _checked(self, value: Any) -> Any:
        """Return a component after a check of the names in its fields, which `fit` would look up."""
        for field in fields_of(type(value)) if isinstance(value, Component) else ():
            if field.kind in GROUPS and (held := getattr(value, field.name)) is not None:
                with_names(field.kind, held, self._allowed_name)
        return value

    def _allowed_name(self, kind: str, name: str) -> str:
        self._lookup.check_allowed(kind, name)
        return name

    def _random_state(self, node: Any) -> np.random.RandomState:
        found = np.random.RandomState()
        found.set_state(self.value(node["$random_state"]))
        self._random_states.append(found)
        return found

    def _text_array(self, node: Any) -> Any:
        dtype, values = _dtype(node["$text"], "U"), node["values"]
        self._text_bytes += dtype.itemsize * len(values)
        if self._text_bytes > MOST_TEXT_BYTES or not all(isinstance(item, str) for item in values):
            raise CorruptModelError("The file holds an array of strings that is malformed or too large.")
        return np.array(values, dtype).reshape(node["shape"])


def _full_ids(names: Any) -> FullIds:
    """Return the full ids of the components that parameters named when the file was saved, by kind and name."""
    try:
        return {(str(kind), str(name)): str(full_id) for kind, name, full_id in names}
    except (TypeError, ValueError) as err:
        raise CorruptModelError("The file has a malformed list of names of components.") from err


def _parts_of(node: Any) -> list[dict[str, Any]]:
    """Return all dicts in a node."""
    found, waiting = [], [node]
    while waiting:
        part = waiting.pop()
        found += [part] if isinstance(part, dict) else []
        waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return found


def _names_of_arrays(parts: list[dict[str, Any]]) -> list[Any]:
    """Return the names of the arrays in a node that is kept as data; raise CorruptModelError if it names a component in another form."""
    for part in parts:
        for named in (part[tag] for tag in ("$component", "$registered") if tag in part):
            if not (isinstance(named, list) and list(map(type, named)) == [str, str]):
                raise CorruptModelError("The file holds a malformed component.")
    return [part["$array"] for part in parts if "$array" in part]


def _known(name: Any, names: Iterable[str]) -> str:
    if not isinstance(name, str) or name not in names:
        raise ModelMismatchError(f"The file names the class {str(name)[:80]!r}, which model files do not hold.")
    return name


def _dtype(text: Any, kinds: str) -> np.dtype[Any]:
    """Return the type of text or of times that a string names, of these kinds only."""
    found = np.dtype(text) if isinstance(text, str) and _TYPE.fullmatch(text) else np.dtype(object)
    if found.kind not in kinds:
        raise ModelMismatchError(f"The file names the type {str(text)[:40]!a}.")
    return found
