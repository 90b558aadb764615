"""Blocks in several processes; real ones are in `tests/test_several_processes.py`."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from skdeep.core import stopping
from skdeep.core.drivers import in_step as module
from skdeep.core.drivers.in_step import all_have_rows, in_step


@pytest.fixture
def others(monkeypatch):
    """The statuses of another process and its numbers of steps, one of each for each exchange."""
    given = []
    monkeypatch.setattr(module, "gathered", lambda value, topic: [value, given.pop(0)])
    return given


def test_training_ends_in_all_with_the_status_of_the_first_that_ends(others):
    others += [(stopping.RUNNING, 9), (stopping.RUNNING, 2), (stopping.STOPPED_BY_CALLBACK, 1)]
    training, blocks = SimpleNamespace(status=stopping.RUNNING), []
    in_step(training, lambda: 5, blocks.append)
    assert training.status == stopping.STOPPED_BY_CALLBACK
    assert blocks == [5, 2]  # the fewest steps that one of them wants


def test_ctrl_c_ends_training_after_the_next_exchange(others):
    others += [(stopping.RUNNING, 5)] * 2
    training = SimpleNamespace(status=stopping.RUNNING)

    def run_block(n_steps):
        raise KeyboardInterrupt

    in_step(training, lambda: 5, run_block)
    assert training.status == stopping.INTERRUPTED
    assert not others


def test_all_wait_for_the_rows_of_all(others):
    others += [None]
    all_have_rows()
    assert not others
