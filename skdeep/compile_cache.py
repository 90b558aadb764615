"""Whether compiled programs are kept on disk, and where: one environment variable, which worker processes inherit."""

from __future__ import annotations

import os
from pathlib import Path

from skdeep.program_folder import absolute, default_folder, made_private

VARIABLE = "SKDEEP_COMPILE_CACHE"
_ON, _OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def enable_compile_cache(folder: str | os.PathLike[str] | None = None) -> Path:
    """Keep compiled programs on disk, and load them instead of compiling; off by default.

    The first fit of a structure is then quick in every later process of this user, workers included. Results have the same bits.
    Programs that call back to Python are not stored. `skdeep cache info` and `skdeep cache clear` print and empty the folder.

    The function sets the environment variable `SKDEEP_COMPILE_CACHE`, which worker processes inherit.

    Parameters
    ----------
    folder : path, default=None
        A folder that only you can read and write (mode 0700), because loading a program runs its code. Only you and root may be able
        to write its parents, except those with the sticky bit, such as /tmp. It is made if there is none.
        By default `skdeep/programs` in `$XDG_CACHE_HOME` or `~/.cache`.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    OSError
        If the folder cannot be made, is a symbolic link, belongs to another user, has a wider mode than 0700, or if another user
        may replace one of its parents; also if you have no home and give no folder.

    Examples
    --------
    >>> import os, tempfile
    >>> import skdeep
    >>> before = os.environ.get("SKDEEP_COMPILE_CACHE", "")
    >>> with tempfile.TemporaryDirectory() as folder:  # a folder of mode 0700
    ...     enabled = skdeep.enable_compile_cache(folder)
    ...     skdeep.disable_compile_cache()
    >>> os.environ["SKDEEP_COMPILE_CACHE"]
    '0'
    >>> os.environ["SKDEEP_COMPILE_CACHE"] = before
    """
    path = default_folder() if folder is None else absolute(os.fspath(folder))
    made_private(path)
    os.environ[VARIABLE] = str(path)
    return path


def disable_compile_cache() -> None:
    """Stop reading and writing compiled programs on disk, in this process and in workers that start later.

    Examples
    --------
    See `enable_compile_cache`.
    """
    os.environ[VARIABLE] = "0"


def chosen_folder() -> Path | None:
    """Return the folder that the environment variable chooses, None if it is off; nothing is made or checked."""
    value = os.environ.get(VARIABLE, "").strip()
    if value.lower() in _OFF:
        return None
    return default_folder() if value.lower() in _ON else absolute(value)


def active_folder() -> Path | None:
    """Return the folder in which programs are kept now, None if there is none.

    A folder that cannot be used gives a warning, once, and None: the variable is often set for many machines, and a fit must not fail
    because one of them has no place for a cache.
    """
    folder = Path()
    try:
        found = chosen_folder()
        if found is None:
            return None
        folder = found
        return made_private(folder)
    except OSError as err:
        warn_once(folder, f"{VARIABLE} has no effect: {err}")
        return None


_warned: set[Path] = set()


def warn_once(folder: Path, message: str) -> None:
    """Warn about a folder, but only once per folder and process."""
    if folder not in _warned:
        _warned.add(folder)
        from skdeep.estimators.warn import warn_caller  # only where it is needed

        warn_caller(message, RuntimeWarning)
