"""The two digests of a job: the signature is equal for jobs that share a program, the identity for equal trainings.

Both are computed from names and content, never from addresses, so that they are equal in all processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import hashlib
import types
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any

import jax
import numpy as np

from skdeep.arguments import arguments_for
from skdeep.component import Component
from skdeep.core.encode import is_sparse
from skdeep.core.feeds.feed import form_of
from skdeep.core.feeds.validation import validates_in_program
from skdeep.core.fingerprint import UnreadableError, atoms_of
from skdeep.core.inputs import arrays_of
from skdeep.core.network import has_progress
from skdeep.core.rows import WeightedRows, padded_size

PACKAGES = ("skdeep-flax", "jax", "jaxlib", "flax", "optax", "numpy", "scipy")
"""The packages whose versions may change the numbers of a training."""

SETTINGS = (
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_random_seed_offset",
    "jax_softmax_custom_jvp",
    "jax_threefry_partitionable",
)
"""The settings of JAX that may change the numbers of a training. The type of numbers is part of the placement."""


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Raise TypeError if the content of an object cannot be read."""
    try:
        yield
    except UnreadableError as err:
        raise TypeError(
            "The identity and the signature of a job, which checkpoints need, are computed from the content of its components and its "
            "scorer. One of them refers to an object whose content cannot be read, such as a generator or an open file. Leave that "
            "object out, or train without checkpoint."
        ) from err


@_reading()
def signature_of(job: Any) -> str:
    """Return a digest of everything that selects the program of a job, and of the shapes of the program's inputs."""
    shape = job.config.model.in_shape
    return _digest(
        [
            structure_atoms(job.config),
            structure_atoms(job.driver),
            form_of(job.rows, shape, job.batch_size),
            _form_of_validation(job.validation),
            job.score is not None,
            dataclasses.astuple(job.placement),
            str(jax.tree.structure(job.start)),
            [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(job.start)],
        ]
    )


@_reading()
def identity_of(job: Any) -> str:
    """Return a digest of everything that decides the numbers of a training, except the epoch at which it ends."""
    config = job.config
    if not _looks_at_the_end(config) and not has_progress(job.start.model_state):
        config = config.replace(max_epochs=0.0)
    return _digest(
        [
            structure_atoms(config),
            [float(number).hex() for number in jax.tree.leaves(config)],
            structure_atoms(job.driver),
            [float(number).hex() for number in jax.tree.leaves(job.driver)],
            job.batch_size,
            _order_atoms(job.order),
            job.placement.dtype,
            content_of(job.rows),
            content_of(job.validation),
            None if job.score is None else job.score.identity_parts(),
            [_array_digest(leaf) for leaf in jax.tree.leaves(job.start)],
            _versions(),
            [str(getattr(jax.config, name, None)) for name in SETTINGS],
        ]
    )


def _looks_at_the_end(config: Any) -> bool:
    """Return True if `max_epochs` changes the first epochs: by the schedule, the loss, or an optimizer that is given the progress."""
    return (
        config.schedule.looks_at_the_end
        or config.loss.uses_progress
        or "progress" in arguments_for(config.optimizer.update, progress=None)
    )


def structure_atoms(component: Component) -> list[Any]:
    """Return the content of a component without its numbers: classes, structure fields, and users' code in them."""
    parts: list[Any] = [_name_of(type(component)), _version_of(type(component).__module__)]
    for field in dataclasses.fields(component):  # type: ignore[arg-type]  # every component is one
        value = getattr(component, field.name)
        parts.append(field.name)
        parts.append(_data_atoms(value) if field.name in component._data_fields else list(atoms_of(value)))
    return [*parts, list(atoms_of(type(component)))]


def _data_atoms(value: Any) -> Any:
    """Return the structure of a field of traced numbers or components."""
    if isinstance(value, Component):
        return structure_atoms(value)
    if isinstance(value, tuple):
        return [_data_atoms(item) for item in value]
    return None if value is None else "number"


