"""The device on which a training or a prediction runs, and the type of its numbers."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np


@dataclasses.dataclass(frozen=True)
class Placement:
    """A device of this process, by platform and number, and the type of numbers.

    It is part of a job and of the key of each program. It can be pickled; in another process it means that process's device
    of the same platform and number.

    Examples
    --------
    >>> from skdeep.core.placement import Placement, current_placement
    >>> with Placement("cpu", 0, "float64").active():
    ...     current_placement().dtype
    'float64'
    """

    platform: str
    index: int = 0
    dtype: str = "float32"

    @property
    def device(self) -> Any:
        """The JAX device.

        Raises
        ------
        RuntimeError
            If this process has no such device.
        """
        return _device(self.platform, self.index)

    @property
    def is_cpu(self) -> bool:
        """True if programs run on the host's processor."""
        return self.platform == "cpu"

    def active(self) -> _Active:
        """Return a context manager. In its block, this thread traces, compiles and runs programs with this placement."""
        return _Active(self)


class _Active:
    """The context manager of `Placement.active`; one made by `contextlib.contextmanager` would take twice as long."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement

    def __enter__(self) -> None:
        placement = self._placement
        self._token = _active.set(placement)
        self._settings = contextlib.ExitStack()
        if placement.dtype == "float64":
            self._settings.enter_context(jax.enable_x64(True))
        try:
            device = placement.device
        except RuntimeError:
            self.__exit__()
            raise
        if device != _default_device():
            self._settings.enter_context(jax.default_device(device))

    def __exit__(self, *_: Any) -> None:
        self._settings.close()
        _active.reset(self._token)


_active: ContextVar[Placement | None] = ContextVar("_active", default=None)


def current_placement() -> Placement:
    """Return the placement that is active in this thread, else float32 numbers on JAX's default device."""
    return _active.get() or placement_of(_default_device())


@functools.cache
def placement_of(device: Any, dtype: Any = np.float32) -> Placement:
    """Return the placement on a JAX device, with numbers of type `dtype`."""
    return Placement(device.platform, _index_of(device), np.dtype(dtype).name)


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
def _device(platform: str, index: int) -> Any:
    devices = jax.local_devices(backend=platform)
    if index >= len(devices):
        raise RuntimeError(
            f"There is no {platform} device number {index} in this process, which has {len(devices)}, counted from 0. "
            "Give a placement on one of them."
        )
    return devices[index]


@functools.cache
def _index_of(device: Any) -> int:
    index: int = jax.local_devices(backend=device.platform).index(device)
    return index
