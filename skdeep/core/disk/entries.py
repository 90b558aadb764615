"""One file of the folder of compiled programs: its key, a digest and its bytes.

A file is never trusted by its name: it must hold the key for which it is read, and the digest of all that follows. A damaged,
truncated or foreign file counts as none, so that the program is compiled again and the file replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from skdeep import program_folder
from skdeep.atomic_files import write_atomically
from skdeep.program_folder import SUFFIX, remove_surplus

_MAGIC = b"skdeep compiled program 1\n"
_DIGEST_BYTES = 32
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_entry(folder: Path, key: str) -> bytes | None:
    """Return the bytes that were stored under a key, and note their use; None if there are none that can be trusted."""
    path = path_of(folder, key)
    try:
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            found = os.fstat(file.fileno())
            data = file.read() if _is_own(found) and found.st_size <= program_folder.MAX_BYTES else b""
    except (OSError, MemoryError):  # there is no file, or a link, or it is too large for this machine
        return None
    content = _content_of(data, key)
    if content is not None:
        with contextlib.suppress(OSError):  # a folder that is only readable still serves
            os.utime(path)
    return content


def write_entry(folder: Path, key: str, content: bytes) -> None:
    """Store bytes under a key in one step, and remove the least recently used entries if the folder is too large.

    Raises
    ------
    OSError
        If the folder cannot be written, or the disk is full.
    """
    size = len(_MAGIC) + _DIGEST_BYTES + len(key) + len(content)
    if size > program_folder.MAX_BYTES:  # it would push out all others, then itself
        return
    remove_entry(folder, key)  # a file that is replaced would pass on its mode
    rest = key.encode() + content
    with contextlib.suppress(FileNotFoundError):  # another process emptied the folder, as `skdeep cache clear` does
        write_atomically(path_of(folder, key), _MAGIC + hashlib.sha256(rest).digest() + rest, mode=0o600)
    remove_surplus(folder)


def remove_entry(folder: Path, key: str) -> None:
    """Remove an entry that turned out to be of no use."""
    with contextlib.suppress(OSError):
        path_of(folder, key).unlink(missing_ok=True)


def path_of(folder: Path, key: str) -> Path:
    """Return the path of the file for a key."""
    return folder / f"{key}{SUFFIX}"


def _content_of(data: bytes, key: str) -> bytes | None:
    start = len(_MAGIC) + _DIGEST_BYTES
    digest, rest = data[len(_MAGIC) : start], data[start:]
    is_whole = data.startswith(_MAGIC) and hashlib.sha256(rest).digest() == digest
    return rest[len(key) :] if is_whole and rest.startswith(key.encode()) else None


def _is_own(found: os.stat_result) -> bool:
    """Return True for a regular file of this user that no other user can write: its folder may have been replaced."""
    if not stat.S_ISREG(found.st_mode):
        return False
    return not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o022)
