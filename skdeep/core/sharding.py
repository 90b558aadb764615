"""Rows on several devices: how arrays are split over the mesh of the current placement, and batches gathered from them.

All functions do what they say on one device too, where nothing is split. Only rows and batches are split; everything else that a program
gets or returns is copied to each device. Inside a program, XLA follows a split batch through the network (GSPMD) and sums gradients over
the devices, so that a program computes the same on any number of devices, up to rounding.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Int

from skdeep.core.placement import AXIS, current_placement

_ROWS, _BATCHES, _COPIES = P(AXIS), P(None, AXIS), P()
_OF_NUMPY = np.ndarray, np.generic


def divisible(n: int) -> int:
    """Return the next multiple of the number of devices."""
    n_devices = current_placement().n_devices
    return -(-n // n_devices) * n_devices


def with_rows_split(arrays: Any) -> Any:
    """Return arrays `(rows, ...)` in the memory of the devices, each with its share of the rows; on one CPU, as they are."""
    return _placed(arrays, _ROWS)


def with_batches_split(arrays: Any) -> Any:
    """Return arrays `(steps, batch, ...)` in the memory of the devices, each with its share of each batch; on one CPU, as they are.

    Batches that have no equal shares are copied to each device. In several processes, each gives its share of the batches.
    """
    has_shares = all(leaf.shape[1] % current_placement().n_devices == 0 for leaf in jax.tree.leaves(arrays))
    return _placed(arrays, _BATCHES if has_shares or current_placement().spans_processes else _COPIES)


def _placed(arrays: Any, spec: P) -> Any:
    placement = current_placement()
    if placement.mesh is None:
        return arrays if placement.is_cpu else jax.device_put(arrays)
    sharding = NamedSharding(placement.mesh, spec)
    if not placement.spans_processes:
        return jax.device_put(arrays, sharding)
    return jax.tree.map(lambda own: jax.make_array_from_process_local_data(sharding, own), arrays)


def taken(rows: Any, index: Int[Array, "steps batch"]) -> Any:
    """Return the rows at these positions, from arrays `(rows, ...)` to arrays `(steps, batch, ...)`, inside a program.

    Of rows that are split, each device gathers those that it has, and sends each to the device that has this place of the batch.
    """
    mesh = current_placement().mesh
    if mesh is None or any(leaf.shape[0] % mesh.size for leaf in jax.tree.leaves(rows)):
        return jax.tree.map(lambda leaf: leaf.at[index].get(mode="promise_in_bounds"), rows)
    batch_size = index.shape[1]
    index = jnp.pad(index, ((0, 0), (0, -batch_size % mesh.size)))
    exchange = jax.shard_map(_exchanged, mesh=mesh, in_specs=(_ROWS, _COPIES), out_specs=_BATCHES)
    return jax.tree.map(lambda leaf: exchange(leaf, index)[:, :batch_size], rows)


def neighbours(rows: Any, first: Int[Array, ""], n: int) -> Any:
    """Return `n` rows from a position on, inside a program."""
    if current_placement().mesh is None:
        return jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, first, n), rows)
    return jax.tree.map(lambda leaf: leaf[0], taken(rows, (first + jnp.arange(n, dtype=first.dtype))[None]))


def _exchanged(own: Array, index: Int[Array, "steps batch"]) -> Array:
    n_own = own.shape[0]
    place = index - lax.axis_index(AXIS) * n_own
    is_own = (place >= 0) & (place < n_own)
    found = own.at[jnp.where(is_own, place, 0)].get(mode="promise_in_bounds")
    found = found.astype(np.uint8) if own.dtype == bool else found  # truth values have no sum
    found = jnp.where(is_own.reshape(*is_own.shape, *(1,) * (found.ndim - 2)), found, 0)
    batches: Array = lax.psum_scatter(found, AXIS, scatter_dimension=1, tiled=True)
    return batches.astype(own.dtype)


def sharding_of(leaf: Any) -> Any:
    """Return how the current placement splits an argument of a program; None on one device."""
    mesh = current_placement().mesh
    if mesh is None:
        return None
    return NamedSharding(mesh, split_of(leaf) or _COPIES)


def split_of(leaf: Any) -> P | None:
    """Return along which axis an array is split over several devices; None if it is not."""
    if isinstance(leaf, _OF_NUMPY):  # asked for each leaf at each call of a program
        return None
    spec = getattr(getattr(leaf, "sharding", None), "spec", None)
    return spec if spec is not None and AXIS in spec else None


def of_results() -> Any:
    """Return how the results of programs are split: each device has all of them. None on one device."""
    mesh = current_placement().mesh
    return None if mesh is None else NamedSharding(mesh, _COPIES)
