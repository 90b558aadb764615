"""Exchanges between processes; real ones are in `tests/test_several_processes.py`."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from skdeep.core import processes
from skdeep.core.processes import (
    SHORT,
    failing_together,
    gathered,
    lost_processes_named,
    n_processes,
    of_first,
)
from skdeep.errors import ProcessFailedError


def test_one_process_exchanges_with_itself():
    assert n_processes() == 1
    assert gathered({"a": 1}, "topic") == [{"a": 1}]
    assert of_first("value") == "value"


@pytest.mark.parametrize("length", [0, SHORT, 100 * SHORT])
def test_values_of_any_length(length):
    value = "x" * length
    assert gathered(value, "topic") == [value]


@pytest.fixture
def with_another(monkeypatch):
    """Let a second process answer each exchange with a given message."""

    def answer(topic, value):
        own = processes._exchanged
        monkeypatch.setattr(processes, "_exchanged", lambda message: [*own(message), (topic, value)])

    return answer


def test_values_come_in_the_order_of_processes(with_another):
    with_another("topic", 7)
    assert gathered(3, "topic") == [3, 7]


def test_the_failure_of_another_process_is_raised(with_another):
    with_another("failure", "OSError: the disk is full")
    message = "Process 1 of 2 failed, so that this training ends in all of them: OSError: the disk is full"
    with pytest.raises(ProcessFailedError) as err:
        gathered(3, "topic")
    assert str(err.value) == message


def test_processes_at_different_places_are_found(with_another):
    with_another("number of rows", 7)
    with pytest.raises(
        ProcessFailedError,
        match=r"Process 1 of 2 is at another place of the program \('number of rows'\) than process 0",
    ):
        gathered(3, "topic")


def test_a_failure_is_sent_to_the_others(monkeypatch):
    sent = []
    monkeypatch.setattr(processes, "_exchanged", lambda message: sent.append(message) or [message])
    with pytest.raises(KeyError), failing_together():
        raise KeyError("a")
    with failing_together():
        pass
    with pytest.raises(ProcessFailedError), failing_together():
        raise ProcessFailedError("known to all")
    assert sent == [("failure", "KeyError: 'a'"), ("end", None)]


@pytest.mark.parametrize("kind", [jax.errors.JaxRuntimeError, ValueError])
def test_a_lost_connection_is_named(kind):
    with (
        pytest.raises(ProcessFailedError, match="Process 0 of 1 lost the connection to another one") as err,
        lost_processes_named(),
    ):
        raise kind("UNKNOWN: Gloo AllGather failed: Connection reset by peer")
    assert isinstance(err.value.__cause__, kind)


@pytest.mark.parametrize("kind", [jax.errors.JaxRuntimeError, ValueError])
def test_other_errors_stay(kind):
    with pytest.raises(kind, match="no memory"), lost_processes_named():
        raise kind("RESOURCE_EXHAUSTED: no memory")


def test_arrays_come_back_as_they_were():
    values = np.arange(5, dtype=np.int16)
    (found,) = gathered(values, "topic")
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
