"""Processes that are killed at random moments: every resumed fit and search has the bits of one that was not, no file is damaged."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS_UNTIL_KILLED = 1800
"""Only so that a hanging program does not hold up the tests: it takes a few seconds for each process that it kills."""


def killed(what, folder, n_kills, seed):
    program = [sys.executable, str(Path(__file__).parent / "kills.py"), what, str(folder), str(n_kills), str(seed)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            out, err = process.communicate(timeout=SECONDS_UNTIL_KILLED)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            raise
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1]), err


@pytest.mark.parametrize(("what", "n_kills"), [("fit", 7), ("search", 4), ("save", 9)])
def test_a_few_kills(tmp_path, what, n_kills):
    found, err = killed(what, tmp_path, n_kills, seed=0)
    assert found["bad"] == [], err
    assert found["killed"] == n_kills


@pytest.mark.campaign
@pytest.mark.parametrize("what", ["fit", "search", "save"])
def test_a_hundred_kills_and_more(tmp_path, what):
    found, err = killed(what, tmp_path, 110, seed=1)
    assert found["bad"] == [], err
    assert found["killed"] == 110
    print(found)
