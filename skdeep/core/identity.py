"""The two digests of a job: the signature is equal for jobs that share a program, the identity for equal trainings.

Both are computed from names and content, never from addresses, so that they are equal in all processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from skdeep.arguments import arguments_for
from skdeep.component import Component
from skdeep.core.content import array_digest, digest_of, distribution_version, name_of, version_of
from skdeep.core.encode import is_sparse
from skdeep.core.feeds.feed import form_of
from skdeep.core.feeds.validation import validates_in_program
from skdeep.core.fingerprint import MAX_ATOMS, UnreadableError, atoms_of
from skdeep.core.inputs import arrays_of
from skdeep.core.network import has_progress
from skdeep.core.rows import WeightedRows, padded_size
from skdeep.core.streamed_rows import StreamedRows

PACKAGES = ("skdeep-flax", "jax", "jaxlib", "flax", "optax", "numpy", "scipy")
"""The packages whose versions may change the numbers of a training."""

SETTINGS = (
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_disable_most_optimizations",
    "jax_random_seed_offset",
    "jax_softmax_custom_jvp",
    "jax_threefry_partitionable",
)
"""The settings of JAX that may change the numbers of a training. The type of numbers is part of the placement, and XLA_FLAGS count too."""


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Raise TypeError if the content of an object cannot be read."""
    try:
        yield
    except UnreadableError as err:
        raise TypeError(
            "The identity and the signature of a job, which checkpoints need, are computed from the content of its components, its scorer "
            "and its callbacks. One of them refers to an object whose content cannot be read, such as a generator, or to more than "
            f"{MAX_ATOMS:,} values. Leave that object out, hold many values in an array, or train without checkpoint."
        ) from err


@readable()
def signature_of(job: Any) -> str:
    """Return a digest of everything that selects the program of a job, and of the shapes of the program's inputs."""
    shape = job.config.model.in_shape
    return digest_of(
        [
            structure_atoms(job.config),
            structure_atoms(job.driver),
            form_of(job.rows, shape, job.batch_size),
            _form_of_validation(job.validation),
            job.scores is not None,
            dataclasses.astuple(job.placement),
            str(jax.tree.structure(job.start)),
            [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(job.start)],
        ]
    )


@readable()
def identity_of(job: Any) -> str:
    """Return a digest of everything that decides the numbers of a training, except the epoch at which it ends."""
    config = job.config
    if not _looks_at_the_end(config) and not has_progress(job.start.model_state):
        config = config.replace(max_epochs=0.0)
    return digest_of(
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
            None if job.scores is None else job.scores.identity_parts(),
            [array_digest(leaf) for leaf in jax.tree.leaves(job.start)],
            _versions(),
            [str(getattr(jax.config, name, None)) for name in SETTINGS],
            sorted(os.environ.get("XLA_FLAGS", "").split()),
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
    parts: list[Any] = [name_of(type(component)), version_of(type(component).__module__)]
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
    return [name_of(type(order)), state]


def _form_of_validation(rows: WeightedRows | None) -> Any:
    if rows is None:
        return None
    return padded_size(len(rows.target)) if validates_in_program(rows) else "on the host"


def content_of(rows: Any) -> Any:
    """Return digests of the arrays in which rows are stored."""
    if rows is None:
        return None
    if isinstance(rows, StreamedRows):
        return rows.content()
    x = rows.x
    parts = [x.data, x.indices, x.indptr, x.shape] if is_sparse(x) else arrays_of(x)
    return [array_digest(np.asarray(part)) for part in (*parts, rows.target, rows.weight)]


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((package, distribution_version(package)) for package in PACKAGES)
