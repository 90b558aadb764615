"""Run the parts one after the other, each in a process of its own, so that a crash leaves the results of the others."""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.accelerator.budget import DEADLINE, OUT, Budget, Pace, Part
from benchmarks.accelerator.packages import ROOT, check_packages
from benchmarks.accelerator.summary import is_failure, outcomes_in, print_outcomes
from benchmarks.environment import machine

TESTS = Part("tests", weight=4, least_seconds=20, largest_share=0.5)
PARTS = (
    TESTS,
    Part("accelerator_lanes", weight=2, least_seconds=30),
    Part("accelerator_dense", weight=1, least_seconds=25),
    Part("accelerator_convolution", weight=1, least_seconds=25),
    Part("accelerator_transformer", weight=1.5, least_seconds=30),
    Part("accelerator_resnet18", weight=1.5, least_seconds=40),
)
FILES = ("lanes", "predictions", "training", "conformance")
SMALL_TESTS = "two_lanes or memory_map or linear or (float64 and adam) or (MLPClassifier and n_features)"
SHARE_OF_TESTS, SHARE_OF_REPEATS = 0.85, 0.95
"""No test begins, and no repeat should end, after this share of a part's limit, so that the part need not be stopped."""
SHARE_OF_MEMORY = "0.45"
MOST_WORKERS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    names = [part.name for part in PARTS]
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"by default all: {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=480.0, help="budget of time for all parts (default: 480)")
    parser.add_argument(
        "--out", type=Path, help="file of JSON lines to append to (default: a new one in benchmarks/results)"
    )
    parser.add_argument(
        "--small", action="store_true", help="a rehearsal: few tests, tiny sizes, numbers that mean nothing"
    )
    parser.add_argument(
        "--repeats", type=int, help="measurements per contender (default: 5, or fewer if the time is over)"
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # this process measures one case
    parser.set_defaults(do=run)


def run(options: argparse.Namespace) -> None:
    """Run the parts, append their lines to the file, and print the report."""
    known = {part.name: part for part in PARTS}
    if unknown := [name for name in options.parts if name not in known]:
        raise SystemExit(f"Unknown part: {', '.join(unknown)}. Known: {', '.join(known)}.")
    check_packages()
    if options.inside:
        measure(options)
        return
    options.out = (options.out or default_file()).resolve()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    run_parts([known[name] for name in options.parts or known], options)
    records = outcomes_in(options.out)
    print_report(options.out)
    if options.small:
        print("This was a rehearsal with tiny sizes: neither times nor targets mean anything.")
    print(options.out)
    if is_failure(records):
        raise SystemExit(1)


def run_parts(parts: Sequence[Part], options: argparse.Namespace) -> None:
    """Run parts within the budget, and append one line for the outcome of each."""
    budget = Budget(options.seconds)
    for i, part in enumerate(parts):
        limit = budget.limit_of(part, parts[i + 1 :])
        start = time.monotonic()
        if limit is None:
            outcome, notes = (
                "skipped",
                f"{max(budget.left, 0):.0f} s were left, and it takes {part.least_seconds:g} s at least",
            )
        else:
            print(f"{part.name}: at most {limit:.0f} s", file=sys.stderr, flush=True)
            outcome, notes = run_part(part, limit, options)
        seconds = round(time.monotonic() - start, 1)
        append(options.out, {"part": part.name, "outcome": outcome, "seconds": seconds, "notes": notes})


def run_part(part: Part, limit: float, options: argparse.Namespace) -> tuple[str, str]:
    """Run one part in a process, and return its outcome and a note."""
    arguments = test_arguments(options.small) if part is TESTS else case_arguments(part, limit, options)
    code = exit_code([sys.executable, *arguments], environment_of(part, limit, options.out), limit)
    if code is None:
        return "stopped", f"after its limit of {limit:.0f} s; the lines it wrote before are kept"
    if code == 0:
        return "done", ""
    if part is TESTS and code == 1:
        return "failed", "some tests failed"
    return "failed", f"the process ended with code {code}; its messages are above"


def test_arguments(small: bool) -> list[str]:
    """Return the arguments of Python for the tests: without the settings of pyproject.toml and the conftest of all tests.

    These need packages that only development needs, and turn warnings of other versions of JAX into errors.
    """
    files = [f"tests/accelerator/test_accelerator_{name}.py" for name in FILES]
    settings = ["-o", "addopts=", "--strict-markers", "--confcutdir", "tests/accelerator", "-W", "default"]
    plugins = ["-p", "no:cacheprovider", "-p", "benchmarks.accelerator.recording"]
    chosen = ["-k", SMALL_TESTS] if small else []
    return ["-m", "pytest", "-q", "--tb=short", *settings, *plugins, *worker_arguments(), *chosen, *files]


def worker_arguments() -> list[str]:
    """Return the options for several processes, if pytest-xdist is installed: nearly all of the time is compiling, on the CPU."""
    n_workers = min(MOST_WORKERS, machine()["usable_cpus"] // 2)
    return ["-n", str(n_workers)] if n_workers > 1 and importlib.util.find_spec("xdist") else []


def case_arguments(part: Part, limit: float, options: argparse.Namespace) -> list[str]:
    """Return the arguments of Python for the process that measures a case."""
    given = ["--seconds", str(SHARE_OF_REPEATS * limit), "--out", str(options.out)]
    given += ["--small"] if options.small else []
    given += ["--repeats", str(options.repeats)] if options.repeats else []
    return ["-m", "benchmarks", "accelerator", part.name, "--inside", *given]


def environment_of(part: Part, limit: float, out: Path) -> dict[str, str]:
    """Return the environment of a part.

    JAX reserves less than half of the device's memory, so that PyTorch has as much; in tests nothing, for they may be several processes.
    """
    deadline = str(time.time() + SHARE_OF_TESTS * limit)
    memory = {"XLA_PYTHON_CLIENT_MEM_FRACTION": SHARE_OF_MEMORY}
    if part is TESTS:
        memory = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return {**memory, **os.environ, DEADLINE: deadline, OUT: str(out)}


def exit_code(command: list[str], environment: dict[str, str], limit: float) -> int | None:
    """Run a command and return its exit code; None if it took longer than the limit, so that it was ended with all its children."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sys.stderr, start_new_session=True)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def measure(options: argparse.Namespace) -> None:
    """Measure one case in this process, on JAX's default device."""
    pace = Pace(options.seconds)
    import jax

    from benchmarks.accelerator.cases import FAILED, cases, options_of
    from benchmarks.runner import run_case

    device = jax.devices()[0]
    name = f"{device.device_kind} ({device.platform}, 1 of {len(jax.devices())})"
    case = cases(options.small)[options.parts[0]]
    failed = []

    def write(record: dict[str, Any]) -> None:
        append(options.out, record)
        if record["notes"].startswith(FAILED):
            failed.append(record["contender"])
        print(*(record[key] for key in ("case", "contender", "repeat", "metric", "value")), file=sys.stderr, flush=True)

    run_case(case, options_of(options.small), options.repeats, write, device=name, has_time=pace.has_time)
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}.")


def append(path: Path, record: dict[str, Any]) -> None:
    """Append one line to a file, which is closed again, so that nothing is lost in a crash."""
    with path.open("a") as file:
        print(json.dumps(record), file=file)


def print_report(path: Path) -> None:
    """Print the tables of the cases, then the outcomes of tests and parts."""
    from benchmarks.report import print_report, read_results

    print_report(read_results(path) if path.exists() else [], markdown=False)
    print_outcomes(path)


def default_file() -> Path:
    """Return a new file in the folder of results."""
    return ROOT / "benchmarks" / "results" / f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}-accelerator.jsonl"
