"""A plot of the headline metric of each case: medians as bars, single repeats as points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from benchmarks.report import Result, format_value
from benchmarks.runner import unit_of


def save_plot(results: list[Result], path: Path) -> None:
    """Plot one panel per run of a case."""
    from matplotlib.figure import Figure

    known = [result for result in results if result.case in CASES and _headline(result)]
    figure = Figure(figsize=(9, 0.8 + 2.2 * len(known)), layout="constrained")
    for axes, result in zip(figure.subplots(len(known), squeeze=False)[:, 0], known, strict=True):
        _draw(axes, result)
    figure.savefig(path, dpi=150)


def _headline(result: Result) -> list[Any]:
    return [sample for sample in result.samples if sample.metric == CASES[result.case].headline]


def _draw(axes: Any, result: Result) -> None:
    samples = _headline(result)[::-1]
    metric = CASES[result.case].headline
    axes.barh([s.contender for s in samples], [s.median for s in samples], color="#9ecae1")
    for i, sample in enumerate(samples):
        values = list(sample.values.values())
        axes.plot(values, [i] * len(values), "k|", markersize=8)
        axes.annotate(
            f" {format_value(sample.median, unit_of(metric))}", (max(values), i), va="center", fontsize="small"
        )
    axes.set_title(f"{result.case}: {metric}", loc="left", fontsize="medium")
    axes.margins(x=0.15)
    axes.set_xlim(left=0)
