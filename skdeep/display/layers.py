"""The kernels of a fitted network by the names of its layers, in the order of the layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skdeep.kernels import are_kernels

_LAST = ("output", "decoder", "head")
"""Parts of a network that come after the parts beside them."""


def named_kernels(params: Any) -> dict[str, np.ndarray]:
    """Return the kernels by their paths, without a last part "kernel". Layers are sorted by the numbers in their names.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.display.layers import named_kernels
    >>> layers = {f"Dense_{k}": {"kernel": np.ones((2, 2)), "bias": np.ones(2)} for k in (10, 2)}
    >>> list(named_kernels({"output": {"kernel": np.ones((2, 1))}, **layers}))
    ['Dense_2', 'Dense_10', 'output']
    """
    found = {path: np.asarray(leaf) for path, leaf, is_kernel in _leaves(params, are_kernels(params)) if is_kernel}
    return {_shown(path): found[path] for path in sorted(found, key=_order)}


def _leaves(params: Any, marks: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, bool]]:
    if isinstance(params, Mapping):
        items = [(name, params[name], marks[name]) for name in params]
    elif isinstance(params, list | tuple):
        items = [(str(k), leaf, mark) for k, (leaf, mark) in enumerate(zip(params, marks, strict=True))]
    else:
        yield path, params, bool(marks)
        return
    for name, inner, mark in items:
        yield from _leaves(inner, mark, (*path, str(name)))


def _shown(path: tuple[str, ...]) -> str:
    return "/".join(path[:-1] if len(path) > 1 and path[-1] == "kernel" else path)


def _order(path: tuple[str, ...]) -> list[Any]:
    """Return a key for sorting: what comes last in a network is last, and "Dense_2" is before "Dense_10"."""
    return [(part in _LAST, [(not w.isdigit(), int(w) if w.isdigit() else w) for w in _words(part)]) for part in path]


def _words(part: str) -> list[str]:
    return [word for word in re.split(r"(\d+)", part) if word]
