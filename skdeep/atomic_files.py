"""Write a file so that a reader finds the old bytes or the new ones, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from pathlib import Path

_PREFIX, _PART = ".skdeep-", ".part"
_STALE_SECONDS = 3600


def write_atomically(
    path: str | os.PathLike[str], data: bytes, mode: int = 0o666, *, follows_links: bool = True
) -> None:
    """Write a file in one step: until it is complete, an earlier file of this name stays as it was.

    The bytes are on the disk when this returns. If writing fails, no part is left behind. A new file gets `mode` without the bits
    of the process's umask; an earlier file's mode is kept. A symbolic link stays and its target is written, or with
    `follows_links=False` the file takes the place of the link.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written, or the disk is full.
    """
    target = Path(os.fsdecode(os.path.realpath(path) if follows_links else os.path.abspath(path)))
    if target.is_dir() and not (target.is_symlink() and not follows_links):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    remove_stale(target.parent)
    part = target.parent / f"{_PREFIX}{secrets.token_hex(8)}{_PART}"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(handle, "wb") as file:
            if target.exists() and not target.is_symlink():
                os.chmod(part, stat.S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(handle)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def is_part(name: str) -> bool:
    """Return True if a file has a name that `write_atomically` gives to unfinished files."""
    return name.startswith(_PREFIX) and name.endswith(_PART)


def remove_stale(folder: Path) -> None:
    """Remove parts that a killed process left in a folder more than an hour ago."""
    for part in folder.glob(f"{_PREFIX}*{_PART}"):
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
