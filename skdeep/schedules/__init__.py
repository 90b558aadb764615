"""Schedules: functions that map progress in [0, 1] to a factor of the learning rate, without Python branches."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from skdeep.contract import Schedule
from skdeep.schedules.function import FunctionSchedule

__all__ = [
    "Constant",
    "CosLog",
    "Cosine",
    "Exponential",
    "FlatCosine",
    "FunctionSchedule",
    "Linear",
    "OneCycle",
    "WarmupCosine",
]


def _interpolate(progress: Any, start: Any, stop: Any) -> Any:
    """Return the share of the way from start to stop, clipped to [0, 1]; for an empty interval, 0 up to it and 1 after it."""
    length = jnp.maximum(stop - start, jnp.finfo(jnp.float32).eps)
    return jnp.clip((progress - start) / length, 0.0, 1.0)


def _half_cosine(fraction: Any, first: Any, last: Any) -> Any:
    """Return a value that goes from first to last along half a cosine, as fraction goes from 0 to 1."""
    return last + (first - last) * 0.5 * (1 + jnp.cos(jnp.pi * fraction))


class Constant(Schedule):
    """Constant learning rate: the factor is always 1.

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
    """Linear decay from 1 to `final`.

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
    """Cosine decay from 1 to `final` along half a cosine (Loshchilov and Hutter, arXiv 1608.03983, without restarts).

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


class FlatCosine(Schedule):
    """Constant factor 1 for the first part of training, then cosine decay to `final`.

    With the defaults, it is the schedule "flat_cos" of RealMLP (Holzmüller et al., arXiv 2407.04491).

    Parameters
    ----------
    flat_fraction : float, default=0.5
        Share of training with the factor 1, in [0, 1).
    final : float, default=0.0
        Factor at the end.

    Examples
    --------
    >>> from skdeep.schedules import FlatCosine
    >>> [round(float(FlatCosine()(t)), 6) for t in (0.0, 0.5, 0.75, 1.0)]
    [1.0, 1.0, 0.5, 0.0]
    """

    flat_fraction: float = 0.5
    final: float = 0.0

    def __call__(self, progress: Any) -> Any:
        return _half_cosine(_interpolate(progress, self.flat_fraction, 1.0), 1.0, self.final)

    def check_fields(self) -> None:
        _check_fraction(self, "flat_fraction", self.flat_fraction)


class CosLog(Schedule):
    """Cosine cycles whose lengths double: `(1 - cos(2 pi log2(1 + (2^n - 1) t))) / 2` at progress t, for n cycles.

    Each cycle starts and ends at 0. With 4 cycles, it is the schedule "coslog4" of RealMLP (Holzmüller et al., arXiv 2407.04491),
    whose cycles end at t = 1/15, 1/5, 7/15 and 1.

    Parameters
    ----------
    n_cycles : float, default=4.0
        Number of cycles; positive.

    Examples
    --------
    >>> from skdeep.schedules import CosLog
    >>> [round(float(CosLog()(t)), 6) for t in (0.0, 0.2, 1.0)]
    [0.0, 0.0, 0.0]
    """

    n_cycles: float = 4.0

    def __call__(self, progress: Any) -> Any:
        n_finished = jnp.log2(1 + (jnp.exp2(self.n_cycles) - 1) * progress)
        return 0.5 * (1 - jnp.cos(2 * jnp.pi * n_finished))

    def check_fields(self) -> None:
        if not self.n_cycles > 0:
            raise ValueError(f"The 'n_cycles' field of CosLog must be positive. Got {self.n_cycles!r} instead.")


class WarmupCosine(Schedule):
    """Linear warm-up from 0 to 1, then cosine decay to `final`.

    Parameters
    ----------
    warmup_fraction : float, default=0.1
        Length of the warm-up as a share of `max_epochs`, in [0, 1).
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
    """Exponential decay from 1 to `final`: `final ** progress`.

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
    """One cycle: half a cosine from `initial` up to 1, then another down to `final` (Smith and Topin, arXiv 1708.07120).

    The estimator's `learning_rate` is the peak. Unlike in the paper, momentum stays constant.

    Parameters
    ----------
    peak_fraction : float, default=0.3
        Progress at the peak, in [0, 1).
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
