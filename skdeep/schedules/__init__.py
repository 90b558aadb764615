"""Schedules: functions of progress in [0, 1] to a factor of the learning rate, free of branches."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from skdeep.contract import Schedule
from skdeep.schedules.function import FunctionSchedule

__all__ = ["Constant", "Cosine", "Exponential", "FunctionSchedule", "Linear", "OneCycle", "WarmupCosine"]


def _interpolate(progress: Any, start: Any, stop: Any) -> Any:
    """Return how far progress is between start and stop, in [0, 1]; 1 if the interval is empty."""
    length = jnp.maximum(stop - start, jnp.finfo(jnp.float32).eps)
    return jnp.clip((progress - start) / length, 0.0, 1.0)


def _half_cosine(fraction: Any, first: Any, last: Any) -> Any:
    """Return a value that falls (or rises) from first to last along half a cosine."""
    return last + (first - last) * 0.5 * (1 + jnp.cos(jnp.pi * fraction))


class Constant(Schedule):
    """The factor is 1 throughout.

    Examples
    --------
    >>> from skdeep.schedules import Constant
    >>> float(Constant()(0.7))
    1.0
    """

    looks_at_the_end: ClassVar[bool] = False

    def __call__(self, progress: Any) -> Any:
        return jnp.ones_like(progress)


class Linear(Schedule):
    """A straight line from 1 to `final`.

    Parameters
    ----------
    final : float, default=0.0
        Factor at the end.

    Examples
    --------
    >>> from skdeep.schedules import Linear
    >>> float(Linear(final=0.5)(0.5))
    0.75
    """

    final: float = 0.0

    def __call__(self, progress: Any) -> Any:
        return 1 + (self.final - 1) * progress


class Cosine(Schedule):
    """Half a cosine from 1 to `final` (Loshchilov and Hutter, arXiv 1608.03983, without restarts).

    Parameters
    ----------
    final : float, default=0.0
        Factor at the end.

    Examples
    --------
    >>> from skdeep.schedules import Cosine
    >>> float(Cosine()(1.0))
    0.0
    """

    final: float = 0.0

    def __call__(self, progress: Any) -> Any:
        return _half_cosine(progress, 1.0, self.final)


class WarmupCosine(Schedule):
    """A straight line from 0 to 1 during the warm-up, then half a cosine to `final`.

    Parameters
    ----------
    warmup_fraction : float, default=0.1
        Share of `max_epochs` for the warm-up, in [0, 1).
    final : float, default=0.0
        Factor at the end.

    Examples
    --------
    >>> from skdeep.schedules import WarmupCosine
    >>> float(WarmupCosine(warmup_fraction=0.2)(0.1))
    0.5
    """

    warmup_fraction: float = 0.1
    final: float = 0.0

    def __call__(self, progress: Any) -> Any:
        rise = _interpolate(progress, 0.0, self.warmup_fraction)
        fall = _half_cosine(_interpolate(progress, self.warmup_fraction, 1.0), 1.0, self.final)
        return jnp.where(progress < self.warmup_fraction, rise, fall)

    def check_fields(self) -> None:
        _check_fraction(self, "warmup_fraction", self.warmup_fraction)


class Exponential(Schedule):
    """An exponential fall from 1 to `final`: `final ** progress`.

    Parameters
    ----------
    final : float, default=0.01
        Factor at the end; positive.

    Examples
    --------
    >>> from skdeep.schedules import Exponential
    >>> round(float(Exponential(final=0.01)(0.5)), 6)
    0.1
    """

    final: float = 0.01

    def __call__(self, progress: Any) -> Any:
        return jnp.exp(progress * jnp.log(self.final))

    def check_fields(self) -> None:
        if not self.final > 0:
            raise ValueError(f"The 'final' field of Exponential must be positive. Got {self.final!r} instead.")


class OneCycle(Schedule):
    """Half a cosine up from `initial` to 1, then one down to `final` (Smith and Topin, arXiv 1708.07120).

    `learning_rate` is the peak. The momentum cycle of the paper is left out.

    Parameters
    ----------
    peak_fraction : float, default=0.3
        Where the peak lies, in [0, 1).
    initial : float, default=0.04
        Factor at the start.
    final : float, default=4e-6
        Factor at the end.

    Examples
    --------
    >>> from skdeep.schedules import OneCycle
    >>> float(OneCycle(peak_fraction=0.25)(0.25))
    1.0
    """

    peak_fraction: float = 0.3
    initial: float = 0.04
    final: float = 4e-6

    def __call__(self, progress: Any) -> Any:
        rise = _half_cosine(_interpolate(progress, 0.0, self.peak_fraction), self.initial, 1.0)
        fall = _half_cosine(_interpolate(progress, self.peak_fraction, 1.0), 1.0, self.final)
        return jnp.where(progress < self.peak_fraction, rise, fall)

    def check_fields(self) -> None:
        _check_fraction(self, "peak_fraction", self.peak_fraction)


def _check_fraction(schedule: Schedule, name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"The {name!r} field of {type(schedule).__name__} must be in [0, 1). Got {value!r} instead.")
