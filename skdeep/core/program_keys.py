"""The keys of programs in memory: the structure of their arguments, users' code in it, types, device and settings of JAX."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Hashable
from typing import Any

import jax

from skdeep.component import Component
from skdeep.core.fingerprint import fingerprint, user_functions
from skdeep.core.placement import current_placement
from skdeep.core.settings import current_settings
from skdeep.core.sharding import split_of


class _Same:
    """A hashable tuple of objects that are compared by identity."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self._values = values

    def __hash__(self) -> int:
        return hash(tuple(map(id, self._values)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and all(a is b for a, b in zip(self._values, other._values, strict=True))


def key_of(program: Any, arguments: tuple[Any, ...], leaves: list[Any], tree: Any) -> Hashable:
    """Return the key of a program in the cache.

    If users' code cannot be read, the components in the arguments are part of the key by identity. The program is then found
    again only with the same component objects, that is within one fit.
    """
    read = fingerprint(arguments)
    same = _Same(tuple(argument for argument in arguments if isinstance(argument, Component)))
    leaf_types = tuple(map(abstract, leaves))
    return program, tree, read if read.is_complete else same, leaf_types, current_placement(), current_settings()


code_version = jax.make_user_context(0)
"""The context manager that makes a number (`current_version`) a part of the keys of JAX's own caches."""

_versions: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_n_changes = 0
_lock = threading.Lock()


def current_version(arguments: tuple[Any, ...]) -> int:
    """Return a number that grows if a user's function, or a value that it uses, changed since its last trace.

    JAX caches the traces of functions that are jitted or passed to `lax.scan` and similar operations, with the function object
    as key. With this number in the user context, the number is part of the key.
    """
    global _n_changes
    with _lock:
        has_changed = not fingerprint(arguments).is_complete
        for function, version in user_functions(arguments):
            has_changed |= _versions.setdefault(function, version) != version
            _versions[function] = version
        _n_changes += has_changed
        return _n_changes


def abstract(leaf: Any) -> tuple[tuple[int, ...], Any, Any]:
    """Return the shape and the dtype of an array, and how it is split over several devices."""
    return leaf.shape, leaf.dtype, split_of(leaf)
