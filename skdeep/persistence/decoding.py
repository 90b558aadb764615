"""From JSON and arrays to an estimator's state. Only classes of fixed lists, and components of the registry, are made."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import sklearn.model_selection
from sklearn.frozen import FrozenEstimator

from skdeep import registry
from skdeep.component import Component, fields_of
from skdeep.discovery import DISTRIBUTION, GROUPS, LOCAL
from skdeep.errors import ComponentError, CorruptModelError, MissingComponentError, ModelFileError, ModelMismatchError
from skdeep.estimators.resolve import with_names
from skdeep.linen import is_linen_class
from skdeep.persistence.own import Given
from skdeep.persistence.records import (
    ESTIMATORS,
    MOST_TEXT_BYTES,
    NOT_STORED,
    RECORDS,
    SPLITTERS,
    class_named,
    is_attribute_of_fit,
    made,
)
from skdeep.policy import normalised

Plugins: TypeAlias = Literal["builtin", "installed"] | Iterable[str]

_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_TYPE = re.compile(r"[<>|=]?(U\d{1,9}|[mM]8(\[\d{0,6}[A-Za-z]+\])?|b1|[iu][1248])")


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
        if isinstance(plugins, str) and plugins not in ("builtin", "installed"):
            raise ValueError(
                f"plugins must be 'builtin', 'installed' or a list of distributions. Got {plugins!r} instead."
            )
        self._plugins = plugins if isinstance(plugins, str) else frozenset(normalised(name) for name in plugins)
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
            "$record": lambda node: self._checked(
                made(class_named(_known(node["$record"], RECORDS)), self._fields(node))
            ),
            "$registered": lambda node: self._from_registry(*node["$registered"]),
            "$scalar": lambda node: self.value(node["$scalar"])[()],
            "$slice": lambda node: slice(*map(self.value, node["$slice"])),
            "$splitter": self._splitter,
            "$text": self._text_array,
            "$time": lambda node: self.value(node["values"]).view(_dtype(node["$time"], "mM")),
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
        params = {name: self.value(item) for name, item in node["params"].items()}
        names = set(cls._get_param_names())
        if unknown := sorted(params.keys() - (names - NOT_STORED)):
            raise ModelMismatchError(
                f"The file gives {cls.__name__} the parameter {unknown[0]!r}, which it does not have here."
            )
        estimator = cls(**self._with_allowed_names(cls, params, node.get("names", [])))
        for name, item in node["fitted"].items():
            if name in names or not is_attribute_of_fit(name):
                raise ModelMismatchError(f"The file gives {cls.__name__} the attribute {name!r}, which no fit sets.")
            estimator.__dict__[name] = self.value(item)
        return estimator

    def _with_allowed_names(self, cls: Any, params: dict[str, Any], full_ids: Any) -> dict[str, Any]:
        """Return the parameters with names replaced by full ids, where a name means another component here than when it was saved.

        Raises
        ------
        MissingComponentError
            If `plugins` excludes a component that a parameter names.
        """
        try:
            saved = {(str(kind), str(name)): str(full_id) for kind, name, full_id in full_ids}
        except (TypeError, ValueError) as err:
            raise CorruptModelError("The file has a malformed list of names of components.") from err

        def checked(kind: str, name: str) -> str:
            then = saved.get((kind, name), name)
            self._check_allowed(kind, then)
            return name if registry.full_id(kind, name) == then else then

        names = {name: kind for name, kind in cls._components.items() if params.get(name) is not None}
        return {**params, **{name: with_names(kind, params[name], checked) for name, kind in names.items()}}

    def check_all_used(self) -> None:
        """Raise CorruptModelError if arrays are left that no value used."""
        if self._arrays:
            raise CorruptModelError(f"The file holds the array {min(self._arrays)!r}, which belongs to nothing.")

    def _array(self, node: Any) -> Any:
        return np.array(self._arrays.pop(node["$array"]))

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

    def _component(self, node: Any) -> Any:
        found = self._from_registry(*node["$component"])
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

    def _from_registry(self, kind: Any, full_id: Any) -> Any:
        if kind not in GROUPS or not isinstance(full_id, str):
            raise CorruptModelError(f"The file names no kind of component: {str(kind)[:40]!r}.")
        self._check_allowed(kind, full_id)
        try:
            return registry.get(kind, full_id)[1]
        except ComponentError as err:
            raise MissingComponentError(f"The file needs the {kind} {full_id!r}. {err}") from err

    def _checked(self, value: Any) -> Any:
        """Return a component after a check of the names in its fields, which `fit` would look up."""
        for field in fields_of(type(value)) if isinstance(value, Component) else ():
            if field.kind in GROUPS and (held := getattr(value, field.name)) is not None:
                with_names(field.kind, held, self._allowed_name)
        return value

    def _allowed_name(self, kind: str, name: str) -> str:
        self._check_allowed(kind, name)
        return name

    def _check_allowed(self, kind: str, name: str) -> None:
        """Raise MissingComponentError if `plugins` excludes the component that a name or full id means here."""
        if self._plugins == "installed":
            return
        full_id = registry.full_id(kind, name)
        distribution, colon, _ = full_id.partition(":")
        if not colon:
            if full_id in registry.builtin_names(kind) or full_id in registry.registered_names(kind):
                return
            raise MissingComponentError(
                f"The file needs the {kind} {name!r}, which is neither built in nor registered in this process. "
                "Register it, or give plugins='installed' if a package offers it."
            )
        if distribution in (LOCAL, DISTRIBUTION):
            return
        if isinstance(self._plugins, str) or normalised(distribution) not in self._plugins:
            given = self._plugins if isinstance(self._plugins, str) else sorted(self._plugins)
            raise MissingComponentError(
                f"The file needs the {kind} {full_id!r}, which plugins={given!r} excludes. Give "
                f"plugins=[{distribution!r}] if you trust that package."
            )

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

    def _splitter(self, node: Any) -> Any:
        cls = getattr(sklearn.model_selection, _known(node["$splitter"], SPLITTERS))
        return cls(**{str(name): self.value(item) for name, item in node["arguments"].items()})


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
