"""Digests of values by names and content, never by addresses, so that they are equal in all processes."""

from __future__ import annotations

import enum
import functools
import hashlib
import sys
import types
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import numpy as np

HEX_DIGITS = 32


def digest_of(parts: Iterable[Any], digits: int = HEX_DIGITS) -> str:
    """Return a hexadecimal digest of values that `written` can write."""
    found = hashlib.sha256()
    for piece in written(list(parts)):
        found.update(piece)
        found.update(b";")
    return found.hexdigest()[:digits]


def array_digest(array: Any) -> Any:
    """Return the shape, the dtype and a digest of the values of an array; objects count by their types and representations."""
    values = np.ascontiguousarray(array)
    if values.dtype.hasobject:
        found = hashlib.sha256()
        for value in values.ravel().tolist():
            found.update(f"{type(value).__qualname__}:{value!r};".encode("utf-8", "backslashreplace"))
        return values.shape, str(values.dtype), found.hexdigest()[:HEX_DIGITS]
    # BLAKE2 reads about a gigabyte per second.
    return (
        values.shape,
        str(values.dtype),
        hashlib.blake2b(values.reshape(-1).view(np.uint8), digest_size=16).hexdigest(),  # type: ignore[arg-type]  # arrays are buffers
    )


def distribution_version(package: str) -> str:
    """Return the version of an installed package, "" if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


@functools.lru_cache(maxsize=1024)
def version_of(module: str) -> str:
    """Return the version of the package to which a module belongs; "" for skdeep, Python's own and code outside of packages."""
    top = module.partition(".")[0]
    if top in ("skdeep", "__main__", "") or top in sys.stdlib_module_names:
        return ""
    if top in _NAMED_AS_THEIR_PACKAGE:
        return distribution_version(top)
    packages = metadata.packages_distributions().get(top, [])
    return ",".join(distribution_version(package) for package in packages)


_NAMED_AS_THEIR_PACKAGE = {"jax", "jaxlib", "flax", "optax", "numpy", "scipy"}
"""For these, the metadata of all installed packages need not be read, which takes a tenth of a second."""


def written(value: Any) -> Iterable[bytes]:
    """Yield bytes that are equal for equal values in all processes, for the kinds of values that atoms may be.

    Raises
    ------
    TypeError
        If a value is of another kind and has no name by which other processes find it.
    """
    if isinstance(value, bool | int | str | bytes | float | complex | types.NoneType | types.EllipsisType):
        yield f"{type(value).__name__}:{value!r}".encode()
    elif isinstance(value, enum.Enum):
        yield f"enum:{name_of(type(value))}.{value.name}".encode()
    elif isinstance(value, list | tuple):
        yield f"items:{len(value)}".encode()
        for item in value:
            yield from written(item)
    elif isinstance(value, dict):
        yield from written([item for key in sorted(value, key=str) for item in (key, value[key])])
    elif isinstance(value, set | frozenset):
        yield f"set:{len(value)}".encode()
        yield from sorted(b";".join(written(item)) for item in value)
    elif isinstance(value, np.ndarray | np.generic):
        yield repr(array_digest(value)).encode()
    elif isinstance(value, types.CodeType):
        yield from _written_code(value)
    elif isinstance(value, types.ModuleType):
        yield f"module:{value.__name__}:{version_of(value.__name__)}".encode()
    elif isinstance(value, np.dtype):
        yield f"dtype:{value}".encode()
    elif (known := _global_name_of(value)) is not None:
        yield f"global:{known}".encode()
    else:
        yield f"name:{name_of(value)}:{version_of(module_of(value))}".encode()
        if isinstance(value, types.FunctionType) and "<" in value.__qualname__:  # several lambdas share a name
            yield from _written_code(value.__code__)
            yield from written([value.__defaults__, value.__kwdefaults__])


def _global_name_of(value: Any) -> str | None:
    """Return the name of an object without a name of its own that pickle stores by a name, such as `pandas.NA`; None for others."""
    if hasattr(value, "__name__") or hasattr(value, "__qualname__"):
        return None
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # classes that cannot be pickled raise exceptions of any kind
        return None
    return f"{type(value).__module__}.{reduced}" if isinstance(reduced, str) else None


def _written_code(code: types.CodeType) -> Iterable[bytes]:
    """Yield the content of a code object without its file name and line numbers."""
    yield code.co_code
    yield from written([code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags])
    yield from written([code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount])
    yield from written(list(code.co_consts))


def module_of(value: Any) -> str:
    """Return the name of the module that defines a class, a function or a method, "" if it has none."""
    module = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", "")
    return str(module or "")


def name_of(value: Any) -> str:
    """Return the full name of a class, a function or a method.

    Raises
    ------
    TypeError
        If a value has no name.
    """
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(
            f"The identity and the signature of a job need values that can be read, or that other processes find by a name. Got "
            f"{value!r}, which has no name. Use a component, a function or plain values instead."
        )
    return f"{module_of(value)}.{name}"
