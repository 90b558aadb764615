"""Whether another user may replace a folder, by one of the folders that lead to it.

Whoever can write a folder can rename what is in it, and put something else in its place. OpenSSH checks the parents of its files in
the same way (`StrictModes`). Here a parent must belong to the user or to root, and nobody else may write it, except

- with the sticky bit, as in /tmp: there only the owner of an entry can rename it, so the entry must belong to the user or to root;
- by the user's own group, which has the user's name and no other members: Debian and Fedora give each user one, and new folders
  there are often writable by it.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_MOST_LINKS = 40


def check_parents(folder: Path) -> None:
    """Check that no user but this one and root may replace a folder, or one of the folders and links that lead to it.

    Missing folders are not checked.

    Raises
    ------
    OSError
        If another user may; the message names the parent, and says what to do.
    """
    if not hasattr(os, "geteuid"):  # Windows: as in `check_private`
        return
    for parent, name in _steps(folder):
        reason = _reason_against(os.stat(parent), parent / name)
        if reason:
            raise PermissionError(
                f"No other user may be able to replace the folder of compiled programs, because loading a program runs its code. "
                f"{str(folder)!r} is below {str(parent)!r}, which {reason}. Give a folder whose parents belong to you or to root and that "
                "only their owner can write, or run `chmod go-w` if the parent is yours."
            )


def _steps(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each folder in which a part of a path is looked up, with this part; links are followed part by part."""
    place, rest, n_links = Path(folder.anchor), list(folder.parts[1:]), 0
    while rest:
        name = rest.pop(0)
        if name == "..":
            place = place.parent
            continue
        yield place, name
        entry = place / name
        if not os.path.lexists(entry):
            return
        if not entry.is_symlink():
            place = entry
            continue
        n_links += 1
        if n_links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
        target = entry.readlink()
        place = Path(target.anchor) if target.is_absolute() else place
        rest = [part for part in target.parts if part != target.anchor] + rest


def _reason_against(parent: os.stat_result, entry: Path) -> str:
    """Return why another user may replace an entry of a folder, "" if only this user and root may."""
    trusted = (0, os.geteuid())
    if parent.st_uid not in trusted:
        return f"belongs to the user with id {parent.st_uid}"
    mode = stat.S_IMODE(parent.st_mode)
    is_open = mode & 0o002 or (mode & 0o020 and not _is_own_group(parent.st_gid, os.geteuid()))
    if not is_open:
        return ""
    if not mode & stat.S_ISVTX:
        return f"other users can write (mode {mode:04o})"
    if os.path.lexists(entry) and os.lstat(entry).st_uid not in trusted:
        return f"has an entry {entry.name!r} of the user with id {os.lstat(entry).st_uid}"
    return ""


@functools.cache
def _is_own_group(group_id: int, user_id: int) -> bool:
    """Return True if a group has the name of a user, and no other members."""
    import grp  # not on Windows
    import pwd

    try:
        group, user = grp.getgrgid(group_id), pwd.getpwuid(user_id)
    except KeyError:  # an id without a name, as in many containers
        return False
    return group.gr_name == user.pw_name and user.pw_gid == group_id and set(group.gr_mem) <= {user.pw_name}
