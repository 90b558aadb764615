"""(kind, name) -> component class, lazily, by entry point.

A name is looked up among the built-ins (entry points of our own distribution), then among the
names registered in this process, then among the entry points of other distributions, which are
scanned at the first miss only and again at each later miss. Nothing but the named entry is loaded.
"""

from __future__ import annotations

import functools
import importlib
import re
import threading
from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeVar

from skdeep import errors
from skdeep.contract import KINDS

DISTRIBUTION = "skdeep-flax"
GROUPS = {
    "loss": "skdeep.losses",
    "optimizer": "skdeep.optimizers",
    "schedule": "skdeep.schedules",
    "layer": "skdeep.layers",
    "network": "skdeep.networks",
}

Registered = TypeVar("Registered")

_local: dict[tuple[str, str], Any] = {}
_plugins: dict[tuple[str, str], list[metadata.EntryPoint]] = {}
_lock = threading.RLock()


def get(kind: str, name: str) -> tuple[str, Any]:
    """Return the full id and the object of a name: a component class, a function or a module.

    Parameters
    ----------
    kind : {"loss", "optimizer", "schedule", "layer", "network"}
    name : str
        A bare name, or `distribution:name`, or `local:name`.

    Raises
    ------
    UnknownComponentError, AmbiguousComponentError, PluginLoadError

    Examples
    --------
    >>> from skdeep import registry
    >>> registry.get("optimizer", "adam")
    ('adam', <class 'skdeep.optimizers.adaptive.Adam'>)
    """
    if name in _builtins()[kind]:
        return name, _load(kind, _builtins()[kind][name])
    bare = name.removeprefix("local:")
    if (kind, bare) in _local:
        return f"local:{bare}", _local[kind, bare]
    entry = _find_plugin(kind, name)
    return _full_id(entry), _load(kind, entry)


def names(kind: str) -> list[str]:
    """Return the bare names of a kind: built-in, registered, and those of plugins. Imports none of them."""
    _scan_plugins()
    plugins = [name for (k, name) in _plugins if k == kind]
    return sorted({*_builtins()[kind], *(name for (k, name) in _local if k == kind), *plugins})


def register(kind: str, name: str, *, replace: bool = False) -> Callable[[Registered], Registered]:
    """Make a component known by a name in this process; use as a decorator.

    Parameters
    ----------
    kind : {"loss", "optimizer", "schedule", "layer", "network"}
    name : str
    replace : bool, default=False
        Allow another object to take the place of one registered before.

    Raises
    ------
    ComponentExistsError
        If a built-in has this name, or another object was registered under it and not `replace`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import skdeep
    >>> @skdeep.register("loss", "fourth_power")
    ... def fourth_power(raw, target):
    ...     return jnp.mean((raw - target) ** 4, axis=1)
    >>> model = skdeep.DeepRegressor(loss="fourth_power")
    """
    if kind not in KINDS:
        raise ValueError(f"The kind must be one of {list(KINDS)}. Got {kind!r} instead.")

    def add(registered: Registered) -> Registered:
        if name in _builtins()[kind]:
            raise errors.ComponentExistsError(f"{name!r} is the name of a built-in {kind}. Choose another name.")
        known = _local.get((kind, name), registered)
        if known is not registered and not replace:
            raise errors.ComponentExistsError(
                f"The {kind} {name!r} is registered already, as {known!r}. Pass replace=True to put this one in its place."
            )
        _local[kind, name] = registered
        return registered

    return add


@functools.cache
def _builtins() -> dict[str, dict[str, metadata.EntryPoint]]:
    entries = metadata.distribution(DISTRIBUTION).entry_points
    return {kind: {e.name: e for e in entries if e.group == group} for kind, group in GROUPS.items()}


def _find_plugin(kind: str, name: str) -> metadata.EntryPoint:
    with _lock:
        _scan_plugins()
        distribution, _, bare = name.rpartition(":")
        found = [e for e in _plugins.get((kind, bare), []) if not distribution or _full_id(e) == name]
    if not found:
        raise errors.UnknownComponentError(errors.unknown_name(kind, name, names(kind)))
    if len(found) > 1:
        ids = ", ".join(sorted(map(_full_id, found)))
        raise errors.AmbiguousComponentError(f"More than one package offers the {kind} {name!r}. Name one of: {ids}.")
    return found[0]


def _scan_plugins() -> None:
    importlib.invalidate_caches()
    with _lock:
        _plugins.clear()
        for kind, group in GROUPS.items():
            for entry in metadata.entry_points(group=group):
                known = _plugins.setdefault((kind, entry.name), [])
                if _distribution(entry) != DISTRIBUTION and _full_id(entry) not in map(_full_id, known):
                    known.append(entry)
        for key in [key for key, entries in _plugins.items() if not entries]:
            del _plugins[key]


def _load(kind: str, entry: metadata.EntryPoint) -> Any:
    try:
        return entry.load()
    except (Exception, SystemExit) as err:
        raise errors.PluginLoadError(
            f"The {kind} {_full_id(entry)!r} could not be loaded from {entry.value!r}: {type(err).__name__}: {err}. "
            "Update or uninstall the package that offers it."
        ) from err


def _distribution(entry: metadata.EntryPoint) -> str:
    name = entry.dist.name if entry.dist else ""
    return re.sub(r"[-_.]+", "-", name).lower()


def _full_id(entry: metadata.EntryPoint) -> str:
    return f"{_distribution(entry)}:{entry.name}"


def builtin_name(kind: str, cls: type) -> str | None:
    """Return the name that a built-in class has as an entry point, without loading any."""
    value = f"{GROUPS[kind]}:{cls.__name__}"
    if not cls.__module__.startswith(f"{GROUPS[kind]}"):
        return None
    return next((name for name, entry in _builtins()[kind].items() if entry.value == value), None)