def _order_atoms(order: Any) -> Any:
    state = order.__getstate__() if not dataclasses.is_dataclass(order) else dataclasses.asdict(order)  # type: ignore[arg-type]
    return [_name_of(type(order)), state]


def _form_of_validation(rows: WeightedRows | None) -> Any:
    if rows is None:
        return None
    return padded_size(len(rows.target)) if validates_in_program(rows) else "on the host"


def content_of(rows: WeightedRows | None) -> Any:
    """Return digests of the arrays in which rows are stored."""
    if rows is None:
        return None
    x = rows.x
    parts = [x.data, x.indices, x.indptr, x.shape] if is_sparse(x) else arrays_of(x)
    return [_array_digest(np.asarray(part)) for part in (*parts, rows.target, rows.weight)]


def _array_digest(array: Any) -> Any:
    values = np.ascontiguousarray(array)
    # BLAKE2 reads about a gigabyte per second.
    return (
        values.shape,
        str(values.dtype),
        hashlib.blake2b(values.reshape(-1).view(np.uint8), digest_size=16).hexdigest(),  # type: ignore[arg-type]  # arrays are buffers
    )


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((package, _distribution_version(package)) for package in PACKAGES)


def _distribution_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


@functools.lru_cache(maxsize=1024)
def _version_of(module: str) -> str:
    """Return the version of the package to which a module belongs; "" for skdeep and for code outside of packages."""
    top = module.partition(".")[0]
    if top in ("skdeep", "__main__"):
        return ""
    packages = metadata.packages_distributions().get(top, [])
    return ",".join(_distribution_version(package) for package in packages)


def _digest(parts: Iterable[Any]) -> str:
    found = hashlib.sha256()
    for piece in _written(list(parts)):
        found.update(piece)
        found.update(b";")
    return found.hexdigest()[:32]


def _written(value: Any) -> Iterable[bytes]:
    """Yield bytes that are equal for equal values in all processes, for the kinds of values that atoms may be.

    Raises
    ------
    TypeError
        If a value is of another kind and has no name by which other processes find it.
    """
    if isinstance(value, bool | int | str | bytes | float | types.NoneType | types.EllipsisType):
        yield f"{type(value).__name__}:{value!r}".encode()
    elif isinstance(value, enum.Enum):
        yield f"enum:{_name_of(type(value))}.{value.name}".encode()
    elif isinstance(value, list | tuple):
        yield f"items:{len(value)}".encode()
        for item in value:
            yield from _written(item)
    elif isinstance(value, dict):
        yield from _written([item for key in sorted(value, key=str) for item in (key, value[key])])
    elif isinstance(value, set | frozenset):
        yield from sorted(b";".join(_written(item)) for item in value)
    elif isinstance(value, np.ndarray | np.generic):
        yield repr(_array_digest(value)).encode()
    elif isinstance(value, types.CodeType):
        yield from _written_code(value)
    elif isinstance(value, types.ModuleType):
        yield f"module:{value.__name__}".encode()
    elif isinstance(value, np.dtype):
        yield f"dtype:{value}".encode()
    else:
        yield f"name:{_name_of(value)}:{_version_of(_module_of(value))}".encode()


def _written_code(code: types.CodeType) -> Iterable[bytes]:
    """Yield the content of a code object without its file name and line numbers."""
    yield code.co_code
    yield from _written([code.co_names, code.co_varnames, code.co_freevars, code.co_argcount, code.co_flags])
    yield from _written(list(code.co_consts))


def _module_of(value: Any) -> str:
    module = getattr(value, "__module__", None) or getattr(getattr(value, "__objclass__", None), "__module__", "")
    return str(module or "")


def _name_of(value: Any) -> str:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if not isinstance(name, str):
        raise TypeError(
            f"The identity and the signature of a job need values that can be read, or that other processes find by a name. Got "
            f"{value!r}, which has no name. Use a component, a function or plain values instead."
        )
    return f"{_module_of(value)}.{name}"
