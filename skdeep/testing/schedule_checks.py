"""Checks for schedules: a factor for each progress in [0, 1]."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from skdeep.contract import Schedule
from skdeep.core import as_traced
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite

PROGRESS = np.linspace(0, 1, 21, dtype=np.float32)


@contract_check("return one finite factor, at least 0, for each progress in [0, 1].")
def check_factor(schedule: Schedule) -> None:
    """One number in, one number out: finite and not negative."""
    for progress in PROGRESS:
        factor = np.asarray(schedule(progress))
        expect(factor.shape == (), f"At progress {progress:g} it returned shape {factor.shape}, not one number.")
        expect_finite(factor, f"At progress {progress:g} the factor ")
        expect(factor >= 0, f"At progress {progress:g} the factor is {factor}.")


@contract_check("write it free of branches (`jnp.where`, `jnp.interp`): progress and float fields are traced.")
def check_floats_are_traced(schedule: Schedule) -> None:
    """Inside `jit`, with progress and fields traced, it gives what it gives outside, for one value and for many."""
    outside = np.array([schedule(progress) for progress in PROGRESS], dtype=np.float32)
    inside = jax.jit(jax.vmap(_call, in_axes=(None, 0)))(as_traced(schedule), PROGRESS)
    expect_close(inside, outside, "Inside `jit` it gives other factors.", rtol=1e-4, atol=1e-5)


SCHEDULE_CHECKS = (check_factor, check_floats_are_traced)


def _call(schedule: Schedule, progress: Any) -> Any:
    return schedule(progress)
