"""Run contenders on tables and report: `python -m benchmarks.tables run|report`."""

from __future__ import annotations

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from benchmarks.tables.data import MOST_ROWS, SUITES
from benchmarks.tables.plot import save_plot
from benchmarks.tables.report import report

WORKER = Path(__file__).with_name("pytabkit_worker.py")


def folds_of(X: Any, y: Any, is_regression: bool, n_folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of training and of test, stratified by class."""
    splitter = (KFold if is_regression else StratifiedKFold)(n_folds, shuffle=True, random_state=0)
    return splitter.split(X, y)


def run(arguments: argparse.Namespace) -> None:
    from benchmarks.tables.contenders import CONTENDERS
    from benchmarks.tables.scores import fit_and_score, scores_of

    out = Path(arguments.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    done = {(line["set"], line["fold"], line["contender"]) for line in _lines(out)}
    for suite in arguments.suites:
        for name, table in SUITES[suite].items():
            if arguments.sets and name not in arguments.sets:
                continue
            X, y = table.load(arguments.rows)
            is_regression = table.kind == "regression"
            for i, (train, test) in enumerate(folds_of(X, y, is_regression, arguments.folds)):
                if arguments.first_folds is not None and i >= arguments.first_folds:
                    break
                parts = (X.iloc[train], y.iloc[train]), (X.iloc[test], y.iloc[test])
                for contender in arguments.contenders:
                    if (name, i, contender) in done:
                        continue
                    if contender == "pytabkit":
                        prediction, classes, seconds = _of_pytabkit(arguments.pytabkit, *parts, is_regression, i)
                        found = {**scores_of(prediction, np.asarray(parts[1][1]), classes), "fit_seconds": seconds}
                    else:
                        found = fit_and_score(CONTENDERS[contender](is_regression, i), *parts, is_regression)
                    line = {"suite": suite, "set": name, "rows": len(X), "fold": i, "contender": contender, **found}
                    with out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    print(json.dumps(line), flush=True)


def _of_pytabkit(python: str, train: Any, test: Any, is_regression: bool, seed: int) -> Any:
    """Return predictions, classes and seconds of pytabkit, from a process of another environment."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "folds.pkl"), Path(folder, "predictions.pkl")
        fold = {"train": _plain(train[0]), "y": np.asarray(train[1], object), "test": _plain(test[0])}
        fold |= {"is_regression": is_regression, "seed": seed}
        source.write_bytes(pickle.dumps([fold], protocol=4))
        subprocess.run([python, str(WORKER), str(source), str(target)], check=True, capture_output=True)
        return pickle.loads(target.read_bytes())[0]


def _plain(frame: Any) -> dict[str, np.ndarray]:
    """Return the columns as NumPy arrays, which any version of pandas can read."""
    return {name: column.to_numpy(float if column.dtype.kind in "iuf" else object) for name, column in frame.items()}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="fit contenders, and append their scores to a file of JSON lines")
    runner.add_argument("--suites", nargs="+", default=["A", "B"], choices=sorted(SUITES))
    runner.add_argument("--sets", nargs="*", default=[], help="names of sets, by default all of the suites")
    runner.add_argument(
        "--contenders",
        nargs="+",
        default=["realmlp", "sklearn_mlp", "hist_gradient_boosting"],
        help="see contenders.py",
    )
    runner.add_argument("--folds", type=int, default=3)
    runner.add_argument("--first-folds", type=int, help="fit on so many of the folds only, where a contender is slow")
    runner.add_argument("--rows", type=int, default=MOST_ROWS, help="at most this many rows per set")
    runner.add_argument("--out", default="benchmarks/results/tables.jsonl")
    runner.add_argument("--pytabkit", default=sys.executable, help="the interpreter of an environment with pytabkit")
    reporter = commands.add_parser("report", help="print a table per set, and comparisons with one contender")
    reporter.add_argument("file", nargs="?", default="benchmarks/results/tables.jsonl")
    reporter.add_argument("--against", default="realmlp")
    reporter.add_argument("--metric", default="error")
    reporter.add_argument("--contenders", nargs="*", default=[], help="those to report, by default all in the file")
    reporter.add_argument("--plot", type=Path, help="save a plot of the ratios per set to this file")
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments)
    else:
        chosen = {*arguments.contenders, arguments.against} if arguments.contenders else None
        lines = [line for line in _lines(Path(arguments.file)) if chosen is None or line["contender"] in chosen]
        print(report(lines, arguments.against, arguments.metric))
        if arguments.plot:
            save_plot(lines, arguments.against, arguments.plot, arguments.metric)


if __name__ == "__main__":
    main()
