"""Blocks in several processes; real ones are in `tests/test_several_processes.py`."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from skdeep.core import stopping
from skdeep.core.drivers import in_step as module
from skdeep.core.drivers.in_step import all_have_rows, in_step
from skdeep.core.drivers.pace import Pace


@pytest.fixture
def others(monkeypatch):
    """The statuses and paces of another process, one for each exchange."""
    given = []
    monkeypatch.setattr(module, "gathered", lambda value, topic: [value, given.pop(0)])
    return given


def pace():
    made = Pace({}, 1, (1,), 0.25)
    made.note(0.5)
    return made


def test_training_ends_in_all_with_the_status_of_the_first_that_ends(others):
    others += [(stopping.RUNNING, 0.2), (stopping.RUNNING, 0.9), (stopping.STOPPED_BY_CALLBACK, 0.1)]
    training, of_blocks = SimpleNamespace(status=stopping.RUNNING), pace()
    paces = []
    in_step(training, of_blocks, lambda: paces.append(of_blocks.seconds_per_step))
    assert training.status == stopping.STOPPED_BY_CALLBACK
    assert paces == [0.5, 0.9]  # that of the slowest


def test_ctrl_c_ends_training_after_the_next_exchange(others):
    others += [(stopping.RUNNING, 0.5)] * 2
    training = SimpleNamespace(status=stopping.RUNNING)

    def run_block():
        raise KeyboardInterrupt

    in_step(training, pace(), run_block)
    assert training.status == stopping.INTERRUPTED
    assert not others


def test_all_wait_for_the_rows_of_all(others):
    others += [None]
    all_have_rows()
    assert not others
