"""The devices on which a training or a prediction runs, and the type of its numbers."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np

AXIS = "data"
"""The name of the axis of meshes, along which rows are split."""


@dataclasses.dataclass(frozen=True)
class Placement:
    """A device of this process, by platform and number, or several, and the type of numbers.

    It is part of a job and of the key of each program. It can be pickled; in another process it means that process's devices
    of the same platform and numbers. If JAX runs in several processes (`jax.distributed`), several devices are counted over all processes.

    Parameters
    ----------
    platform : str
        JAX's name of it, such as "cpu" or "cuda".
    index : int or tuple of int, default=0
        The number of the device, or the numbers of several, which form a mesh with one axis: rows are split over its devices, and
        parameters are copied to each.
    dtype : str, default="float32"

    Examples
    --------
    >>> from skdeep.core.placement import Placement, current_placement
    >>> with Placement("cpu", 0, "float64").active():
    ...     current_placement().dtype
    'float64'
    """

    platform: str
    index: int | tuple[int, ...] = 0
    dtype: str = "float32"

    @property
    def device(self) -> Any:
        """The JAX device, the first of this process if there are several.

        Raises
        ------
        RuntimeError
            If this process has no such device.
        """
        if isinstance(self.index, int):
            return _device(self.platform, self.index)
        return next(device for device in self.devices if device.process_index == jax.process_index())

    @property
    def devices(self) -> tuple[Any, ...]:
        """The JAX devices, those of other processes included; raise RuntimeError as `device` does."""
        if isinstance(self.index, int):
            return (self.device,)
        return tuple(_device(self.platform, index, of_all_processes=True) for index in self.index)

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return 1 if isinstance(self.index, int) else len(self.index)

    @property
    def mesh(self) -> jax.sharding.Mesh | None:
        """The mesh of several devices; None if there is one."""
        return None if isinstance(self.index, int) else _mesh(self.devices)

    @property
    def spans_processes(self) -> bool:
        """True if some of the devices belong to other processes."""
        return any(device.process_index != jax.process_index() for device in self.devices)

    @property
    def is_cpu(self) -> bool:
        """True if programs run on the host's processor."""
        return self.platform == "cpu"

    def on_first(self) -> Placement:
        """Return the placement on the first device of this process."""
        return self if isinstance(self.index, int) else placement_of(self.device, self.dtype)

    def active(self) -> _Active:
        """Return a context manager. In its block, this thread traces, compiles and runs programs with this placement.

        Blocks of several devices wait for each other: if the programs of two threads were sent to the devices in different orders, each
        would wait for the other's.
        """
        return _Active(self)


class _Active:
    """The context manager of `Placement.active`; one made by `contextlib.contextmanager` would take twice as long."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement

    def __enter__(self) -> None:
        placement = self._placement
        device = placement.device
        self._settings = contextlib.ExitStack()
        if placement.n_devices > 1:
            self._settings.enter_context(_several_devices)  # first: Ctrl-C while waiting leaves nothing set
        self._token = _active.set(placement)
        if placement.dtype == "float64":
            self._settings.enter_context(jax.enable_x64(True))
        if device != _default_device():
            self._settings.enter_context(jax.default_device(device))

    def __exit__(self, *_: Any) -> None:
        self._settings.close()
        _active.reset(self._token)


_active: ContextVar[Placement | None] = ContextVar("_active", default=None)
_several_devices = threading.RLock()


def current_placement() -> Placement:
    """Return the placement that is active in this thread, else float32 numbers on JAX's default device."""
    return _active.get() or placement_of(_default_device())


@functools.cache
def placement_of(device: Any, dtype: Any = np.float32) -> Placement:
    """Return the placement on a JAX device of this process, with numbers of type `dtype`."""
    return Placement(device.platform, _index_of(device), np.dtype(dtype).name)


def placement_on(devices: tuple[Any, ...], dtype: Any = np.float32) -> Placement:
    """Return the placement on one or several JAX devices of one platform, with numbers of type `dtype`."""
    if len(devices) == 1:
        return placement_of(devices[0], dtype)
    numbers = {device: i for i, device in enumerate(jax.devices(devices[0].platform))}
    return Placement(devices[0].platform, tuple(numbers[device] for device in devices), np.dtype(dtype).name)


def default_placement(dtype: Any = np.float32) -> Placement:
    """Return the placement on JAX's default device, with numbers of type `dtype`."""
    return placement_of(_default_device(), dtype)


def _default_device() -> Any:
    device = jax.config.jax_default_device  # type: ignore[attr-defined]  # config attributes are made at run time
    if device is None:
        return _first_device()
    return _device(device, 0) if isinstance(device, str) else device


# JAX's list of devices does not change after its first use, so devices are looked up once.


@functools.cache
def _first_device() -> Any:
    return jax.local_devices()[0]


@functools.cache
def _device(platform: str, index: int, of_all_processes: bool = False) -> Any:
    devices = jax.devices(platform) if of_all_processes else jax.local_devices(backend=platform)
    if index >= len(devices):
        raise RuntimeError(
            f"There is no {platform} device number {index} in this process, which has {len(devices)}, counted from 0. "
            "Give a placement on one of them."
        )
    return devices[index]


@functools.cache
def _mesh(devices: tuple[Any, ...]) -> jax.sharding.Mesh:
    return jax.sharding.Mesh(np.array(devices), (AXIS,), axis_types=(jax.sharding.AxisType.Auto,))


@functools.cache
def _index_of(device: Any) -> int:
    index: int = jax.local_devices(backend=device.platform).index(device)
    return index
