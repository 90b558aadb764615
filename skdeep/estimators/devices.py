"""From the parameter `device` to the devices of JAX."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import jax
import numpy as np
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions

from skdeep.core.placement import Placement, default_placement, placement_of, placement_on

DEVICE: list[Any] = [
    StrOptions({"auto", "all", "cpu", "gpu", "tpu"}),
    Interval(Integral, 1, None, closed="left"),
    list,
    tuple,
]


def placement_named(owner: str, device: Any, dtype: Any = np.float32) -> Placement:
    """Return the placement on the device or devices that an estimator's parameter names.

    Parameters
    ----------
    owner : str
        Name of the estimator's class, for messages.
    device : {"auto", "all", "cpu", "gpu", "tpu"}, int or list of int
        "auto" is JAX's default device, and a platform its first one. Several devices are those of the default device's platform: all of them,
        in all processes (`jax.distributed`); the first few; or those with these numbers, from 0.
    dtype : NumPy dtype, default=float32

    Raises
    ------
    InvalidParameterError
        If JAX has no such device here; the message lists the available devices.
    """
    if isinstance(device, str):
        return _by_name(owner, device, dtype)
    if isinstance(device, bool):
        raise InvalidParameterError(
            f"The 'device' parameter of {owner} must be a number of devices. Got {device} instead."
        )
    if jax.process_count() > 1:
        raise InvalidParameterError(
            f"The 'device' parameter of {owner} must be 'all', or name one device of this process, because JAX runs in "
            f"{jax.process_count()} processes here (jax.distributed). Got {device!r} instead."
        )
    found = _devices()
    numbers = range(device) if isinstance(device, Integral) else device
    are_numbers = all(isinstance(number, Integral) and not isinstance(number, bool) for number in numbers)
    if not (len(numbers) and are_numbers and len(set(numbers)) == len(numbers)):
        raise InvalidParameterError(
            f"The 'device' parameter of {owner} must be a list of different numbers of devices, counted from 0, such as [0, 1]. "
            f"Got {device!r} instead."
        )
    if not all(0 <= number < len(found) for number in numbers):
        raise InvalidParameterError(
            f"The 'device' parameter of {owner} asks for devices that JAX does not have. Got {device!r}, but there are "
            f"{len(found)} here, counted from 0: {_listed(found)}. Set device to some of these, or to 'auto'."
        )
    return placement_on(tuple(found[int(number)] for number in numbers), dtype)


def _by_name(owner: str, device: str, dtype: Any) -> Placement:
    if device == "auto":
        return default_placement(dtype)
    if device == "all":
        return placement_on(tuple(_devices()), dtype)
    try:
        return placement_of(jax.local_devices(backend=device)[0], dtype)
    except RuntimeError as err:
        raise InvalidParameterError(
            f"The 'device' parameter of {owner} must be a device that JAX has here: {_listed(jax.devices())}. Got {device!r} instead. "
            f"Choose one of these or 'auto', or install a JAX with support for {device!r}."
        ) from err


def _devices() -> list[Any]:
    """Return the devices, of all processes, on the platform of the default device."""
    return jax.devices(default_placement().platform)


def _listed(devices: list[Any]) -> str:
    return ", ".join(f"{found.platform!r} ({found})" for found in devices)
