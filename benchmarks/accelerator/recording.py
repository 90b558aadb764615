"""A plugin of pytest: one JSON line per test as soon as it ends, and no test begins after the time is over."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accelerator.budget import DEADLINE, OUT

_seconds: dict[str, float] = {}
_is_worker = False


def pytest_configure(config: Any) -> None:
    """Note whether this is a worker of pytest-xdist, whose outcomes the controller writes."""
    global _is_worker
    _is_worker = hasattr(config, "workerinput")


def pytest_runtest_setup(item: Any) -> None:
    """Skip a test if the time is over; the deadline is in seconds since 1970, as of `time.time`."""
    if time.time() > float(os.environ[DEADLINE]):
        pytest.skip("no time was left")


def pytest_runtest_logreport(report: Any) -> None:
    """Write the outcome of a test after its call, or after a stage around it that did not pass."""
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration
    is_error = report.when != "call" and report.outcome == "failed"
    if report.when == "call" or report.outcome != "passed":
        record = {
            "test": report.nodeid.removeprefix("tests/accelerator/"),
            "outcome": "error" if is_error else report.outcome,
            "seconds": round(_seconds[report.nodeid], 3),
            "notes": note_of(report),
        }
        _write(record)


def pytest_collectreport(report: Any) -> None:
    """Write an outcome for a file that could not be imported."""
    if report.failed:
        record = {"test": report.nodeid, "outcome": "error", "seconds": 0.0, "notes": str(report.longrepr)[-2000:]}
        _write(record)


def note_of(report: Any) -> str:
    """Return the reason of a skip, or the exception of a failure."""
    if report.outcome == "skipped":
        return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    crash = getattr(report.longrepr, "reprcrash", None)
    return "" if report.outcome == "passed" else str(crash or report.longrepr)[:2000]


def _write(record: dict[str, Any]) -> None:
    if not _is_worker:
        with Path(os.environ[OUT]).open("a") as file:
            print(json.dumps(record), file=file)
