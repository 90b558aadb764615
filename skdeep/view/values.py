"""Fitted attributes in a few words: shapes of arrays instead of their first digits."""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

MOST_CHARACTERS = 90
_MOST_VALUES = 6


def worded_type(value: Any) -> str:
    """Return the class of a value; with type and shape if it is an array."""
    name = type(value).__name__
    if _is_array(value):
        return f"{name}[{value.dtype}]{tuple(value.shape)}"
    return name


def worded_value(value: Any) -> str:
    """Return a value in at most `MOST_CHARACTERS` characters.

    Arrays inside dicts and lists are counted, and the first are shown with names and shapes. Tables show their rows and columns.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.view.values import worded_value
    >>> worded_value({"Dense_0": {"bias": np.zeros(8), "kernel": np.zeros((4, 8))}})
    '2 arrays, 40 values: Dense_0/bias (8,), Dense_0/kernel (4, 8)'
    """
    return _shortened(_words(value))


def _words(value: Any) -> str:
    if _is_array(value):
        return _words_of_array(value)
    if hasattr(value, "columns") and hasattr(value, "shape"):
        rows, columns = value.shape
        return f"{rows:,} {'epochs' if 'epoch' in value.columns else 'rows'} x {columns} columns: {', '.join(map(str, value.columns))}"
    if isinstance(value, Mapping | list | tuple) and value:
        arrays = list(_arrays(value, ()))
        if arrays and all(_is_array(array) for _, array in arrays):
            return _words_of_arrays(arrays)
        kinds = {type(item).__name__ for item in value}
        if isinstance(value, list) and len(kinds) == 1 and hasattr(value[0], "get_params"):
            return f"{len(value)} x {kinds.pop()}"
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral | bool):
        return f"{float(value):.4g}"
    return _Repr().repr(value)


class _Repr(reprlib.Repr):
    """Short representations of containers and of other objects."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 4
        self.maxstring, self.maxother = 30, MOST_CHARACTERS


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, numbers.Number)


def _words_of_array(array: Any) -> str:
    n = math.prod(array.shape)
    if len(array.shape) > 1 or not hasattr(array, "tolist"):
        return f"{n:,} values"
    values = array.tolist() if n <= _MOST_VALUES else array[:_MOST_VALUES].tolist()
    shown = [
        f"{v:.4g}" if isinstance(v, float) else _Repr().repr(v)
        for v in (values if isinstance(values, list) else [values])
    ]
    return ", ".join(shown if n <= _MOST_VALUES else [*shown, "..."])


def _words_of_arrays(arrays: list[tuple[str, Any]]) -> str:
    """Return the number of arrays and values, with the names and shapes of as many arrays as fit."""
    total = sum(math.prod(array.shape) for _, array in arrays)
    text = f"{len(arrays)} array{'s' if len(arrays) > 1 else ''}, {total:,} value{'s' if total != 1 else ''}: "
    shown: list[str] = []
    for name, array in arrays:
        shown.append(f"{name} {tuple(array.shape)}".strip())
        if len(text) + len(", ".join([*shown, "..."])) > MOST_CHARACTERS:
            return text + ", ".join([*shown[:-1], "..."])
    return text + ", ".join(shown)


def _arrays(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts and lists with their paths; positions in lists have no name."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _arrays(inner, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _arrays(inner, path)
    else:
        yield "/".join(path), value


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."
