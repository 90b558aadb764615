"""Inputs of a network: one array `(n, *shape)`, or several by name, `{name: (n, *shape)}`.

On the host, several arrays are one `skdeep.Inputs`, which is indexed by rows; programs see them as a dict. What a network
takes is written as an `InShape`, which is hashable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.core.placement import current_placement
from skdeep.inputs import Inputs
from skdeep.records import InputSpec

InShape: TypeAlias = tuple[int, ...] | InputSpec | tuple[tuple[str, InputSpec], ...]
"""The shape of a row of numbers, the `InputSpec` of one array, or pairs of names and `InputSpec`s of several."""


def hashable_specs(in_shape: Any) -> InShape:
    """Return an `InShape`, where specs by name may be given as a mapping.

    Examples
    --------
    >>> from skdeep.core.inputs import hashable_specs
    >>> from skdeep.records import InputSpec
    >>> [name for name, _ in hashable_specs({"table": InputSpec((3,)), "image": InputSpec((8, 8, 1))})]
    ['image', 'table']
    """
    if isinstance(in_shape, Mapping):
        return tuple(sorted(in_shape.items()))
    return in_shape if isinstance(in_shape, InputSpec) else tuple(in_shape)


@functools.lru_cache(maxsize=256)
def specs_of(in_shape: InShape) -> Any:
    """Return the `InputSpec` of one array, or a dict of them by name, which is not to be changed."""
    if isinstance(in_shape, InputSpec):
        return in_shape
    if in_shape and isinstance(in_shape[0], tuple):
        return dict(in_shape)
    return InputSpec(tuple(in_shape))  # type: ignore[arg-type]  # ints


def has_names(in_shape: InShape) -> bool:
    """Tell whether there are several inputs by name."""
    return isinstance(specs_of(in_shape), dict)


def as_built_for(in_shape: InShape) -> Any:
    """Return what `Network.build` is given: the shape of a row, or a dict of `InputSpec`s."""
    specs = specs_of(in_shape)
    return specs if isinstance(specs, dict) else specs.shape


def row_shapes(in_shape: InShape) -> Any:
    """Return the shape of a row, by name if there are names."""
    return _each(specs_of(in_shape), lambda spec: spec.shape)


def most_axes(in_shape: InShape) -> int:
    """Return how many axes a row has, the largest number if there are several inputs."""
    specs = specs_of(in_shape)
    return max(len(spec.shape) for spec in (specs.values() if isinstance(specs, dict) else [specs]))


def example_of(in_shape: InShape, n: int, dtype: Any) -> Any:
    """Return rows of zeros as a program sees them; `dtype` is the type of training."""
    return _each(specs_of(in_shape), lambda spec: jnp.zeros((n, *spec.shape), jnp.int32 if spec.is_int else dtype))


def in_shape_for(x: Any, in_shape: InShape) -> Any:
    """Return rows on the host as a program takes them: in the network's shape, several inputs as a dict."""
    specs = specs_of(in_shape)
    if isinstance(specs, dict):
        return {name: x[name].reshape(-1, *spec.shape) for name, spec in specs.items()}
    return x.reshape(-1, *specs.shape)


def arrays_of(x: Any) -> list[Any]:
    """Return the arrays that X on the host is made of, in the order of their names."""
    return [array for _, array in x.items()] if isinstance(x, Inputs) else [x]


def columns_of(x: Any) -> Any:
    """Return the shape of a row of X, by name if X is `Inputs`."""
    return {name: array.shape[1:] for name, array in x.items()} if isinstance(x, Inputs) else x.shape[1:]


def float_dtype(x: Any) -> Any:
    """Return the type of the numbers of X, on the host or in a program; the type of training if X holds ids only."""
    dtype = getattr(x, "dtype", None)
    if dtype is not None and dtype.kind == "f":  # one array, as nearly always
        return dtype
    leaves = [x] if hasattr(x, "indptr") else arrays_of(x) if isinstance(x, Inputs) else jax.tree.leaves(x)
    floats = [leaf.dtype for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return np.result_type(*floats) if floats else np.dtype(current_placement().dtype)


def _each(specs: Any, function: Callable[[InputSpec], Any]) -> Any:
    if isinstance(specs, dict):
        return {name: function(spec) for name, spec in specs.items()}
    return function(specs)
