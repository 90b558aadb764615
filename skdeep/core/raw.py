"""Raw outputs: one array `(n, width)`, or several by name, `{name: (n, width)}`.

A loss says by `n_raw` which it needs. Where a width must be hashed, a mapping of widths is a tuple of pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import numpy as np

Widths: TypeAlias = int | tuple[tuple[str, int], ...]
"""The width of the raw output, or the widths by name as pairs."""


def hashable(widths: Any) -> Widths:
    """Return widths as they are kept in a `Model`: a mapping becomes sorted pairs; those stay as they are.

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


def by_name(widths: Widths) -> int | dict[str, int]:
    """Return widths as a loss gives them; inverts `hashable`."""
    return dict(widths) if isinstance(widths, tuple) else widths


def total_width(widths: Widths) -> int:
    """Return how many numbers there are per row."""
    return sum(width for _, width in widths) if isinstance(widths, tuple) else widths


def shapes_of(widths: Widths, n: int) -> Any:
    """Return the shape of the raw outputs of `n` rows, by name if there are names."""
    return {name: (n, width) for name, width in widths} if isinstance(widths, tuple) else (n, widths)


def empty(widths: Widths, n: int, dtype: Any, xp: Any = np) -> Any:
    """Return zeros for the raw outputs of `n` rows."""
    if isinstance(widths, tuple):
        return {name: xp.zeros((n, width), dtype) for name, width in widths}
    return xp.zeros((n, widths), dtype)


def n_rows(raw: Any) -> int:
    """Return of how many rows raw outputs are."""
    return int(jax.tree.leaves(raw)[0].shape[0])


def split(raw: Any, widths: Widths) -> Any:
    """Return the columns of one array `(n, total_width)` under the names of widths, or the array if there are no names."""
    if not isinstance(widths, tuple):
        return raw
    parts, start = {}, 0
    for name, width in widths:
        parts[name] = raw[:, start : start + width]
        start += width
    return parts
