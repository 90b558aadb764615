"""The structure of a program's arguments, written by content: equal in all processes, and read without tracing.

Only code of skdeep and of the packages whose versions are part of the key can be written, because it cannot change without a change
of the key. A program that contains other code, such as a module of a user or of a plugin, has no key by structure: it is traced, and
looked up by its text.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from skdeep.core.content import module_of, name_of, written
from skdeep.core.fingerprint import UnreadableError, atoms_and_modules_of
from skdeep.pickling import found_by

KNOWN_PACKAGES = {"skdeep", "jax", "jaxlib", "flax", "optax", "numpy", "scipy"}


class ForeignCodeError(Exception):
    """A value contains code that is not part of the known packages, or that cannot be written."""


def written_structure(function: Any, tree: Any) -> list[bytes]:
    """Return the content of a program's function and of the tree of its arguments, without the leaves.

    Raises
    ------
    ForeignCodeError
        If it contains code of other packages or of the user, or values that cannot be written.
    """
    return [*_pieces(function), *_nodes(tree)]


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
        atoms, modules = atoms_and_modules_of(value)
        for module in modules:
            _check_known(module)
        _check_atoms(atoms)
        yield from written(list(atoms))
    except (UnreadableError, TypeError) as err:
        raise ForeignCodeError from err


def _check_atoms(atoms: Any) -> None:
    for atom in atoms:
        if isinstance(atom, tuple | frozenset):
            _check_atoms(atom)
        elif not isinstance(atom, _WRITTEN_BY_VALUE):
            _check_named(atom)


_WRITTEN_BY_VALUE = (bool, int, float, str, bytes, types.NoneType, types.EllipsisType, types.CodeType)


def _check_named(atom: Any) -> None:
    """Raise ForeignCodeError unless an object belongs to a known package and other processes find it by its name."""
    if isinstance(atom, types.ModuleType):
        _check_known(atom.__name__)
    elif isinstance(atom, enum.Enum | np.dtype):
        _check_known(type(atom).__module__)
    else:
        _check_known(module_of(atom))
        if not (_is_distinct(atom) if isinstance(atom, types.FunctionType) else _is_found(atom)):
            raise ForeignCodeError(repr(atom))


def _is_distinct(function: types.FunctionType) -> bool:
    """Return True if a function's name tells it from others. If not, `written` adds its code, but not what defaults refer to."""
    return "<" not in function.__qualname__ or (function.__defaults__ is None and function.__kwdefaults__ is None)


def _is_found(atom: Any) -> bool:
    if (
        isinstance(atom, type) and not atom.__flags__ & _MADE_IN_PYTHON
    ):  # some, such as NoneType, have no name in builtins
        return True
    module = module_of(atom)
    return found_by(module, name_of(atom)[len(module) + 1 :]) is atom


_MADE_IN_PYTHON = 1 << 9
"""Py_TPFLAGS_HEAPTYPE."""


def _check_known(module: str) -> None:
    top = module.partition(".")[0]
    if top not in KNOWN_PACKAGES and top not in sys.stdlib_module_names:
        raise ForeignCodeError(module)
