"""The command `python -m benchmarks accelerator`: its budget, its messages, and results that a crash leaves."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

from benchmarks.accelerator import command, packages
from benchmarks.accelerator.budget import DEADLINE, OUT, Budget, Pace, Part
from benchmarks.accelerator.cases import cases, or_missing
from benchmarks.accelerator.summary import is_failure, lines_of_parts, lines_of_tests, outcomes_in
from benchmarks.report import print_report, read_results
from benchmarks.runner import MissingError, Options

ORDER = ["passed", "failed", "skipped", "error"]
FIRST, SECOND = Part("first", 3, 20, 0.5), Part("second", 1, 30)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(
    ("seconds", "now", "limit"),
    [
        (100, 0, 50),  # the largest share of the whole, though its weight gives 75
        (100, 60, 30),  # three quarters of what is left
        (100, 78, 20),  # what it needs at least, though its weight gives 16.5
        (100, 81, None),  # less is left than it needs
        (30, 0, None),  # its largest share is less than it needs
    ],
)
def test_limit_of_a_part(clock, seconds, now, limit):
    budget = Budget(seconds, clock)
    clock.now = now
    assert budget.limit_of(FIRST, [SECOND]) == limit


def test_the_last_part_gets_all_that_is_left(clock):
    budget = Budget(100, clock)
    clock.now = 12
    assert budget.limit_of(SECOND, []) == budget.left == 88


def test_a_repeat_begins_only_if_one_as_long_as_the_longest_fits(clock):
    pace = Pace(100, clock)
    answers = []
    for now in (10, 40, 45, 70, 71):  # repeats of 30, 5, 25 and 1 seconds
        clock.now = now
        answers.append(pace.has_time())
    assert answers == [True, True, True, True, False]


def test_the_tests_get_at_most_half_and_all_parts_fit_into_the_default_budget(clock):
    budget = Budget(480, clock)
    assert budget.limit_of(command.PARTS[0], command.PARTS[1:]) <= 240
    for i, part in enumerate(command.PARTS):
        clock.now += budget.limit_of(part, command.PARTS[i + 1 :])
    assert clock.now <= 480


def test_every_part_but_the_tests_is_a_case():
    assert [part.name for part in command.PARTS if part is not command.TESTS] != []
    for small in (True, False):
        assert {part.name for part in command.PARTS} - {"tests"} == set(cases(small))


@pytest.mark.parametrize(
    ("requirement", "is_met"),
    [
        ("numpy>=1.0", True),
        ("numpy", True),
        ("numpy>=99", False),
        ("scikit-learn>=1.0", True),
        ("no-such-package>=1", False),
    ],
)
def test_a_requirement_is_met(requirement, is_met):
    assert packages.is_met(requirement) == is_met


def test_requirements_of_the_project_are_of_the_form_that_is_read():
    assert packages.missing_packages() == []
    assert packages.has_metadata()


def test_all_missing_packages_are_named_at_once(monkeypatch):
    monkeypatch.setattr(packages, "ALSO", ("no-such-package", "numpy>=99"))
    with pytest.raises(
        SystemExit, match=r"Not installed: no-such-package, numpy>=99\. .*pip install 'no-such-package'"
    ):
        packages.check_packages()


def test_missing_metadata_comes_with_the_commands_that_make_it(monkeypatch):
    def distribution(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", distribution)
    with pytest.raises(SystemExit, match=r"no metadata(.|\n)*pip install --no-deps --no-build-isolation -e \."):
        packages.check_packages()


def options(out, **given):
    return argparse.Namespace(**{"seconds": 100.0, "out": out, "small": True, "repeats": None} | given)


def test_a_part_that_fails_leaves_the_others(tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    codes = {"first": 3, "second": 0}
    monkeypatch.setattr(command, "case_arguments", lambda part, *_: [part.name])
    monkeypatch.setattr(command, "exit_code", lambda arguments, *_: codes[arguments[-1]])
    command.run_parts([FIRST, SECOND, Part("third", 1, 1000)], options(out))
    records = outcomes_in(out)
    assert [record["outcome"] for record in records] == ["failed", "done", "skipped"]
    assert is_failure(records)
    assert not is_failure(records[1:])
    lines = list(lines_of_parts(records))
    assert lines[0] == "## parts"
    assert "code 3" in lines[1]
    assert "it takes 1000 s at least" in lines[3]


@pytest.mark.parametrize(
    ("code", "limit", "expected"), [("raise SystemExit(3)", 60, 3), ("while True: pass", 0.5, None)]
)
def test_a_process_ends_at_its_limit(code, limit, expected):
    assert command.exit_code([sys.executable, "-c", code], dict(os.environ), limit) == expected


def test_a_contender_that_fails_leaves_the_others():
    """PyTorch may fail on a device where JAX works; one that is missing keeps its own message."""

    def failing(options):
        raise RuntimeError("no kernel for this card")

    def missing(options):
        raise MissingError("not here")

    with pytest.raises(MissingError, match="It failed: RuntimeError: no kernel for this card"):
        or_missing(failing, Options())
    with pytest.raises(MissingError, match="^not here$"):
        or_missing(missing, Options())


@pytest.mark.parametrize(("usable", "expected"), [(1, []), (3, []), (5, ["-n", "2"]), (64, ["-n", "6"])])
def test_tests_run_in_several_processes_on_a_machine_with_several_cores(monkeypatch, usable, expected):
    monkeypatch.setattr(command, "machine", lambda: {"usable_cpus": usable})
    assert command.worker_arguments() == expected


def test_unknown_parts_are_named():
    with pytest.raises(SystemExit, match="Unknown part: accelerator_dens. Known: tests, accelerator_lanes, "):
        command.run(argparse.Namespace(parts=["accelerator_dens"]))


def run_tests(tmp_path, source, deadline, *arguments):
    """Run a file of tests with the plugin that records outcomes, and return the records."""
    (tmp_path / "test_some.py").write_text(source)
    out = tmp_path / "out.jsonl"
    command_line = [sys.executable, "-m", "pytest", "-q", "-p", "benchmarks.accelerator.recording", "-c", os.devnull]
    environment = {**os.environ, OUT: str(out), DEADLINE: str(deadline)}
    arguments = [*command_line, *arguments, "--rootdir", str(tmp_path), str(tmp_path / "test_some.py")]
    subprocess.run(arguments, cwd=packages.ROOT, env=environment, capture_output=True, check=False)
    return outcomes_in(out)


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]], ids=["one process", "workers"])
def test_each_test_is_recorded_with_its_outcome(tmp_path, arguments):
    source = (
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2\n"
        "def test_left_out(): pytest.skip('not here')\n"
        "@pytest.fixture\n"
        "def broken(): raise OSError('no device')\n"
        "def test_broken(broken): pass\n"
    )
    records = sorted(run_tests(tmp_path, source, 1e12, *arguments), key=lambda record: ORDER.index(record["outcome"]))
    assert [record["outcome"] for record in records] == ORDER
    lines = list(lines_of_tests(records))
    assert lines[0].startswith("## tests: 1 passed, 1 failed, 1 skipped, 1 error, ")
    assert "assert 1 == 2" in lines[1]
    assert "not here" in lines[2]
    assert "OSError: no device" in lines[3]
    assert is_failure(records)


def test_no_test_begins_after_the_deadline(tmp_path):
    (record,) = run_tests(tmp_path, "def test_late(): raise OSError\n", 0)
    assert record["outcome"] == "skipped"
    assert "no time was left" in record["notes"]


def test_a_file_that_cannot_be_imported_is_recorded(tmp_path):
    (record,) = run_tests(tmp_path, "import no_such_module\n", 1e12)
    assert record["outcome"] == "error"
    assert "no_such_module" in record["notes"]


def test_the_report_has_the_tables_of_cases_beside_outcomes(tmp_path, capsys):
    """Lanes of 2 s against 30 s: 15 times the speed, above the target of 10."""
    out = tmp_path / "out.jsonl"
    common = {
        "run": "now",
        "case": "accelerator_lanes",
        "options": {"rows": None, "epochs": None},
        "machine": {"cpus": 1, "usable_cpus": 1, "model": "m", "system": "s", "device": "Some Card (gpu, 1 of 1)"},
        "versions": {},
        "unit": "seconds",
        "notes": "",
        "load": None,
        "metric": "search_seconds",
    }
    for contender, value in (("lanes", 2.0), ("sequential", 30.0)):
        command.append(out, common | {"contender": contender, "repeat": 1, "value": value})
    command.append(out, {"part": "accelerator_lanes", "outcome": "done", "seconds": 40.0, "notes": ""})
    print_report(read_results(out), markdown=False)
    printed = capsys.readouterr().out
    assert "on Some Card (gpu, 1 of 1)" in printed
    assert ">= 10" in printed
    assert "15 to 15" in printed
    assert printed.rstrip().splitlines()[-2].endswith("yes")
    assert [json.loads(line).get("part") for line in out.read_text().splitlines()] == [None, None, "accelerator_lanes"]
