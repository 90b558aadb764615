"""The folder of compiled programs: it must belong to the user alone, and its size is bounded.

Whoever can write a compiled program can run code in the process that loads it. So a folder of somebody else, or one that others can
read or write, is refused.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from skdeep.atomic_files import is_part
from skdeep.folder_parents import check_parents

SUFFIX = ".program"
MAX_BYTES = 512 * 2**20
"""After a program is stored, the least recently used ones are removed until all together have at most this size."""

UNFINISHED_SECONDS = 60.0
"""A file that a process has not written to for so long is one of a killed process. Removing it too early costs only a compile."""

_PRIVATE = 0o700


class StoredFile(NamedTuple):
    """A file of the folder, with its size and the time of its last use in nanoseconds."""

    path: Path
    n_bytes: int
    used: int


def default_folder() -> Path:
    """Return `skdeep/programs` in the user's folder for caches: $XDG_CACHE_HOME, or `~/.cache`.

    Raises
    ------
    FileNotFoundError
        If the user has no home, as in some containers.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else absolute("~/.cache")) / "skdeep" / "programs"


def absolute(folder: str) -> Path:
    """Return the absolute path of a folder that a user gave; `~` stands for the home.

    Raises
    ------
    FileNotFoundError
        If the user has no home, as in some containers.
    """
    expanded = os.path.expanduser(folder)
    if expanded.startswith("~"):
        raise FileNotFoundError(
            f"The folder of compiled programs is {folder!r}, but there is no home for '~': HOME is not set, and the system knows no "
            "such user. Give an absolute path, or set HOME or XDG_CACHE_HOME."
        )
    return Path(os.path.abspath(expanded))


def made_private(folder: Path) -> Path:
    """Make a folder if there is none, and return it; missing parents are made with mode 0700 too.

    Raises
    ------
    OSError
        If it cannot be made, is not a folder, is a symbolic link, belongs to another user, has a wider mode than 0700, or if
        another user may replace it or one of its parents.
    """
    if not os.path.lexists(folder):
        check_parents(folder)  # before a folder is made in a place that is refused afterwards
        for missing in [path for path in (*reversed(folder.parents), folder) if not path.exists()]:
            with contextlib.suppress(FileExistsError):  # another process made it
                os.mkdir(missing, _PRIVATE)
    check_private(folder)
    return folder


def check_private(folder: Path) -> None:
    """Check that a folder belongs to this user, and that no other user can read it, write it or replace it.

    Raises
    ------
    OSError
        If not; the message says why, and what to do.
    """
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a folder"
        raise NotADirectoryError(
            f"The folder of compiled programs must be a folder, not a link to one. {str(folder)!r} is {kind}. Give another folder."
        )
    if not hasattr(os, "geteuid"):  # Windows: the user's own folders are private by its access control
        return
    if found.st_uid != os.geteuid():
        raise PermissionError(
            "The folder of compiled programs must belong to the user who runs them, because loading a program runs its code. "
            f"{str(folder)!r} belongs to the user with id {found.st_uid}, not {os.geteuid()}. Give a folder of your own."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:  # a folder may have the setgid bit from its parent
        raise PermissionError(
            "The folder of compiled programs must have mode 0700, because whoever can write there can run code in your processes. "
            f"{str(folder)!r} has mode {stat.S_IMODE(found.st_mode):04o}. Run `chmod 700`, or give a folder that is used for nothing else."
        )
    check_parents(folder)


def stored_files(folder: Path) -> list[StoredFile]:
    """Return the files of compiled programs in a folder, the least recently used first; none if there is no folder."""
    return _found(folder, lambda name: name.endswith(SUFFIX))


def unfinished_files(folder: Path) -> list[StoredFile]:
    """Return the files that processes write now, and those that killed processes left, the oldest first."""
    return _found(folder, is_part)


def _found(folder: Path, is_wanted: Callable[[str], bool]) -> list[StoredFile]:
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another process removed it
                if is_wanted(entry.name) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append(StoredFile(Path(entry.path), status.st_size, status.st_mtime_ns))
    return sorted(found, key=lambda file: file.used)


def remove_surplus(folder: Path, max_bytes: int | None = None) -> None:
    """Remove the files of killed writers, and the least recently used programs until all files have at most `max_bytes`.

    `max_bytes` is `MAX_BYTES` by default. A file that was not written to for `UNFINISHED_SECONDS` counts as one of a killed writer.
    """
    oldest = time.time_ns() - int(UNFINISHED_SECONDS * 1e9)
    unfinished = unfinished_files(folder)
    left = [file for file in unfinished if file.used < oldest]
    _remove(left)
    files = stored_files(folder)
    surplus = _size(files) + _size(unfinished) - _size(left) - (MAX_BYTES if max_bytes is None else max_bytes)
    for file in files:
        if surplus <= 0:
            break
        _remove([file])
        surplus -= file.n_bytes


def remove_all(folder: Path) -> int:
    """Remove all compiled programs and unfinished files of a folder, and return how many programs there were.

    Files of other kinds stay. A process that writes a program now does not store it.
    """
    files = stored_files(folder)
    _remove(files)
    _remove(unfinished_files(folder))
    return len(files)


def _size(files: list[StoredFile]) -> int:
    return sum(file.n_bytes for file in files)


def _remove(files: list[StoredFile]) -> None:
    for file in files:
        file.path.unlink(missing_ok=True)
