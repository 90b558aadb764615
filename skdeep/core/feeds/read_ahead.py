"""Read the next item of an iterator in a thread, while the caller works on the last one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any


class ReadAhead:
    """Iterates over what `items(is_closed)` yields, one item ahead. The thread ends after each item, after an error, and by `close`.

    Parameters
    ----------
    items : callable
        Called with a function that returns True after `close`: long work on an item should end then.

    Examples
    --------
    >>> from skdeep.core.feeds.read_ahead import ReadAhead
    >>> with ReadAhead(lambda is_closed: iter([1, 2])) as ahead:
    ...     list(ahead)
    [1, 2]
    """

    def __init__(self, items: Callable[[Callable[[], bool]], Iterator[Any]]) -> None:
        self._closed = threading.Event()
        self._items = items(self._closed.is_set)
        self._found: Any = None
        self._error: BaseException | None = None
        self._start()

    def __iter__(self) -> ReadAhead:
        return self

    def __next__(self) -> Any:
        """Return the next item; raise what its reading raised."""
        self._thread.join()
        if self._error is not None:
            error, self._error = self._error, StopIteration()
            raise error
        found, self._found = self._found, None
        self._start()
        return found

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading, and wait for the thread to end."""
        self._closed.set()
        self._thread.join()
        self._found = None

    def _start(self) -> None:
        # A thread per item: none waits for a caller that never comes back.
        self._thread = threading.Thread(target=self._read, name="skdeep-read-ahead", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self._found = next(self._items)
        except BaseException as err:  # raised in the caller's thread
            self._error = err
