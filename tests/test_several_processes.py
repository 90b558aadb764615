"""One training in several real processes, connected by gloo."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from skdeep import DeepClassifier
from skdeep.core.streamed_rows import StreamedRows
from skdeep.estimators.several_processes import batch_size_of_processes, check_same_parameters

PROGRAM = Path(__file__).parent / "in_several_processes.py"
LIMIT = 600
"""Only so that processes that wait for each other for ever do not hold up the tests."""


def run_together(n, what):
    """Run the program in `n` processes, and return the exit status, the JSON line or None, and the standard error of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, PROGRAM, str(number), str(n), str(port), what],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(n)
    ]  # fmt: skip
    try:
        outputs = [process.communicate(timeout=LIMIT) for process in processes]
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
    lines = [[line for line in out.splitlines() if line.startswith("{")] for out, _ in outputs]
    found = [json.loads(line[-1]) if line else None for line in lines]
    return [(process.returncode, each, err) for process, each, (_, err) in zip(processes, found, outputs, strict=True)]


@pytest.fixture(scope="module")
def two():
    ended = run_together(2, "all")
    for status, _, err in ended:
        assert status == 0, err
    return [found for _, found, _ in ended]


@pytest.mark.parametrize(
    "case", ["classifier", "weights", "class weights", "blocks", "table", "validation rows", "regressor"]
)
def test_two_processes_equal_one_on_the_same_batches(two, case):
    assert max(found[case] for found in two) < 1e-5


@pytest.mark.parametrize(
    "case",
    [
        *(
            "shuffled",
            "seeds differ",
            "held out",
            "rows differ",
            "classes differ",
            "lists",
            "one stops",
            "one has a callback",
        ),
        "after errors",
    ],
)
def test_all_processes_end_with_the_same_model(two, case):
    assert two[0][case] == two[1][case]
    assert two[0][case][0] == (2 if case in ("one stops", "one has a callback", "rows differ") else 3)


def test_the_seed_is_that_of_process_0(two):
    assert two[0]["seeds differ"] == two[0]["after errors"]


def test_fits_without_a_seed_differ_from_each_other_only(two):
    first, second = two[0]["without seeds"]
    assert first != second
    assert two[1]["without seeds"] == [first, second]


def test_ctrl_c_in_one_interrupts_all_with_the_epochs_so_far(two):
    assert two[0]["one is interrupted"] == two[1]["one is interrupted"] == ["KeyboardInterrupt", 2]


def test_an_error_in_one_is_raised_in_all(two):
    message = "ValueError: Input X contains NaN in row 0, column 2. X that is read in blocks must be finite"
    assert two[1]["NaN in one"].startswith(message)
    assert two[0]["NaN in one"].startswith(
        f"ProcessFailedError: Process 1 of 2 failed, so that this training ends in all of them: {message}"
    )


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("other columns in one", "ValueError: X has the shape of rows (4,) in process 0, but (5,) in process 1."),
        (
            "perceptron",
            "TypeError: JAX runs in 2 processes here (jax.distributed), and only fit of DeepClassifier and DeepRegressor",
        ),
        ("checkpoint", "ValueError: DeepClassifier keeps no checkpoints of trainings in several processes."),
        ("batch size", "ValueError: batch_size=25 of DeepClassifier has no equal shares for 2 devices of 2 processes."),
        ("scoring", "ValueError: scoring='accuracy' of DeepClassifier needs all validation rows at once"),
        (
            "parameters differ",
            "ValueError: DeepClassifier has another 'learning_rate' and another 'max_epochs' in process 1 than in process 0.",
        ),
        (
            "estimators differ",
            "ValueError: Process 0 trains by fit of DeepClassifier (new), but process 1 by fit of DeepRegressor (new).",
        ),
        (
            "columns differ",
            "ValueError: X has the columns 'number', 'colour', 'other' in some processes, but 'number', 'colour', 'other', 'more' in",
        ),
        (
            "categories in one",
            "ValueError: The column 'colour' of X is a category in some processes, but not in others.",
        ),
        (
            "ensemble",
            "ValueError: DeepClassifier trains in several processes here, which does not go together with an ensemble",
        ),
        (
            "tabular",
            "TypeError: JAX runs in 2 processes here (jax.distributed), and only fit of DeepClassifier and DeepRegressor",
        ),
        (
            "some devices",
            "InvalidParameterError: The 'device' parameter of DeepClassifier must be 'all', or name one device",
        ),
    ],
)
def test_what_does_not_work_says_so_in_all(two, case, message):
    assert two[0][case].startswith(message)
    assert two[1][case] == two[0][case]


def test_three_processes_of_which_one_dies():
    """The others raise an error that says so, and end."""
    first, dead, last = run_together(3, "dies")
    assert dead[:2] == (-signal.SIGKILL, None)
    for number, (status, found, _) in ((0, first), (2, last)):
        assert status is not None
        assert found["dies"].startswith(f"ProcessFailedError: Process {number} of 3 lost the connection to another one")


def test_a_batch_size_larger_than_the_rows_is_judged_as_it_was_given(monkeypatch):
    monkeypatch.setattr("jax.device_count", lambda: 3)
    rows = object.__new__(StreamedRows)
    assert batch_size_of_processes(DeepClassifier(batch_size=96), rows, 32) == 33


def test_processes_need_equal_numbers_of_devices(monkeypatch):
    devices = [SimpleNamespace(process_index=number) for number in (0, 1, 1)]
    monkeypatch.setattr("jax.devices", lambda: devices)
    monkeypatch.setattr("jax.process_count", lambda: 2)
    with pytest.raises(
        ValueError, match="The processes have 1, 2 devices, but a training in several processes needs as"
    ):
        check_same_parameters(DeepClassifier(), is_partial=False)


@pytest.mark.campaign
def test_three_processes_equal_one_on_the_same_batches():
    for status, found, err in run_together(3, "equal"):
        assert status == 0, err
        assert max(found.values()) < 1e-5
