"""Raw outputs: one array `(n, width)` or `(n, *shape)`, or several by name, `{name: (n, width)}`.

`Loss.n_raw` gives the widths that the loss needs. The parameters of a loss are further raw outputs. A mapping of widths that must be
hashable is a tuple of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import numpy as np

Width: TypeAlias = int | tuple[int, ...]
"""The number of raw outputs per row, or their shape."""

Widths: TypeAlias = Width | tuple[tuple[str, Width], ...]
"""The width of the raw output, or the widths by name as pairs."""


def hashable(widths: Any) -> Widths:
    """Return widths in the form that a `Model` holds: a mapping becomes sorted pairs, other widths are unchanged.

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


def raw_widths(loss: Any, task: Any) -> Widths:
    """Return the widths of the raw outputs of a loss: those of the network, and the loss's own parameters.

    Raises
    ------
    ValueError
        If the loss has parameters and the outputs have no names or the same names, or if a parameter is not a vector of finite
        floats.
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
    """Return the number of raw outputs per row."""
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
