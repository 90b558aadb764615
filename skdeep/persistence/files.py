"""Read a file within bounds."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import IO

from skdeep.errors import ModelFileError


@contextlib.contextmanager
def opened(path: str | os.PathLike[str], max_bytes: int) -> Iterator[tuple[IO[bytes], int]]:
    """Yield an open regular file and its size; symbolic links are followed.

    Raises
    ------
    ModelFileError
        If it is not a regular file, or larger than `max_bytes`.
    OSError
        If it cannot be opened.
    """
    # Without O_NONBLOCK, opening a named pipe would wait for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ModelFileError(f"{os.fspath(path)!r} is not a regular file.")
        if found.st_size > max_bytes:
            raise ModelFileError(
                f"{os.fspath(path)!r} has {found.st_size} bytes, more than max_bytes={max_bytes}. Raise max_bytes if you expect that."
            )
        yield file, found.st_size


def read_bounded(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the bytes of a regular file of at most `max_bytes`; errors as in `opened`."""
    with opened(path, max_bytes) as (file, size):
        data = file.read(size + 1)
    if len(data) != size:
        raise ModelFileError(f"{os.fspath(path)!r} changed while it was read. Load it again.")
    return data
