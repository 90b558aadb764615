"""Checks for schedules: a factor for each progress in [0, 1]."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.contract import Schedule, arguments_for
from skdeep.core import as_traced
from skdeep.testing.component_checks import expect_each_used
from skdeep.testing.dataflow import dataflow_of
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite

PROGRESS = np.linspace(0, 1, 21, dtype=np.float32)
MAX_EPOCHS = 100
N_STEPS = 10_000


def progress_probes(schedule: Schedule) -> np.ndarray:
    """Return values of progress at which a formula may fail: `(probes,)`.

    These are the progress after each epoch in fits of up to 100 epochs, a fine grid, and each float field (and 1 minus
    it) with its neighbouring float32 numbers, since schedules often switch between formulas there.
    """
    fractions = [np.arange(n + 1) / n for n in range(1, MAX_EPOCHS + 1)]
    fields = np.array([float(leaf) for leaf in jax.tree.leaves(schedule)], np.float32)
    fields = np.concatenate(
        [f for field in (fields, 1 - fields) for f in (np.nextafter(field, 0), field, np.nextafter(field, 1))]
    )
    probes = np.concatenate([*fractions, np.linspace(0, 1, 10_001), fields]).astype(np.float32)
    unique: np.ndarray = np.unique(probes[(probes >= 0) & (probes <= 1)])
    return unique


@contract_check("return one finite factor, at least 0, for each progress in [0, 1].")
def check_factor(schedule: Schedule) -> None:
    """For each progress it returns one number that is finite and not negative."""
    for progress in PROGRESS:
        factor = np.asarray(_call(schedule, progress))
        expect(factor.shape == (), f"At progress {progress:g} it returned shape {factor.shape}, not one number.")
        expect_finite(factor, f"At progress {progress:g} the factor ")
        expect(factor >= 0, f"At progress {progress:g} the factor is {factor}.")


@contract_check(
    "return a finite factor, at least 0, for every progress in [0, 1]. If a part of the formula divides by zero or takes the "
    "root of a negative number, give it other arguments there by `jnp.where`."
)
def check_factor_between(schedule: Schedule) -> None:
    """The factor is finite and not negative at about 13,000 values of progress, among them those between epochs."""
    probes = progress_probes(schedule)
    factors = np.asarray(_at_all(as_traced(schedule), probes))
    for wrong, what in ((~np.isfinite(factors), "NaN or infinite"), (factors < 0, "negative")):
        n = int(wrong.sum())
        expect(
            n == 0,
            f"At progress {probes[wrong][:1]} the factor is {factors[wrong][:1]}; it is {what} at {n} of {len(probes)} values.",
        )


@contract_check("use the field, or remove it: a search over it would compare equal models.")
def check_float_fields_matter(schedule: Schedule) -> None:
    """Each float field changes the factor."""
    expect_each_used(schedule, lambda s: dataflow_of(_call, as_traced(s), np.float32(0.5)).used, "no factor")


@contract_check("write it without Python branches (`jnp.where`, `jnp.interp`): progress and float fields are traced.")
def check_floats_are_traced(schedule: Schedule) -> None:
    """Inside `jit` and `vmap`, with progress and float fields traced, it gives the same factors as outside."""
    outside = np.array([_call(schedule, progress) for progress in PROGRESS], dtype=np.float32)
    inside = np.asarray(_at_all(as_traced(schedule), np.resize(PROGRESS, len(progress_probes(schedule)))))[
        : len(PROGRESS)
    ]
    expect_close(inside, outside, "Inside `jit` it gives other factors than outside.", rtol=1e-4, atol=1e-5)


SCHEDULE_CHECKS = (check_factor, check_floats_are_traced, check_factor_between, check_float_fields_matter)


def _call(schedule: Schedule, progress: Any) -> Any:
    """Return the factor at a progress, in a training of `N_STEPS` steps."""
    step = jnp.round(progress * N_STEPS).astype(jnp.int32)
    return schedule(progress, **arguments_for(schedule.__call__, step=step, n_steps=jnp.int32(N_STEPS)))


_at_all = jax.jit(jax.vmap(_call, in_axes=(None, 0)))
