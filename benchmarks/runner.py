"""Definition and running of cases: contenders alternate (A B A B), and each measurement is one record."""

from __future__ import annotations

import datetime
import importlib.util
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from benchmarks.environment import load, machine, versions

Values: TypeAlias = Mapping[tuple[str, str], float]
"""One number per (contender, metric): the medians, or the values of one repeat."""


class MissingError(Exception):
    """A peer or a data set is not installed; the message tells how to install it."""


@dataclass(frozen=True)
class Options:
    """Sizes given on the command line; None means the default size of the case."""

    rows: int | None = None
    epochs: int | None = None


class Prepared(NamedTuple):
    """A warm contender: `measure` runs it once and returns metrics; `once` holds the metrics of the warm-up."""

    measure: Callable[[], dict[str, float]]
    once: Mapping[str, float] = {}


@dataclass(frozen=True)
class Contender:
    """One of the compared programs; `needs` names the packages that it imports."""

    name: str
    prepare: Callable[[Options], Prepared]
    needs: tuple[str, ...] = ()
    notes: str = ""


@dataclass(frozen=True)
class Target:
    """A number computed from the measurements, and its limit, if there is one."""

    text: str
    reach: Callable[[Values], float | None]
    limit: float | None = None
    is_lower_bound: bool = False

    def is_met(self, value: float) -> bool | None:
        """Return whether a value is within the limit; None if there is no limit."""
        if self.limit is None:
            return None
        return value >= self.limit if self.is_lower_bound else value <= self.limit


@dataclass(frozen=True)
class Case:
    """Contenders that do the same work; `headline` is the metric to plot."""

    name: str
    summary: str
    contenders: tuple[Contender, ...]
    headline: str
    targets: tuple[Target, ...] = ()
    repeats: int = 5


def timed(function: Callable[[], Any]) -> float:
    """Return the seconds that one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def ratio(numerator: tuple[str, str], *denominators: tuple[str, str]) -> Callable[[Values], float | None]:
    """Return a function that divides one value by the smallest of the others that were measured."""

    def reach(values: Values) -> float | None:
        known = [values[key] for key in denominators if key in values]
        return values[numerator] / min(known) if numerator in values and known else None

    return reach


def value_of(contender: str, metric: str) -> Callable[[Values], float | None]:
    """Return a function that returns one value, or None if it was not measured."""
    return lambda values: values.get((contender, metric))


def run_case(
    case: Case,
    options: Options,
    repeats: int | None,
    write: Callable[[dict[str, Any]], None],
    *,
    device: str | None = None,
    has_time: Callable[[], bool] = lambda: True,
) -> None:
    """Warm up every contender, then measure each of them once per repeat.

    `device` names the device of the measurements, if it is not the processor. `has_time` is called before each repeat; no repeat
    but the first one begins after it returned False.
    """
    common = {
        "run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "case": case.name,
        "options": {"rows": options.rows, "epochs": options.epochs},
        "machine": machine() | ({} if device is None else {"device": device}),
        "versions": versions(),
    }
    ready: list[tuple[Contender, Prepared]] = []
    for contender in case.contenders:
        try:
            prepared = _prepare(contender, options)
        except MissingError as error:
            write(_record(common, contender, 0, "missing", None) | {"notes": str(error)})
            continue
        ready.append((contender, prepared))
        for metric, value in prepared.once.items():
            write(_record(common, contender, 0, metric, value))
    for repeat in range(1, (repeats or case.repeats) + 1):
        if not has_time() and repeat > 1:
            break
        for contender, prepared in ready:
            for metric, value in prepared.measure().items():
                write(_record(common, contender, repeat, metric, value))


def unit_of(metric: str) -> str:
    """Return the unit at the end of a metric's name, or "" for a number without a unit."""
    return next((unit for unit in ("seconds", "bytes") if metric.endswith(unit)), "")


def _prepare(contender: Contender, options: Options) -> Prepared:
    absent = [name for name in contender.needs if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingError(
            f"Not installed: {', '.join(absent)}. Install the extra 'bench', or: pip install {' '.join(absent)}"
        )
    return contender.prepare(options)


def _record(
    common: Mapping[str, Any], contender: Contender, repeat: int, metric: str, value: float | None
) -> dict[str, Any]:
    """Return one line of the results; repeat 0 is the warm-up."""
    return {
        **common,
        "contender": contender.name,
        "repeat": repeat,
        "metric": metric,
        "value": value,
        "unit": unit_of(metric),
        "notes": contender.notes,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load": load(),
    }
