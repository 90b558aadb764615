"""From an estimator's state to JSON and arrays. Values that cannot be stored raise, with the ways out."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from sklearn.frozen import FrozenEstimator

from skdeep import registry
from skdeep.component import Component
from skdeep.discovery import GROUPS
from skdeep.errors import UnserializableParameterError
from skdeep.estimators.missing import Missing
from skdeep.estimators.nested import full_ids_of_names
from skdeep.linen import constructor_fields, is_linen_class
from skdeep.persistence.container import is_storable
from skdeep.persistence.of_scikit_learn import REQUESTS, arguments_of_splitter, parts_of_scorer, requests_of
from skdeep.persistence.own import OwnObjects
from skdeep.persistence.records import (
    ESTIMATORS,
    MOST_TEXT_BYTES,
    NOT_STORED,
    fields_of_record,
    is_attribute_of_fit,
    name_of,
)
from skdeep.registry import CarriedName

_COMPONENTS = ("$component", "$registered")
_LARGEST_INT = 10**30


class Encoder:
    """Encodes values; `arrays` collects the arrays, `components` the ids of registered components.

    Parameters
    ----------
    own : OwnObjects
        The objects of the user that are given again at load.
    """

    def __init__(self, own: OwnObjects) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.components: set[tuple[str, str]] = set()
        self._own = own
        self._random_states: list[np.random.RandomState] = []
        self._text_bytes = 0

    def value(self, value: Any, where: str) -> Any:
        """Return the JSON of a value; `where` is its place in the estimator, for the names of arrays and for errors.

        Raises
        ------
        UnserializableParameterError
            If the value, or a part of it, cannot be stored.
        """
        if value is None or type(value) in (bool, str):
            return value
        if isinstance(value, CarriedName):
            return str(value)
        if type(value) is int and abs(value) < _LARGEST_INT:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if (place := self._own.place_of(value)) is not None:
            return {"$own": place}
        if type(value) is list:
            return [self.value(item, f"{where}/{i}") for i, item in enumerate(value)]
        if type(value) is tuple:
            return {"$tuple": [self.value(item, f"{where}/{i}") for i, item in enumerate(value)]}
        if type(value) is dict:
            return self._dict(value, where)
        return self._object(value, where)

    def _dict(self, value: Mapping[Any, Any], where: str) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.value(item, f"{where}/{key}") for key, item in value.items()}
        pairs = [
            [self.value(key, where), self.value(item, f"{where}/{i}")] for i, (key, item) in enumerate(value.items())
        ]
        return {"$dict": pairs}

    def _object(self, value: Any, where: str) -> Any:
        cls = type(value)
        if isinstance(value, np.generic):
            plain = value.dtype.kind in "biu"
            return (
                {"$number": [value.dtype.str, int(value)]}
                if plain
                else {"$scalar": self._array(np.asarray(value), where)}
            )
        if _is_array(value):
            return self._array(np.asarray(value), where)
        if cls is slice:
            return {"$slice": [self.value(item, where) for item in (value.start, value.stop, value.step)]}
        if cls is Missing:
            return self._kept(value, value.node)
        if (name := name_of(cls)) is not None:
            return (
                {"$estimator": self.estimator(value, where)} if name in ESTIMATORS else self._record(name, value, where)
            )
        if (found := self._registered(value, where)) is not None:
            return found
        return self._of_scikit_learn(value, where)

    def estimator(self, estimator: Any, where: str = "") -> dict[str, Any]:
        """Return the JSON of an estimator of skdeep: its class, parameters and fitted attributes."""
        start = f"{where}/" if where else ""
        names = estimator._get_param_names()
        state = vars(estimator)
        fitted = {name: value for name, value in state.items() if name not in names and name != REQUESTS}
        requests = requests_of(estimator)
        if unknown := [name for name in fitted if not is_attribute_of_fit(name)]:
            raise UnserializableParameterError(_refusal(fitted[unknown[0]], f"{start}{unknown[0]}"))
        return {
            "class": type(estimator).__name__,
            "names": [[*name, full_id] for name, full_id in sorted(full_ids_of_names(estimator).items())],
            "params": {name: self.value(state[name], f"{start}{name}") for name in names if name not in NOT_STORED},
            "fitted": {name: self.value(value, f"{start}{name}") for name, value in fitted.items()},
            **({"requests": requests} if requests else {}),
        }

    def _kept(self, missing: Missing, node: Any) -> Any:
        """Return a node as it was in the file that the estimator was loaded from, with its arrays and components."""
        if isinstance(node, list):
            return [self._kept(missing, item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$array" in node:
            return {**node, **self._array(missing.arrays[node["$array"]], node["$array"])}
        self.components.update((kind, name) for kind, name in (node[tag] for tag in _COMPONENTS if tag in node))
        return {key: self._kept(missing, item) for key, item in node.items()}

    def _record(self, name: str, value: Any, where: str) -> dict[str, Any]:
        fields = fields_of_record(value).items()
        return {"$record": name, "fields": {key: self.value(item, f"{where}/{key}") for key, item in fields}}

    def _registered(self, value: Any, where: str) -> Any:
        """Return the JSON of a component, class or function that the registry knows; None for others."""
        named = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
        for kind in (value.kind,) if isinstance(value, Component) else GROUPS:
            full_id = registry.id_of(kind, named)
            if full_id is None:
                continue
            self.components.add((kind, full_id))
            if named is value:
                return {"$registered": [kind, full_id]}
            fields = self._fields_of(value)
            return {
                "$component": [kind, full_id],
                "fields": {name: self.value(item, f"{where}/{name}") for name, item in fields.items()},
            }
        return None

    def _fields_of(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Component):
            return fields_of_record(value)
        fields = constructor_fields(value) if is_linen_class(type(value)) else ()
        given = {field.name: getattr(value, field.name) for field in fields}
        return {field.name: given[field.name] for field in fields if given[field.name] is not field.default}

    def _of_scikit_learn(self, value: Any, where: str) -> Any:
        cls = type(value)
        if cls is FrozenEstimator and name_of(type(value.estimator)) in ESTIMATORS:
            return {"$frozen": self.estimator(value.estimator, where)}
        if cls is np.random.RandomState and value.get_state(legacy=False)["bit_generator"] == "MT19937":
            return self._random_state(value, where)
        if (arguments := arguments_of_splitter(value)) is not None:
            return {"$splitter": cls.__name__, "arguments": self._dict(arguments, where)}
        if (parts := parts_of_scorer(value)) is not None:
            return {"$scorer": self._dict(parts, where)}
        raise UnserializableParameterError(_refusal(value, where))

    def _random_state(self, value: np.random.RandomState, where: str) -> dict[str, Any]:
        """Return a generator, or the number of one that was stored before: two parameters may share it."""
        for i, known in enumerate(self._random_states):
            if known is value:
                return {"$same_random_state": i}
        self._random_states.append(value)
        return {"$random_state": self.value(value.get_state(legacy=True), where)}

    def _array(self, array: np.ndarray, where: str) -> dict[str, Any]:
        if array.dtype.kind in "mM":
            return {"$time": array.dtype.str, "values": self._array(array.astype("int64", copy=False), where)}
        if array.dtype.kind == "U":
            self._text_bytes += array.nbytes
            if self._text_bytes > MOST_TEXT_BYTES:
                raise UnserializableParameterError(
                    f"The arrays of strings, the last of them {where}, take more than {MOST_TEXT_BYTES} bytes of memory. Give shorter strings."
                )
            return {"$text": array.dtype.str, "shape": list(array.shape), "values": array.ravel().tolist()}
        if array.dtype.kind == "O":
            items = [self.value(item, f"{where}/{i}") for i, item in enumerate(array.ravel().tolist())]
            return {"$objects": items, "shape": list(array.shape)}
        if not is_storable(array):
            raise UnserializableParameterError(
                f"{where or 'A value'} is an array of type {array.dtype} with {array.ndim} axes, which a model file cannot hold. "
                "Convert it to numbers, or save the estimator with joblib.dump, whose files run code when they are loaded."
            )
        name = where.encode("ascii", "backslashreplace").decode()
        while name in self.arrays:
            name += "'"
        self.arrays[name] = array
        return {"$array": name} if array.dtype.isnative else {"$array": name, "dtype": array.dtype.str}


def _is_array(value: Any) -> bool:
    if isinstance(value, jax.Array):
        return not jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
    return isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray | np.matrix)


def _refusal(value: Any, where: str) -> str:
    return (
        f"A model file holds no code, so {where} = {str(value)[:100]!r} of type {type(value).__module__}.{type(value).__qualname__} cannot "
        "be stored. Use a registered component (@skdeep.register, or a plugin) or plain values instead, or save the estimator with "
        "joblib.dump, whose files run code when they are loaded."
    )
