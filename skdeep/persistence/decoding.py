"""From JSON and arrays to an estimator's state. Only classes of fixed lists, and components of the registry, are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import sklearn.model_selection
from sklearn.frozen import FrozenEstimator

from skdeep import registry
from skdeep.component import Component
from skdeep.discovery import DISTRIBUTION, GROUPS, LOCAL
from skdeep.errors import ComponentError, CorruptModelError, MissingComponentError, ModelFileError, ModelMismatchError
from skdeep.estimators.resolve import with_names
from skdeep.linen import is_linen_class
from skdeep.persistence.own import Given
from skdeep.persistence.records import ESTIMATORS, RECORDS, SPLITTERS, class_named, made
from skdeep.policy import normalised

Plugins: TypeAlias = Literal["builtin", "installed"] | Iterable[str]

_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_PRIVATE = {"_encoding", "_form", "_history", "_loss", "_memory", "_model", "_other_params", "_temperature"}


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
            "$random_state": self._random_state,
            "$record": lambda node: made(class_named(_known(node["$record"], RECORDS)), self._fields(node)),
            "$registered": lambda node: self._from_registry(*node["$registered"]),
            "$scalar": lambda node: self.value(node["$scalar"])[()],
            "$slice": lambda node: slice(*map(self.value, node["$slice"])),
            "$splitter": self._splitter,
            "$text": _text_array,
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
        if unknown := sorted(params.keys() - names):
            raise ModelMismatchError(
                f"The file gives {cls.__name__} the parameter {unknown[0]!r}, which it does not have here."
            )
        estimator = cls(**self._with_allowed_names(cls, params, node.get("names", [])))
        for name, item in node["fitted"].items():
            if name in names or not (name in _PRIVATE or (name.endswith("_") and not name.startswith("_"))):
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
            here, then = registry.full_id(kind, name), saved.get((kind, name), name)
            self._check_allowed(kind, then)
            return name if here == then else then

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
            return found(**fields)
        except (TypeError, ValueError) as err:
            raise ModelMismatchError(f"{node['$component'][1]!r} does not take the values in the file: {err}") from err

    def _from_registry(self, kind: Any, full_id: Any) -> Any:
        if kind not in GROUPS or not isinstance(full_id, str):
            raise CorruptModelError(f"The file names no kind of component: {str(kind)[:40]!r}.")
        self._check_allowed(kind, full_id)
        try:
            return registry.get(kind, full_id)[1]
        except ComponentError as err:
            raise MissingComponentError(f"The file needs the {kind} {full_id!r}. {err}") from err

    def _check_allowed(self, kind: str, full_id: str) -> None:
        distribution = full_id.rpartition(":")[0]
        if distribution in ("", LOCAL, DISTRIBUTION) or self._plugins == "installed":
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
        return found

    def _splitter(self, node: Any) -> Any:
        cls = getattr(sklearn.model_selection, _known(node["$splitter"], SPLITTERS))
        found = object.__new__(cls)
        for name, item in node["attributes"].items():
            if name.startswith("_") or callable(getattr(cls, name, None)):
                raise ModelMismatchError(f"The file gives {cls.__name__} the attribute {name!r}.")
            setattr(found, name, self.value(item))
        return found


def _known(name: Any, names: Iterable[str]) -> str:
    if not isinstance(name, str) or name not in names:
        raise ModelMismatchError(f"The file names the class {str(name)[:80]!r}, which model files do not hold.")
    return name


def _dtype(text: Any, kinds: str) -> np.dtype[Any]:
    """Return the type of text or of times that a string names, of these kinds only."""
    found = np.dtype(text) if isinstance(text, str) else np.dtype(object)
    if found.kind not in kinds:
        raise ModelMismatchError(f"The file names the type {str(text)[:40]!r}.")
    return found


def _text_array(node: Any) -> Any:
    dtype = _dtype(node["$text"], "U")
    values = node["values"]
    if not all(isinstance(item, str) for item in values) or dtype.itemsize > 4 * max([1, *map(len, values)]) + 4096:
        raise CorruptModelError("The file holds a malformed array of strings.")
    return np.array(values, dtype).reshape(node["shape"])
