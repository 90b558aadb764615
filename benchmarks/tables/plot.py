"""A plot of errors per set, relative to one contender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables.report import OFFSET

_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f")
LARGEST = 1.6
"""Larger ratios are drawn at this one, as arrows."""


def save_plot(lines: list[dict[str, Any]], against: str, path: Path, metric: str = "error") -> None:
    """Plot each contender's (score + .01) divided by that of `against`, a row per set; below 1 is better."""
    from matplotlib.figure import Figure

    frame = pd.DataFrame(lines)
    means = frame.pivot_table(index=["suite", "set"], columns="contender", values=metric).dropna(subset=[against])
    ratios = (means.drop(columns=against) + OFFSET).div(means[against] + OFFSET, axis=0)
    ratios = ratios.loc[::-1].dropna(how="all")
    figure = Figure(figsize=(8, 1.2 + 0.27 * len(ratios)), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(ratios))
    for colour, contender in zip(_COLOURS, ratios.columns, strict=False):
        values = ratios[contender].to_numpy()
        mean = np.exp(np.nanmean(np.log(values)))
        far = values > LARGEST
        axes.plot(
            values[~far],
            rows[~far],
            "o",
            color=colour,
            alpha=0.85,
            label=f"{contender} (mean {mean:.3f} of {np.isfinite(values).sum()} sets)",
        )
        axes.plot(np.full(far.sum(), LARGEST), rows[far], ">", color=colour, alpha=0.85)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(rows, [f"{name} ({suite})" for suite, name in ratios.index])
    axes.set_xlabel(f"{metric} + {OFFSET} relative to {against}; left of 1 is better")
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)
