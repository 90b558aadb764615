"""Which of the offered arguments a function takes."""

from __future__ import annotations

import functools
import math

import pytest

from skdeep import acceptance
from skdeep.arguments import arguments_after, arguments_for
from skdeep.schedules import FunctionSchedule


def plain(progress, step):
    return progress + step


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (plain, {"step"}),
        (lambda progress: progress, set()),
        (lambda progress, *, n_steps: progress, {"n_steps"}),
        (lambda progress, step=None: progress, {"step"}),
        (lambda progress, step=0.25: progress, set()),  # its own constant
        (functools.partial(plain, step=2), set()),
        (lambda progress, /, **more: progress, {"step", "n_steps"}),
        (lambda *values: 1.0, set()),
        (math.hypot, set()),
    ],
)
def test_arguments_for(function, names):
    assert set(arguments_for(function, step=1, n_steps=2)) == names


def test_arguments_after():
    assert arguments_after(0.5, plain, step=1, n_steps=2) == ((0.5,), {"step": 1})
    assert arguments_after(0.5, lambda step: step, step=1, n_steps=2) == ((), {"step": 1})
    assert arguments_after(0.5, lambda step=0.25: step, step=1) == ((0.5,), {})


def test_functions_as_schedules():
    assert FunctionSchedule(lambda step: 1 / (1 + step))(0.9, step=3, n_steps=10) == 0.25
    assert FunctionSchedule(lambda p, step, n_steps: p * step / n_steps)(0.5, step=2, n_steps=4) == 0.25
    assert acceptance.refusal("schedule", plain) is None
    assert "is called with (progress)" in acceptance.refusal("schedule", lambda progress, epoch: progress)
