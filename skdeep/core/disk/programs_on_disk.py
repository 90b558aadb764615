"""Look up compiled programs on disk, and store new ones. Nothing here raises: without a usable entry, programs are compiled.

A compiled program is stored under a key of its text. Programs that hold only code of known packages have a second key, of their
structure, which can be computed without tracing: its entry says which text the structure leads to, and the tree of the outputs.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skdeep.compile_cache import active_folder, warn_once
from skdeep.core.content import framed, written
from skdeep.core.cpu.host_program import HostProgram
from skdeep.core.disk import environment
from skdeep.core.disk.entries import read_entry, remove_entry, write_entry
from skdeep.core.disk.executables import packed, unpacked
from skdeep.core.disk.structure import ForeignCodeError, written_structure
from skdeep.core.placement import current_placement


class Lowered(NamedTuple):
    """The result of tracing and lowering: a digest of the text, and the tree of the outputs."""

    text_digest: bytes
    out_tree: Any


class Traced(NamedTuple):
    """A traced function for the host (`core/cpu/host_program.py`), and the tree of its outputs."""

    program: HostProgram
    out_tree: Any


def is_active() -> bool:
    """Return True if compiled programs are kept on disk."""
    return active_folder() is not None


def structure_key(
    name: str, function: Any, donated: Sequence[int], tree: Any, leaf_types: Sequence[tuple[Any, Any, Any]]
) -> str | None:
    """Return the key of a program by its structure, None if programs are not kept on disk or if it has no such key."""
    if active_folder() is None:
        return None
    traced = environment.of_traced()
    if traced is None:
        return None
    try:
        pieces = written_structure(function, tree, [dtype for _, dtype, _ in leaf_types])
    except ForeignCodeError:
        return None
    leaves = [(tuple(map(int, shape)), str(dtype), str(split)) for shape, dtype, split in leaf_types]
    own = written([name, list(donated), leaves, traced, environment.of_compiled(current_placement())])
    return _digest([b"structure", *pieces, *own])


def text_key(text_digest: bytes) -> str:
    """Return the key of a program by the digest of its text."""
    return _digest([b"text", *written([text_digest, environment.of_compiled(current_placement())])])


def _digest(pieces: Iterable[bytes]) -> str:
    return hashlib.sha256(framed(pieces)).hexdigest()


def load_value(key: str | None) -> Any:
    """Return the value that was stored under a key, None if there is none."""
    folder = active_folder()
    data = None if folder is None or key is None else read_entry(folder, key)
    if folder is None or key is None or data is None:
        return None
    try:
        return pickle.loads(data)
    except Exception:  # what it refers to may be missing, in any way
        remove_entry(folder, key)
        return None


def store_value(key: str | None, value: Any) -> None:
    """Store a value under a key by structure, unless the key is None or the value cannot be pickled.

    It is not stored either if files or packages changed since the key was computed, because they may have changed the trace.
    """
    if key is not None and environment.of_traced() is not None:
        with contextlib.suppress(Exception):  # pickling raises exceptions of any kind
            _store(key, pickle.dumps(value))


def load_executable(key: str) -> Any:
    """Return the compiled program that was stored under a key, None if there is none that this process can load."""
    folder = active_folder()
    data = None if folder is None else read_entry(folder, key)
    if folder is None or data is None:
        return None
    try:
        return unpacked(data, current_placement().devices)
    except Exception:  # XLA and JAX raise exceptions of many kinds
        remove_entry(folder, key)
        return None


def store_executable(key: str, compiled: Any) -> None:
    """Store a compiled program under a key, if it can be stored."""
    if active_folder() is not None:
        data = packed(compiled)
        if data is not None:
            _store(key, data)


def _store(key: str, data: bytes) -> None:
    folder = active_folder()
    if folder is None:
        return
    try:
        write_entry(folder, key, data)
    except (OSError, MemoryError) as err:
        _warn_unwritable(folder, err)


def _warn_unwritable(folder: Path, err: Exception) -> None:
    warn_once(
        folder,
        f"A compiled program could not be stored in {str(folder)!r}: {str(err) or type(err).__name__}. Training goes on, and the next "
        "process compiles it again. Free some space, or call skdeep.enable_compile_cache with a folder that you can write.",
    )
