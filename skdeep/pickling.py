"""How classes and functions enter pickles: by name, with the package that they come from.

A model that was saved with a plugin's component then says, where the plugin is missing, which
package it needs, in place of pickle's bare "No module named".
"""

from __future__ import annotations

import copyreg
import importlib
import operator
import sys
import types
import weakref
from collections.abc import Iterable
from typing import Any

from skdeep import errors
from skdeep.linen import constructor_fields, is_linen_class

_origins: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def note_origin(value: Any, origin: str) -> None:
    """Remember that a class or function, or an object's class, comes from a package, given as "name version"."""
    named = value if hasattr(value, "__qualname__") else type(value)
    if named.__module__ not in ("builtins", "functools"):
        _origins[named] = origin


def origin_of(value: Any) -> str | None:
    """Return the package of a class or function as "name version", if it was noted."""
    try:
        return _origins.get(value)
    except TypeError:  # neither hashable nor weakly referenced: nothing that was noted
        return None


def picklable(value: Any) -> Any:
    """Return a stand-in for what pickle takes badly or without saying where it comes from.

    Linen modules pickle by the fields that they were given: they have a random id beside these, and pickle refuses the
    functions that many of Flax have as defaults. Classes and functions of plugins pickle with the name of their package.
    """
    if type(value) in (tuple, list):
        return type(value)(picklable(item) for item in value)
    if type(value) is dict:
        return {name: picklable(item) for name, item in value.items()}
    if is_linen_class(type(value)):
        return _Made(*reduced(value, _given_fields(value))[1])
    origin = origin_of(value)
    is_known_to_pickle = isinstance(value, type | types.FunctionType) or type(value) in copyreg.dispatch_table
    if origin is None and is_known_to_pickle:
        return value
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if isinstance(module, str) and isinstance(name, str) and found_by(module, name) is value:
        return _ByName(module, name, origin)
    return value


def _given_fields(module: Any) -> list[str]:
    """Return the fields of a linen module that do not hold their default."""
    fields = constructor_fields(module)
    return [field.name for field in fields if getattr(module, field.name) is not field.default]


def found_by(module: str, name: str) -> Any:
    """Return what is found under a name in a loaded module, or None."""
    try:
        return operator.attrgetter(name)(sys.modules.get(module))
    except AttributeError:
        return None


def reduced(value: Any, names: Iterable[str]) -> Any:
    """Return what `__reduce__` of an object must: its class and the named fields, made picklable."""
    return make, (picklable(type(value)), {name: picklable(getattr(value, name)) for name in names})


class _ByName:
    """Stands for an importable object in a pickle."""

    def __init__(self, module: str, name: str, origin: str | None) -> None:
        self._path = (module, name, origin)

    def __reduce__(self) -> Any:
        return import_name, self._path


class _Made:
    """Stands for a linen module in a pickle."""

    def __init__(self, cls: Any, fields: dict[str, Any]) -> None:
        self._call = (cls, fields)

    def __reduce__(self) -> Any:
        return make, self._call


def import_name(module: str, name: str, origin: str | None = None) -> Any:
    """Return what is found under a name in a module, when a pickle is loaded.

    Raises
    ------
    PluginLoadError
        If it is not there, and the package that it comes from is known.
    """
    try:
        found = operator.attrgetter(name)(importlib.import_module(module))
        if origin is not None:
            note_origin(found, origin)  # for the next pickle
        return found
    except (ImportError, AttributeError) as err:
        if origin is None:
            raise
        package = origin.partition(" ")[0]
        raise errors.PluginLoadError(
            f"This model was saved with {module}.{name} of the package {origin}, which cannot be imported here: {err}. "
            f"Install {package} ({origin} is known to fit), then load the model again."
        ) from err


def make(cls: type, fields: dict[str, Any]) -> Any:
    """Return an object of a class and its fields, when a pickle is loaded."""
    return cls(**fields)
