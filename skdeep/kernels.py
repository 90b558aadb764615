"""Which parameters are kernels: those that penalties and weight decay act on."""

from __future__ import annotations

from typing import Any

import jax

from skdeep.records import Params

LOOKED_UP = {"embed", "embedding", "embeddings", "table", "tables"}
"""Words in the name of a parameter whose rows are looked up by ids: an embedding table is not a kernel."""

ADDED = {"bias", "biases"}
"""Words in the name of a parameter that is added: a bias is not a kernel, even if it has an axis per attention head."""


def are_kernels(params: Params) -> Any:
    """Mark the kernels by a tree of bools with the structure of the parameters.

    A parameter of two or more dimensions is a kernel, unless one of the words in its name, separated by underscores, is in
    `LOOKED_UP` or `ADDED`. Its name is the last string on its path. So `embedding`, `pos_embedding` and `bias` are no kernels,
    nor are the learned positions of `PositionalEncoding` (`table`). `unembedding` is one, and so is the `kernel` of a dense layer
    that is called `embedding`. Positions in lists are no names: both arrays of `{"tables": [a, b]}` are tables.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.kernels import are_kernels
    >>> are_kernels({"dense": {"kernel": np.ones((2, 3)), "bias": np.ones(3)}, "embedding": np.ones((5, 2))})
    {'dense': {'bias': False, 'kernel': True}, 'embedding': False}
    """
    return jax.tree_util.tree_map_with_path(lambda path, leaf: leaf.ndim >= 2 and _is_kernel(_last_name(path)), params)


def kernels_of(params: Params) -> list[Any]:
    """Return the kernels, by the rule of `are_kernels`."""
    marks = jax.tree.leaves(are_kernels(params))
    return [leaf for leaf, is_kernel in zip(jax.tree.leaves(params), marks, strict=True) if is_kernel]


def _is_kernel(name: str) -> bool:
    return (LOOKED_UP | ADDED).isdisjoint(name.lower().split("_"))


def _last_name(path: tuple[Any, ...]) -> str:
    """Return the last key or attribute on a path that is a string, empty if none is."""
    keys = (getattr(entry, "key", getattr(entry, "name", None)) for entry in reversed(path))
    return next((key for key in keys if isinstance(key, str)), "")
