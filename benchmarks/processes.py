"""Start and time fresh processes, and read the JSON on the last line that they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def run_child(case: str, arguments: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run the `child` function of a case in a new process; return its result and `process_seconds`, the time of the process."""
    return run_python(["-m", "benchmarks", "child", case, json.dumps(arguments)], environment)


def run_python(arguments: list[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run Python with these arguments; return the JSON of its last line and `process_seconds`."""
    settings = {**os.environ, "PYTHONWARNINGS": "ignore", **(environment or {})}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=settings, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"The process {arguments} failed with code {done.returncode}:\n{done.stderr}")
    return {**json.loads(done.stdout.splitlines()[-1]), "process_seconds": seconds}
