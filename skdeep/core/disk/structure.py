"""The structure of a program's arguments, written by content: equal in all processes, and read without tracing.

Only code of skdeep and of the packages whose versions are part of the key can be written, because it cannot change without a change
of the key. A program that contains other code, such as a module of a user or of a plugin, has no key by structure: it is traced, and
looked up by its text.

Not seen is code of a known package that a process replaces while it runs, as `jax.nn.relu = other` does.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from typing import Any

from skdeep.core.content import has_its_name, module_of, written
from skdeep.core.fingerprint import UnreadableError, installed_atoms_of, is_installed_file

KNOWN_PACKAGES = {"skdeep", "jax", "jaxlib", "flax", "optax", "numpy", "scipy", "ml_dtypes"}


class ForeignCodeError(Exception):
    """A value contains code that is not part of the known packages, or that cannot be written."""


def written_structure(function: Any, tree: Any, dtypes: Iterable[Any] = ()) -> list[bytes]:
    """Return the content of a program's function, of the tree of its arguments without the leaves, and of the leaves' dtypes.

    The dtype of a random key holds the functions of its generator, which users may define.

    Raises
    ------
    ForeignCodeError
        If it contains code of other packages or of the user, or values that cannot be written.
    """
    return [*_pieces(function), *_nodes(tree), *(piece for dtype in dtypes for piece in _pieces(dtype))]


def _nodes(tree: Any) -> Iterator[bytes]:
    """Yield the content of a tree's nodes, depth first."""
    node = tree.node_data()
    if node is None:
        yield b"leaf"
        return
    children = tree.children()
    yield f"node of {len(children)}:".encode()
    yield from _pieces(node)
    for child in children:
        yield from _nodes(child)


def _pieces(value: Any) -> Iterator[bytes]:
    try:
        atoms, modules = installed_atoms_of(value)
        for module in modules:
            _check_module(module)
        _check_atoms(atoms)
        yield from written(list(atoms))
    except (UnreadableError, TypeError) as err:
        raise ForeignCodeError from err


def _check_atoms(atoms: Any) -> None:
    for atom in atoms:
        if type(atom) in (tuple, frozenset):
            _check_atoms(atom)
        elif type(atom) not in _WRITTEN_BY_VALUE:  # not isinstance: a subclass has code of its own
            _check_named(atom)


_WRITTEN_BY_VALUE = {bool, int, float, str, bytes, types.NoneType, types.EllipsisType, types.CodeType}


def _check_named(atom: Any) -> None:
    """Raise ForeignCodeError unless an object belongs to a known package and other processes find it by its name."""
    if isinstance(atom, types.ModuleType):
        _check_module(atom.__name__)
        is_distinct = sys.modules[atom.__name__] is atom
    elif isinstance(atom, types.FunctionType):
        # Not `__module__`, which `functools.wraps` copies from another function.
        _check_module(str(atom.__globals__.get("__name__")))
        is_distinct = _is_distinct(atom)
    else:
        is_distinct = atom in _TYPES_WITHOUT_NAME or has_its_name(atom)
        _check_module("builtins" if atom in _TYPES_WITHOUT_NAME else module_of(atom))
    if not is_distinct:
        raise ForeignCodeError(repr(atom))


def _is_distinct(function: types.FunctionType) -> bool:
    """Return True if a function is found by its name. If not, `written` adds its code, but not the code of its defaults."""
    return has_its_name(function) or (function.__defaults__ is None and function.__kwdefaults__ is None)


_TYPES_WITHOUT_NAME = {value for value in vars(types).values() if isinstance(value, type)}
"""Some of Python's own types, such as NoneType, are not found under their names."""


def _check_module(name: str) -> None:
    """Raise ForeignCodeError unless a module belongs to Python or a known package, by its file: users may use these names."""
    if not (_is_of_package(name) or _is_of_python(name)):
        raise ForeignCodeError(name)


def _is_of_package(name: str) -> bool:
    top = name.partition(".")[0]
    return top in KNOWN_PACKAGES and _is_below(name, _folder_of(top))


def _is_of_python(name: str) -> bool:
    if name in sys.builtin_module_names:  # they are found before all files
        return name in sys.modules
    if name.partition(".")[0] not in sys.stdlib_module_names:
        return False
    is_below = any(_is_below(name, folder) for folder in _folders("stdlib", "platstdlib"))
    return is_below and not any(_is_below(name, folder) for folder in _folders("purelib", "platlib"))


def _is_below(name: str, folder: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    return bool(folder) and isinstance(file, str) and _real(file).startswith(folder)


@functools.cache
def _folder_of(package: str) -> str:
    """Return the folder of an installed package, "" if Python finds no package or a folder in which it may be edited."""
    spec = importlib.util.find_spec(package)
    origin = None if spec is None else spec.origin
    return os.path.join(os.path.dirname(_real(origin)), "") if origin and is_installed_file(origin) else ""


@functools.cache
def _folders(*names: str) -> tuple[str, ...]:
    return tuple(os.path.join(_real(sysconfig.get_path(name)), "") for name in names)


_real = functools.lru_cache(maxsize=4096)(os.path.realpath)
