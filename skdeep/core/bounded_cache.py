"""A bounded cache for several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")


class BoundedCache:
    """A cache of at most `size` values, which drops the least recently used. If several threads need a missing value, one makes it.

    Examples
    --------
    >>> from skdeep.core.bounded_cache import BoundedCache
    >>> cache = BoundedCache(1)
    >>> [cache.get(key, key.upper) for key in ("a", "b")]
    ['A', 'B']
    >>> cache.get("b", str), cache.get("a", str)  # "b" is still there, "a" is made again
    ('B', '')
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._pending: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made by `make` if it is missing. What `make` raises is raised, and nothing is kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]  # type: ignore[no-any-return]  # values have the type of their key's maker
            pending = self._pending.setdefault(key, threading.Lock())
        with pending:
            with self._lock:
                if key in self._values:
                    return self._values[key]  # type: ignore[no-any-return]  # as above
            try:
                value = make()
                with self._lock:
                    self._values[key] = value
                    while len(self._values) > self._size:
                        self._values.popitem(last=False)
            finally:
                with self._lock:
                    self._pending.pop(key, None)
            return value

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._values.clear()
