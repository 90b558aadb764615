"""Read a file within bounds, and write one so that a reader finds the old bytes or the new ones, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from skdeep.errors import ModelFileError

_PREFIX = ".skdeep-"
_STALE_SECONDS = 3600


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


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file in one step: until it is complete, an earlier file of this name stays as it was.

    The bytes are on the disk when this returns. If writing fails, no part is left behind.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written, or the disk is full.
    """
    target = Path(os.fsdecode(os.path.realpath(path)))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    remove_stale(target.parent)
    part = target.parent / f"{_PREFIX}{secrets.token_hex(8)}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            if target.exists():
                os.chmod(part, stat.S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(handle)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def remove_stale(folder: Path) -> None:
    """Remove parts that a killed process left in a folder more than an hour ago."""
    for part in folder.glob(f"{_PREFIX}*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink()


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # elsewhere folders cannot be opened
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
