"""Shapes in words, in which n is the number of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

N_ROWS = 10_007
"""The traced number of rows: a prime, so that the axis of rows is found in shapes, and large, so that the operations that a batch
needs once are negligible per row. A trace of any number of rows takes equally long."""


def worded_shape(output: Any) -> str:
    """Return the shapes of arrays, in which n is the number of rows: "(n, 3)", "mean (n, 1), scale (n, 1)"."""
    if isinstance(output, Mapping):
        return ", ".join(f"{name} {worded_shape(value)}" for name, value in output.items())
    if isinstance(output, tuple) and output and all(isinstance(length, int) for length in output):
        shapes = [output]
    elif isinstance(output, tuple | list):
        return ", ".join(dict.fromkeys(map(worded_shape, output)))
    else:
        shapes = [tuple(leaf.shape) for leaf in jax.tree.leaves(output) if hasattr(leaf, "shape")]
    return ", ".join(dict.fromkeys(map(_worded, shapes)))


def _worded(shape: tuple[int, ...]) -> str:
    first, *others = shape or (0,)
    if not shape or not first or first % N_ROWS:
        return str(shape)
    times = first // N_ROWS
    axes = [f"{times}n" if times > 1 else "n", *map(str, others)]
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def worded_input(shapes: Any) -> str:
    """Return the shape of an input given that of a row, or the shapes by name of several inputs."""
    if isinstance(shapes, Mapping):
        return ", ".join(f"{name} {_worded((N_ROWS, *shape))}" for name, shape in shapes.items())
    return _worded((N_ROWS, *shapes))
