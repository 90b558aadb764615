"""Tables of measurements and targets from the JSON lines of runs. Ratios are within one run only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from benchmarks.accelerator.cases import cases
from benchmarks.cases import CASES
from benchmarks.runner import Target, unit_of

HEADER = ("contender", "metric", "n", "median", "min", "max", "IQR", "ratio")
TARGET_HEADER = ("target", "limit", "reached", "range over repeats", "met")
SCALES = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}


class Sample(NamedTuple):
    """The values of one metric of one contender, by repeat; repeat 0 is the warm-up."""

    contender: str
    metric: str
    values: dict[int, float]

    @property
    def median(self) -> float:
        """The median of the values."""
        return median(self.values.values())

    @property
    def interquartile_range(self) -> float:
        """The interquartile range of the values; 0 for one value."""
        if len(self.values) < 2:
            return 0.0
        low, _, high = quantiles(self.values.values(), n=4, method="inclusive")
        return high - low


class Result(NamedTuple):
    """One run of one case."""

    case: str
    first: dict[str, Any]
    samples: list[Sample]
    missing: dict[str, str]
    loads: list[float]


def read_results(path: Path) -> list[Result]:
    """Return one `Result` per run and case in a file of JSON lines, in the order of the file."""
    results: dict[tuple[str, str], Result] = {}
    for line in path.read_text().splitlines():
        record = json.loads(line)
        if "outcome" in record:  # of a test or a part, see `accelerator/summary.py`
            continue
        result = results.setdefault((record["run"], record["case"]), Result(record["case"], record, [], {}, []))
        if record["load"] is not None:
            result.loads.append(record["load"])
        if record["metric"] == "missing":
            result.missing[record["contender"]] = record["notes"]
        else:
            _sample_of(result, record).values[record["repeat"]] = record["value"]
    return list(results.values())


def print_report(results: Iterable[Result], *, markdown: bool) -> None:
    """Print machine, measurements and targets of each run of a case."""
    for result in results:
        print("\n".join(_lines(result, markdown)), end="\n\n")


def format_value(value: float, unit: str) -> str:
    """Return a value in the largest unit in which it is at least 1."""
    for size, name in SCALES.get(unit, ()):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.3g}"


def _sample_of(result: Result, record: dict[str, Any]) -> Sample:
    for sample in result.samples:
        if (sample.contender, sample.metric) == (record["contender"], record["metric"]):
            return sample
    result.samples.append(Sample(record["contender"], record["metric"], {}))
    return result.samples[-1]


def _lines(result: Result, markdown: bool) -> Iterator[str]:
    machine = result.first["machine"]
    case = CASES.get(result.case) or cases(small=False).get(result.case)
    yield f"## {result.case}" + (f": {case.summary}" if case else "")
    yield ""
    yield f"{result.first['run']}, {machine['usable_cpus']} of {machine['cpus']} CPUs, {machine['model']}, {machine['system']}"
    if "device" in machine:
        yield f"on {machine['device']}"
    if sizes := {name: size for name, size in result.first["options"].items() if size}:
        yield f"sizes set by options: {sizes}; the targets hold for the default sizes of the case"
    if result.loads:
        yield f"load {min(result.loads)} to {max(result.loads)}"
    yield ", ".join(f"{name} {version}" for name, version in result.first["versions"].items())
    yield ""
    yield from _table([HEADER, *map(tuple, _measurements(result))], markdown)
    for contender, reason in result.missing.items():
        yield f"missing: {contender}. {reason}"
    if case and case.targets:
        yield ""
        yield from _table([TARGET_HEADER, *(_reached(target, result.samples) for target in case.targets)], markdown)


def _measurements(result: Result) -> Iterator[list[str]]:
    """Yield the cells of each row; the ratio is to the first contender with the same metric."""
    base: dict[str, float] = {}
    for sample in result.samples:
        numbers = (sample.median, min(sample.values.values()), max(sample.values.values()), sample.interquartile_range)
        unit, first = unit_of(sample.metric), base.setdefault(sample.metric, sample.median)
        relative = f"{sample.median / first:.3g}" if first else "-"
        yield [
            sample.contender,
            sample.metric,
            str(len(sample.values)),
            *(format_value(number, unit) for number in numbers),
            relative,
        ]


def _reached(target: Target, samples: list[Sample]) -> tuple[str, ...]:
    """Return the row of a target: its value for the medians, and its range over single repeats."""
    value = target.reach({(s.contender, s.metric): s.median for s in samples})
    repeats = sorted({repeat for s in samples for repeat in s.values} - {0})
    single = [target.reach({(s.contender, s.metric): s.values[r] for s in samples if r in s.values}) for r in repeats]
    known = [v for v in single if v is not None]
    sign = ">=" if target.is_lower_bound else "<="
    limit = "-" if target.limit is None else f"{sign} {target.limit:g}"
    if value is None or not known:
        return target.text, limit, "not measured", "-", "-"
    is_met = {True: "yes", False: "NO", None: "-"}[target.is_met(value)]
    return target.text, limit, f"{value:.3g}", f"{min(known):.3g} to {max(known):.3g}", is_met


def _table(rows: list[tuple[str, ...]], markdown: bool) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for i, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield f"| {' | '.join(cells)} |" if markdown else "  ".join(cells).rstrip()
        if i == 0:
            dashes = ["-" * width for width in widths]
            yield f"| {' | '.join(dashes)} |" if markdown else "  ".join(dashes)
