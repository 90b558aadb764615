"""The command `python -m benchmarks`: run cases, list them, report results."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.accelerator.command import add_arguments as add_accelerator_arguments

RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> None:
    """Run the command of the command line."""
    options = _parser().parse_args(arguments)
    options.do(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="measure cases (all, if none is named) and append JSON lines to a file")
    run.add_argument("cases", nargs="*", metavar="CASE")
    run.add_argument(
        "--repeats",
        type=_positive,
        help="measurements per contender (default: the number that the case sets, mostly 5)",
    )
    run.add_argument("--rows", type=_positive, help="number of rows, for a shorter run of cases with many rows")
    run.add_argument("--epochs", type=_positive, help="number of epochs, for a shorter run")
    run.add_argument(
        "--out", type=Path, help="file of JSON lines to append to (default: a new one in benchmarks/results)"
    )
    run.set_defaults(do=_run)
    commands.add_parser("list", help="list the cases").set_defaults(do=_list)
    report = commands.add_parser("report", help="print tables, and whether the targets are met")
    report.add_argument("file", type=Path)
    report.add_argument("--plot", type=Path, metavar="FILE.png")
    report.add_argument("--markdown", action="store_true")
    report.set_defaults(do=_report)
    accelerator = commands.add_parser(
        "accelerator", help="tests and measurements on JAX's default device, in 8 minutes"
    )
    add_accelerator_arguments(accelerator)
    child = commands.add_parser("child", help="internal: `run` starts it in fresh processes")
    child.add_argument("case")
    child.add_argument("arguments", type=json.loads)
    child.set_defaults(do=_child)
    return parser


def _run(options: argparse.Namespace) -> None:
    """Run one case in this process, or several cases in one process each."""
    from benchmarks.cases import CASES
    from benchmarks.runner import Options, run_case

    names = options.cases or list(CASES)
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise SystemExit(f"Unknown case: {', '.join(unknown)}. Known: {', '.join(CASES)}.")
    out = options.out or RESULTS / f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    if len(names) > 1:
        _run_apart(names, options, out)
        return
    with out.open("a") as file:

        def write(record: dict[str, Any]) -> None:
            print(json.dumps(record), file=file, flush=True)
            print(*(record[key] for key in ("case", "contender", "repeat", "metric", "value")), file=sys.stderr)

        run_case(CASES[names[0]], Options(options.rows, options.epochs), options.repeats, write)
    print(out)


def _run_apart(names: list[str], options: argparse.Namespace, out: Path) -> None:
    """Start one process per case, so that no case inherits the threads, programs or memory of another one."""
    given = {"--repeats": options.repeats, "--rows": options.rows, "--epochs": options.epochs, "--out": out}
    arguments = [str(word) for pair in given.items() if pair[1] is not None for word in pair]
    failed = [
        name
        for name in names
        if subprocess.run([sys.executable, "-m", "benchmarks", "run", name, *arguments]).returncode
    ]
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}.")


def _list(options: argparse.Namespace) -> None:
    from benchmarks.cases import CASES

    for case in CASES.values():
        print(f"{case.name:20}{case.summary}", f"{'':20}{', '.join(c.name for c in case.contenders)}", sep="\n")


def _report(options: argparse.Namespace) -> None:
    from benchmarks.accelerator.summary import print_outcomes
    from benchmarks.report import print_report, read_results

    results = read_results(options.file)
    print_report(results, markdown=options.markdown)
    print_outcomes(options.file)
    if options.plot:
        from benchmarks.plot import save_plot

        save_plot(results, options.plot)


def _child(options: argparse.Namespace) -> None:
    module = importlib.import_module(f"benchmarks.cases.{options.case}")
    print(json.dumps(module.child(**options.arguments)))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


if __name__ == "__main__":
    main()
