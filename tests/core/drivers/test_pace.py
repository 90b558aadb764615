"""The number of steps per block: blocks take about a quarter of a second."""

import math

import numpy as np
import pytest

from skdeep.core.drivers.pace import Pace

SMALL = {"kernel": np.zeros((4, 4))}


@pytest.mark.parametrize("seconds_per_step", [1e-9, 1e-4, 0.1, 3.0])
def test_number_of_steps_follows_the_measured_time(seconds_per_step):
    pace = Pace(SMALL, 32, (4,), seconds_per_block=0.25)
    pace.note(seconds_per_step)
    expected = max(1, math.ceil(0.25 / max(seconds_per_step, 1e-7)))
    assert pace.n_steps(10**9, 10**9) == expected


def test_remaining_and_max_steps_limit_the_number_of_steps():
    pace = Pace(SMALL, 32, (4,), seconds_per_block=0.25)
    assert pace.n_steps(7, 100) == 7
    assert pace.n_steps(100, 3) == 3
    assert pace.n_steps(0, 100) == 1


def test_the_first_block_is_short_if_a_step_may_be_slow():
    assert Pace(SMALL, 32, (28, 28), 0.25).n_steps(10**6, 10**6) == 1
    few, many = (Pace({"kernel": np.zeros((n, n))}, 100, (4,), 0.25).n_steps(10**6, 10**6) for n in (2000, 10))
    assert 1 <= few < many


def test_0_seconds_per_block_give_blocks_of_one_step():
    assert Pace(SMALL, 32, (4,), seconds_per_block=0.0).n_steps(100, 100) == 1
