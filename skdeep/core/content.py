"""Digests of values by names and content, never by addresses, so that they are equal in all processes."""

from __future__ import annotations

import enum
import functools
import hashlib
import operator
import struct
import sys
import types
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Any

import numpy as np

HEX_DIGITS = 32


def digest_of(parts: Iterable[Any], digits: int = HEX_DIGITS) -> str:
    """Return a hexadecimal digest of values that `written` can write."""
    return hashlib.sha256(framed(written(list(parts)))).hexdigest()[:digits]


def framed(pieces: Iterable[bytes]) -> bytes:
    """Return pieces of bytes as one, each after its length, so that no two sequences of pieces have equal bytes."""
    return b"".join(part for piece in pieces for part in (len(piece).to_bytes(8, "little"), piece))


def bits_of(number: float | complex) -> bytes:
    """Return the bytes of a float or a complex number, which tell 0.0 from -0.0 and one NaN from another."""
    return struct.pack("<d", number) if isinstance(number, float) else struct.pack("<dd", number.real, number.imag)


def array_digest(array: Any) -> Any:
    """Return the shape, the dtype and a digest of the values of an array; objects count by their types and representations."""
    values = np.asarray(array, order="C")
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
    kind = type(value)
    if kind in _PLAIN:
        yield f"{kind.__name__}:{value!r}".encode("utf-8", "backslashreplace")
    elif kind in (float, complex):
        yield kind.__name__.encode() + bits_of(value)
    elif isinstance(value, enum.Enum):
        yield f"enum:{name_of(kind)}.{value.name}".encode()
        yield from written(value.value)
    elif isinstance(value, np.ndarray | np.generic):
        yield from _written_array(value)
    elif isinstance(value, types.CodeType):
        yield from _written_code(value)
    elif isinstance(value, types.ModuleType):
        yield f"module:{value.__name__}:{version_of(value.__name__)}".encode()
    elif isinstance(value, np.dtype):
        yield f"dtype:{value!r}:{value.char}:{name_of(value.type)}".encode()
    elif isinstance(value, range | slice):
        yield from _written_items(value, (value.start, value.stop, value.step))
    elif isinstance(value, dict):
        yield from _written_items(value, [part for item in value.items() for part in item])
    elif isinstance(value, set | frozenset):
        yield f"{name_of(kind)}:{len(value)}".encode()
        yield from sorted(framed(written(item)) for item in value)
    elif isinstance(value, list | tuple):
        yield from _written_items(value, value)
    elif (base := next((base for base in _WITH_SUBCLASSES if isinstance(value, base)), None)) is not None:
        yield f"subclass:{name_of(kind)}".encode()
        yield from written(base.__getnewargs__(value)[0])  # `base(value)` would call methods of the subclass
    else:
        yield from _written_by_name(value)


_PLAIN = (bool, int, str, bytes, types.NoneType, types.EllipsisType)
_WITH_SUBCLASSES: tuple[Any, ...] = (int, str, bytes, float, complex)


def _written_items(value: Any, items: Sequence[Any]) -> Iterable[bytes]:
    yield f"{name_of(type(value))}:{len(items)}".encode()
    for item in items:
        yield from written(item)


def _written_array(array: Any) -> Iterable[bytes]:
    """Yield the content of an array; of a subclass, such as a masked array, the state that pickle stores."""
    yield f"array:{name_of(type(array))}".encode()
    if type(array) is np.ndarray or isinstance(array, np.generic):
        yield repr(array_digest(array)).encode()
    else:
        yield from written(array.__reduce__()[2])
        yield from written(getattr(array, "__dict__", {}))


def _written_by_name(value: Any) -> Iterable[bytes]:
    if (known := _global_name_of(value)) is not None:
        yield f"global:{known}".encode()
        return
    yield f"name:{_layers_around(value)}:{name_of(value)}:{version_of(module_of(value))}".encode()
    if isinstance(value, types.FunctionType) and not has_its_name(value):  # several lambdas share a name
        yield from written(str(value.__globals__.get("__name__")))
        yield from _written_code(value.__code__)
        yield from written([value.__defaults__, value.__kwdefaults__])
    elif isinstance(value, types.MethodType | types.BuiltinMethodType):
        owner = value.__self__
        yield from written(None if isinstance(owner, types.ModuleType) else owner)


def has_its_name(value: Any) -> bool:
    """Return True if other processes find a class or a function by its name, or inside the decorated object of this name."""
    return _layers_around(value) is not None


def _layers_around(value: Any) -> int | None:
    """Return the number of decorators around a value in the object that has its name, None if the value is not found there."""
    module = module_of(value)
    try:
        found = operator.attrgetter(name_of(value)[len(module) + 1 :])(sys.modules.get(module))
    except AttributeError:
        return None
    for n_layers in range(_MOST_LAYERS):
        if found is value:
            return n_layers
        found = getattr(found, "__wrapped__", None)
    return None


_MOST_LAYERS = 8


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
    """Yield the content of a code object.

    Left out are the file's name and the places in it (`co_filename`, `co_firstlineno`, `co_linetable`), which only tracebacks and
    debuggers read, and the sizes that follow from the rest (`co_nlocals`, `co_stacksize`).
    """
    yield b"code"
    yield from written([getattr(code, name) for name in CODE_ATTRIBUTES])


CODE_ATTRIBUTES = (
    "co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_argcount",
    "co_posonlyargcount", "co_kwonlyargcount", "co_exceptiontable", "co_name", "co_qualname",
)  # fmt: skip
"""The attributes of a code object that decide its results. JAX writes names of functions into programs."""


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
