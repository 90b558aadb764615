"""Schedules: values compared with Optax's and with closed forms, monotonicity, tracing."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeep.schedules import Constant, Cosine, Exponential, FunctionSchedule, Linear, OneCycle, WarmupCosine

N_STEPS = 1000
PROGRESS = np.linspace(0, 1, 101, dtype=np.float32)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Constant(), {0.0: 1, 0.3: 1, 1.0: 1}),
        (Linear(), {0.0: 1, 0.25: 0.75, 1.0: 0}),
        (Linear(final=0.5), {0.0: 1, 0.5: 0.75, 1.0: 0.5}),
        (Linear(final=2.0), {0.0: 1, 0.5: 1.5, 1.0: 2}),
        (Cosine(), {0.0: 1, 1 / 3: 0.75, 0.5: 0.5, 1.0: 0}),
        (Cosine(final=0.2), {0.0: 1, 0.5: 0.6, 1.0: 0.2}),
        (WarmupCosine(), {0.0: 0, 0.05: 0.5, 0.1: 1, 0.55: 0.5, 1.0: 0}),
        (WarmupCosine(warmup_fraction=0.5, final=0.2), {0.0: 0, 0.25: 0.5, 0.5: 1, 0.75: 0.6, 1.0: 0.2}),
        (WarmupCosine(warmup_fraction=0.0), {0.0: 1, 0.5: 0.5, 1.0: 0}),
        (Exponential(), {0.0: 1, 0.5: 0.1, 1.0: 0.01}),
        (Exponential(final=0.25), {0.0: 1, 0.5: 0.5, 1.0: 0.25}),
        (OneCycle(), {0.0: 0.04, 0.15: 0.52, 0.3: 1, 0.65: 0.500002, 1.0: 4e-6}),
        (OneCycle(peak_fraction=0.5, initial=0.5, final=0.0), {0.0: 0.5, 0.25: 0.75, 0.5: 1, 0.75: 0.5, 1.0: 0}),
        (OneCycle(peak_fraction=0.0, final=0.0), {0.0: 1, 0.5: 0.5, 1.0: 0}),
        (FunctionSchedule(jnp.square), {0.0: 0, 0.5: 0.25, 1.0: 1}),
    ],
)
def test_closed_forms(schedule, expected):
    progress = jnp.array(list(expected), jnp.float32)
    assert_allclose(schedule(progress), list(expected.values()), rtol=1e-5, atol=2e-7)


@pytest.mark.parametrize(
    ("schedule", "of_optax"),
    [
        (Constant(), optax.constant_schedule(1.0)),
        (Linear(final=0.1), optax.linear_schedule(1.0, 0.1, N_STEPS)),
        (Cosine(final=0.1), optax.cosine_decay_schedule(1.0, N_STEPS, alpha=0.1)),
        (
            WarmupCosine(warmup_fraction=0.2, final=0.1),
            optax.warmup_cosine_decay_schedule(0.0, 1.0, N_STEPS // 5, N_STEPS, 0.1),
        ),
        (Exponential(final=0.02), optax.exponential_decay(1.0, N_STEPS, 0.02)),
        (OneCycle(), optax.cosine_onecycle_schedule(N_STEPS, 1.0)),
        (OneCycle(0.5, 0.1, 0.001), optax.cosine_onecycle_schedule(N_STEPS, 1.0, 0.5, 10.0, 100.0)),
    ],
    ids=lambda value: str(value) if not callable(value) or hasattr(value, "kind") else "optax",
)
def test_equals_optax(schedule, of_optax):
    expected = [of_optax(count) for count in np.arange(0, N_STEPS + 1, N_STEPS // 20)]
    assert_allclose(schedule(jnp.linspace(0, 1, 21)), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "peak"),
    [
        (Linear(), 0.0),
        (Cosine(final=0.1), 0.0),
        (Exponential(), 0.0),
        (WarmupCosine(), 0.1),
        (WarmupCosine(warmup_fraction=0.999), 0.999),
        (OneCycle(), 0.3),
    ],
)
def test_rises_to_its_peak_then_falls(schedule, peak):
    factors = np.asarray(schedule(PROGRESS))
    assert (np.diff(factors[peak >= PROGRESS]) > 0).all()
    assert (np.diff(factors[peak <= PROGRESS]) < 0).all()
    assert factors.min() >= 0
    assert factors.max() <= 1


TRACED = [
    (Linear(0.1), Linear(0.5)),
    (Cosine(0.1), Cosine(0.5)),
    (WarmupCosine(0.1, 0.0), WarmupCosine(0.5, 0.1)),
    (WarmupCosine(0.1), WarmupCosine(0.0)),
    (Exponential(0.01), Exponential(0.5)),
    (OneCycle(0.3), OneCycle(0.5, 0.2, 0.1)),
]


@pytest.mark.parametrize(("first", "second"), TRACED)
def test_fields_and_progress_are_traced(first, second):
    n_traces = []

    @jax.jit
    def factor(schedule, progress):
        n_traces.append(1)
        return schedule(progress)

    for schedule, progress in itertools.product((first, second), (0.0, 0.2, 1.0)):
        got = factor(jax.tree.map(np.float32, schedule), np.float32(progress))
        assert_allclose(got, schedule(progress), rtol=1e-5, atol=1e-7)
    assert len(n_traces) == 1


@pytest.mark.parametrize("schedule", [Constant(), *(pair[0] for pair in TRACED)])
def test_same_under_vmap(schedule):
    assert_allclose(jax.vmap(schedule)(PROGRESS), schedule(PROGRESS), rtol=1e-6)


def test_vmap_over_fields():
    finals = jnp.array([0.0, 0.5])
    assert_array_equal(jax.vmap(lambda final: Linear(final)(0.5))(finals), [0.5, 0.75])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: WarmupCosine(warmup_fraction=1.0),
            r"The 'warmup_fraction' field of WarmupCosine must be in \[0, 1\). Got 1.0 instead.",
        ),
        (lambda: WarmupCosine(warmup_fraction=-0.1), "'warmup_fraction'.* Got -0.1 instead."),
        (lambda: WarmupCosine(warmup_fraction=float("nan")), "'warmup_fraction'.* Got nan instead."),
        (
            lambda: OneCycle(peak_fraction=1.5),
            r"The 'peak_fraction' field of OneCycle must be in \[0, 1\). Got 1.5 instead.",
        ),
        (lambda: Exponential(final=0.0), "The 'final' field of Exponential must be positive. Got 0.0 instead."),
        (lambda: Exponential(final=float("nan")), "'final'.* Got nan instead."),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("schedule", [Constant(), Linear(), Cosine(), WarmupCosine(), Exponential(), OneCycle()])
def test_defaults_pass_check_fields(schedule):
    schedule.check_fields()
