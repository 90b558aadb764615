"""Pickling of classes and functions by name, together with the plugin package that they come from.

If a saved model is loaded where its plugin is not installed, the error names the package to install,
instead of pickle's "No module named ...".
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
    """Record the package of a class or function, or of an object's class; `origin` is "name version"."""
    named = value if hasattr(value, "__qualname__") else type(value)
    if named.__module__ not in ("builtins", "functools"):
        _origins[named] = origin


def origin_of(value: Any) -> str | None:
    """Return the recorded package of a class or function as "name version", or None."""
    try:
        return _origins.get(value)
    except TypeError:  # a value without hash or weak references cannot have been recorded
        return None


def picklable(value: Any) -> Any:
    """Return an object that pickles in place of the value, or the value itself if it pickles well.

    Linen modules are pickled by the fields that differ from their defaults, because they also have a random id, and
    because pickle refuses some functions that Flax has as defaults. Classes and functions of plugins are pickled with the
    name of their package.
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
        return ByName(module, name, origin)
    return value


def _given_fields(module: Any) -> list[str]:
    """Return the fields of a linen module that do not hold their default."""
    fields = constructor_fields(module)
    return [field.name for field in fields if getattr(module, field.name) is not field.default]


def found_by(module: str, name: str) -> Any:
    """Return the object of this name in a loaded module, or None."""
    try:
        return operator.attrgetter(name)(sys.modules.get(module))
    except AttributeError:
        return None


def reduced(value: Any, names: Iterable[str]) -> Any:
    """Return the value for `__reduce__` of an object: it is made again from its class and the named fields."""
    return make, (picklable(type(value)), {name: picklable(getattr(value, name)) for name in names})


class ByName:
    """Replaces an importable object in a pickle."""

    def __init__(self, module: str, name: str, origin: str | None) -> None:
        self._path = (module, name, origin)

    def named(self) -> Any:
        """Return the object that this one replaces."""
        return import_name(*self._path)

    def __reduce__(self) -> Any:
        return import_name, self._path


class _Made:
    """Replaces a linen module in a pickle."""

    def __init__(self, cls: Any, fields: dict[str, Any]) -> None:
        self._call = (cls, fields)

    def __reduce__(self) -> Any:
        return make, self._call


def import_name(module: str, name: str, origin: str | None = None) -> Any:
    """Import a module and return its object of this name; called when a pickle is loaded.

    Raises
    ------
    PluginLoadError
        If that fails, and the object's package (`origin`, "name version") is known.
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
            f"Install {package} (version {origin.partition(' ')[2]} was used), then load the model again."
        ) from err


def make(cls: type, fields: dict[str, Any]) -> Any:
    """Return an object from its class and fields; called when a pickle is loaded."""
    return cls(**fields)
