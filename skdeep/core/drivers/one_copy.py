"""The rows of several trainings as positions in one set of rows, which holds equal rows once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from skdeep.core.inputs import InShape, in_shape_for
from skdeep.core.rows import WeightedRows


def one_copy(sets: Sequence[WeightedRows], in_shape: InShape) -> tuple[WeightedRows, list[Int[np.ndarray, " n"]]]:
    """Return rows that contain those of all sets, and the positions of the rows of each set in them.

    The folds of a search share most of their rows, and its candidates all.

    Parameters
    ----------
    sets : list of WeightedRows
        With dense X.
    in_shape : InShape
        Shape of a row, or the `InputSpec`s of the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.core.drivers.one_copy import one_copy
    >>> from skdeep.core.rows import WeightedRows
    >>> def rows_of(*values):
    ...     x = np.array(values, np.float32)[:, None]
    ...     return WeightedRows(x, np.zeros(len(x), np.int32), np.ones(len(x), np.float32))
    >>> rows, positions = one_copy([rows_of(1, 2), rows_of(2, 3)], (1,))
    >>> rows.x.ravel().tolist(), [found.tolist() for found in positions]
    ([1.0, 2.0, 3.0], [[0, 1], [1, 2]])
    """
    known: dict[Any, int] = {}
    unique: list[WeightedRows] = []
    number_of_set = []
    for rows in sets:
        key = tuple(id(leaf) for leaf in _leaves(rows, in_shape))
        if key not in known:
            known[key] = len(unique)
            unique.append(rows)
        number_of_set.append(known[key])
    bounds = np.cumsum([0, *(len(rows.target) for rows in unique)])
    leaves = [np.concatenate(parts) for parts in zip(*(_leaves(rows, in_shape) for rows in unique), strict=True)]
    kept, places = _distinct(leaves)
    tree = jax.tree.structure(_as_tree(unique[0], in_shape))
    x, target, weight = jax.tree.unflatten(tree, [leaf[kept] for leaf in leaves])
    return WeightedRows(x, target, weight), [places[bounds[i] : bounds[i + 1]] for i in number_of_set]


def _as_tree(rows: WeightedRows, in_shape: InShape) -> Any:
    return in_shape_for(rows.x, in_shape), rows.target, rows.weight


def _leaves(rows: WeightedRows, in_shape: InShape) -> list[np.ndarray]:
    return jax.tree.leaves(_as_tree(rows, in_shape))


def _distinct(leaves: list[np.ndarray]) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " n"]]:
    """Return the positions of rows whose bytes differ, in the order in which they come first, and the number of each row among them."""
    n = len(leaves[0])
    parts = [np.ascontiguousarray(leaf).reshape(n, -1).view(np.uint8) for leaf in leaves]
    as_bytes = np.ascontiguousarray(np.concatenate(parts, axis=1))
    whole = as_bytes.view(np.dtype((np.void, as_bytes.shape[1]))).ravel()
    _, first, number = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[number.ravel()]
