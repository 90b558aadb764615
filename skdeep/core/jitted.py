"""Copies and pickles of JAX's function objects, such as `nn.relu`: the object itself, as for plain functions.

Left alone, `copy.deepcopy` makes unequal copies of `jax.jit` and `jax.custom_jvp` objects, and pickle refuses them: it
looks for the function inside under the name that the object has. scikit-learn copies parameters in `clone`.
"""

from __future__ import annotations

import copyreg
from typing import Any

import jax
import jax.numpy as jnp

from skdeep.pickling import found_by, import_name

JITTED = type(jax.jit(len))
_WRAPPERS = (JITTED, jax.custom_jvp, jax.custom_vjp)
_KINDS = (*_WRAPPERS, type(jnp.add))


def wrapped_by(function: Any) -> Any:
    """Return the function inside a jitted or cached one; a deep copy of a jitted one has it in its state only."""
    try:
        return function.__wrapped__
    except AttributeError:
        return function.__getstate__()["fun"]


def _innermost(function: Any) -> Any:
    while isinstance(function, _WRAPPERS):
        function = wrapped_by(function)
    return function


def _reduced(function: Any) -> Any:
    """Return what `copy` and pickle ask for: the name under which the object is found, if it is."""
    inner = _innermost(function)
    module, name = (
        getattr(inner, "__module__", None),
        getattr(inner, "__qualname__", None) or getattr(inner, "__name__", None),
    )
    if isinstance(module, str) and isinstance(name, str) and module != "__main__":
        found = found_by(module, name)
        if found is function:
            return name
        if type(found) is type(function) and _innermost(found) is inner:  # this is a copy that was made elsewhere
            return import_name, (module, name)
    return _value_of, (_Kept(function),)  # what a notebook defines goes to other processes by value


class _Kept:
    """Holds an object that is copied by reference, and pickled as it would be without this file."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __deepcopy__(self, memo: dict[int, Any]) -> _Kept:
        return self

    def __reduce__(self) -> Any:
        return _remade, self.value.__reduce_ex__(4)[1:3]


def _value_of(kept: _Kept) -> Any:
    return kept.value


def _remade(arguments: tuple[Any, ...], state: Any) -> _Kept:
    value = object.__new__(*arguments) if issubclass(arguments[0], _PURE_PYTHON) else arguments[0].__new__(*arguments)
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
    else:
        vars(value).update(state)
    return _Kept(value)


_PURE_PYTHON = _KINDS[1:]

for _kind in _KINDS:
    copyreg.pickle(_kind, _reduced)
