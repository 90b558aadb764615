"""Copy and pickle JAX's function objects, such as `nn.relu`, by reference, as Python does with plain functions.

Without this module, `copy.deepcopy` makes unequal copies of `jax.jit` and `jax.custom_jvp` objects; scikit-learn copies
parameters in `clone`. pickle raises: it pickles the inner function by its name, but finds the outer object under that name.
"""

from __future__ import annotations

import copyreg
import weakref
from contextvars import ContextVar
from typing import Any

import cloudpickle
import jax
import jax.numpy as jnp

from skdeep.pickling import found_by, import_name

JITTED = type(jax.jit(len))
_WRAPPERS = (JITTED, jax.custom_jvp, jax.custom_vjp)
_KINDS = (*_WRAPPERS, type(jnp.add))


def wrapped_by(function: Any) -> Any:
    """Return the function inside a jitted or cached function. A deep copy of a jitted function holds it in its state only."""
    try:
        return function.__wrapped__
    except AttributeError:
        return function.__getstate__()["fun"]


def _innermost(function: Any) -> Any:
    while isinstance(function, _WRAPPERS):
        function = wrapped_by(function)
    return function


def _path_of(function: Any) -> tuple[Any, Any]:
    """Return the module and the qualified name of the innermost function."""
    inner = _innermost(function)
    name = getattr(inner, "__qualname__", None) or getattr(inner, "__name__", None)
    return getattr(inner, "__module__", None), name


def _reduced(function: Any) -> Any:
    """Return the reduced value for `copy` and pickle: the object's name if the name leads to the object, else a call."""
    inner, (module, name) = _innermost(function), _path_of(function)
    if isinstance(module, str) and isinstance(name, str) and module != "__main__":
        found = found_by(module, name)
        if found is function:
            return name
        if type(found) is type(function) and _innermost(found) is inner:  # `function` is a copy of `found`
            return import_name, (module, name)
    return _value_of, (_kept(function),)  # functions defined in a notebook are pickled by value


_being_dumped: ContextVar[frozenset[int]] = ContextVar("_being_dumped", default=frozenset())


class _Kept:
    """Holds a function object that is copied by reference and pickled by value.

    pickle would pickle the inner function by its name, but finds the outer object under that name. So a pickle holds the name
    and the bytes that cloudpickle makes of the object. If the object with that name has the same bytes when the pickle is
    loaded, as in the process that wrote it, loading returns that object.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __deepcopy__(self, memo: dict[int, Any]) -> _Kept:
        return self

    def __reduce__(self) -> Any:
        if id(self.value) in _being_dumped.get():
            arguments, state = self.value.__reduce_ex__(4)[1:3]
            # `__setstate__` fills in the state later, because a custom derivative refers to its own function.
            return _kept_empty, arguments, (state,)
        return _found_or_loaded, (*_path_of(self.value), self._dumped())

    def _dumped(self) -> bytes:
        token = _being_dumped.set(_being_dumped.get() | {id(self.value)})
        try:
            data: bytes = cloudpickle.dumps(self)
            return data
        finally:
            _being_dumped.reset(token)

    def __setstate__(self, only: tuple[Any]) -> None:
        (state,) = only
        if hasattr(self.value, "__setstate__"):
            self.value.__setstate__(state)
        else:
            vars(self.value).update(state)


_all_kept: weakref.WeakValueDictionary[int, _Kept] = weakref.WeakValueDictionary()


def _kept(function: Any) -> _Kept:
    """Return the `_Kept` that holds a function: one object during a pickling, so that pickle recognises repeats."""
    return _all_kept.setdefault(id(function), _Kept(function))


def _kept_empty(cls: type, *arguments: Any) -> _Kept:
    return _Kept((object if issubclass(cls, _PURE_PYTHON) else cls).__new__(cls, *arguments))


def _found_or_loaded(module: Any, name: Any, data: bytes) -> _Kept:
    """Return the object with this name if it equals the pickled one, else load a new one."""
    found = found_by(module, name) if isinstance(module, str) and isinstance(name, str) else None
    if type(found) in _KINDS and _kept(found)._dumped() == data:
        return _kept(found)
    kept: _Kept = cloudpickle.loads(data)
    return kept


def _value_of(kept: _Kept) -> Any:
    return kept.value


_PURE_PYTHON = _KINDS[1:]

for _kind in _KINDS:
    copyreg.pickle(_kind, _reduced)
