"""Functions that the optimizers share: checks of their fields, and the mask of parameters with weight decay."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import jax

from skdeep import Optimizer
from skdeep.contract import Params


def are_kernels(params: Params) -> Any:
    """Return a pytree of bool, True for parameters with weight decay: those of two or more dimensions."""
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)


def check_numbers(optimizer: Optimizer, interval: str, *names: str) -> None:
    """Raise ValueError unless every named field is a number in an interval written as `"[0, 1)"`."""
    low, high = map(float, interval[1:-1].split(","))
    for name in names:
        value = getattr(optimizer, name)
        number = float(value) if isinstance(value, Real) else math.nan
        above = number >= low if interval[0] == "[" else number > low
        below = number <= high if interval[-1] == "]" else number < high
        if above and below:
            continue
        raise ValueError(
            f"The {name!r} field of {type(optimizer).__name__} must be in {interval}. Got {value!r} instead."
        )


def check_counts(optimizer: Optimizer, *names: str) -> None:
    """Raise ValueError unless every named field is a positive int."""
    for name in names:
        value = getattr(optimizer, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(
                f"The {name!r} field of {type(optimizer).__name__} must be an int in [1, inf). Got {value!r} instead."
            )
