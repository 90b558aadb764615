"""Raw outputs: one array `(n, width)` or `(n, *shape)`, or several by name, `{name: (n, width)}`.

A loss says by `n_raw` which it needs. Where a width must be hashed, a mapping of widths is a tuple of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import numpy as np

Width: TypeAlias = int | tuple[int, ...]
"""How many numbers there are per row, or their shape."""

Widths: TypeAlias = Width | tuple[tuple[str, Width], ...]
"""The width of the raw output, or the widths by name as pairs."""


def hashable(widths: Any) -> Widths:
    """Return widths as they are kept in a `Model`: a mapping becomes sorted pairs; others stay as they are.

    Examples
    --------
    >>> from skdeep.core.raw import by_name, hashable
    >>> hashable({"scale": 1, "mean": 2})
    (('mean', 2), ('scale', 1))
    >>> by_name(hashable({"scale": 1, "mean": 2}))
    {'mean': 2, 'scale': 1}
    """
    if isinstance(widths, Mapping):
        return tuple(sorted(widths.items()))
    return widths if isinstance(widths, tuple) else int(widths)


def have_names(widths: Widths) -> bool:
    """Tell whether widths are pairs with names."""
    return isinstance(widths, tuple) and bool(widths) and isinstance(widths[0], tuple)


def by_name(widths: Widths) -> Any:
    """Return widths as a loss gives them; inverts `hashable`."""
    return dict(widths) if have_names(widths) else widths  # type: ignore[arg-type]  # pairs


def total_width(widths: Widths) -> int:
    """Return how many numbers there are per row."""
    named = by_name(widths)
    return sum(map(_size, named.values())) if isinstance(named, dict) else _size(named)


def shapes_of(widths: Widths, n: int) -> Any:
    """Return the shape of the raw outputs of `n` rows, by name if there are names."""
    named = by_name(widths)
    if isinstance(named, dict):
        return {name: (n, *_shape(width)) for name, width in named.items()}
    return (n, *_shape(named))


def empty(widths: Widths, n: int, dtype: Any, xp: Any = np) -> Any:
    """Return zeros for the raw outputs of `n` rows."""
    shapes = shapes_of(widths, n)
    if isinstance(shapes, dict):
        return {name: xp.zeros(shape, dtype) for name, shape in shapes.items()}
    return xp.zeros(shapes, dtype)


def n_rows(raw: Any) -> int:
    """Return the number of rows of raw outputs, or of inputs."""
    return int(jax.tree.leaves(raw)[0].shape[0])


def split(raw: Any, widths: Widths) -> Any:
    """Return the columns of one array `(n, total_width)` under the names of widths, or the array if there are no names."""
    named = by_name(widths)
    if not isinstance(named, dict):
        return raw
    parts, start = {}, 0
    for name, width in named.items():
        parts[name] = raw[:, start : start + _size(width)].reshape(len(raw), *_shape(width))
        start += _size(width)
    return parts


def _shape(width: Width) -> tuple[int, ...]:
    return width if isinstance(width, tuple) else (width,)


def _size(width: Width) -> int:
    return math.prod(_shape(width))
