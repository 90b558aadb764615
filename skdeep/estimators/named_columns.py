"""The `inputs` parameter: groups of columns of X as named inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from skdeep.inputs import Inputs, is_table


def inputs_from(owner: str, inputs: Mapping[str, Any], X: Any) -> Inputs:
    """Return groups of columns of X as inputs by name.

    Parameters
    ----------
    owner : str
        The estimator's name, for messages.
    inputs : mapping
        By name, the columns: a slice, a list of positions or names, a mask, or a function of X that returns one of these, such as
        scikit-learn's `make_column_selector`. Or a pair of columns and the shape of a row.
    X : array (n, features) or table

    Raises
    ------
    ValueError
        If a group has no columns, or not as many as its shape has values.
    """
    found = {}
    for name, group in inputs.items():
        columns, shape = group if _has_shape(group) else (group, None)
        chosen = _safe_indexing(X, columns(X) if callable(columns) else columns, axis=1)
        n_columns = chosen.shape[1]
        if n_columns == 0:
            raise ValueError(
                f"The input {name!r} in the 'inputs' parameter of {owner} has no columns. Correct it, or leave it out."
            )
        if shape is None:
            found[name] = chosen
            continue
        if math.prod(shape) != n_columns:
            raise ValueError(
                f"The input {name!r} in the 'inputs' parameter of {owner} has the shape {tuple(shape)}, which is {math.prod(shape)} values per "
                f"row, but {n_columns} columns. Correct one of them."
            )
        values = np.asarray(chosen.to_numpy() if is_table(chosen) else chosen)
        found[name] = values.reshape(len(values), *shape)
    return Inputs(found)


def _has_shape(group: Any) -> bool:
    """Return True for a pair of columns and a shape: a tuple whose second item is a tuple of ints."""
    return isinstance(group, tuple) and len(group) == 2 and isinstance(group[1], tuple)
