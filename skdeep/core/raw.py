"""Raw outputs: one array `(n, width)`, or several by name, `{name: (n, width)}`.

A loss says by `n_raw` which it needs, and the parameters of a loss are raw outputs beside them. Where a width must be
hashed, a mapping of widths is a tuple of pairs.
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


def raw_widths(loss: Any, task: Any) -> Widths:
    """Return the widths of what a loss reads: the outputs of the network, and its own parameters beside them.

    Raises
    ------
    ValueError
        If the parameters cannot stand beside the outputs: these have no names, or the same ones; or if a parameter is
        not a vector of finite floats.
    """
    widths, parameters = loss.n_raw(task), loss.parameters(task)
    if not parameters:
        return hashable(widths)
    owner = type(loss).__name__
    if not isinstance(widths, Mapping):
        raise ValueError(
            f"The loss {owner} has the parameters {sorted(parameters)}, so its raw outputs need names too, but n_raw returned "
            f"{widths!r}. Return a dict from n_raw, such as {{'score': {widths!r}}}, and read raw['score'] in the loss."
        )
    both = sorted(set(widths) & set(parameters))
    if both:
        raise ValueError(
            f"The loss {owner} gives the name {both[0]!r} to a raw output and to a parameter. Give the parameter another name."
        )
    for name, value in parameters.items():
        values = np.asarray(value)
        if values.ndim != 1 or not values.size or values.dtype.kind != "f" or not np.isfinite(values).all():
            raise ValueError(
                f"The parameter {name!r} of the loss {owner} must start as a vector of finite floats, of shape (k,). Got "
                f"{values!r}. Change what 'parameters' returns."
            )
    return hashable({**widths, **{name: np.shape(value)[0] for name, value in parameters.items()}})


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
