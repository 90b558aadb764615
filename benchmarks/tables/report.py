"""A table of scores per set, and the comparison of all contenders with one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

OFFSET = 0.01
"""Added to errors before their geometric mean, so that an error of 0 does not decide it alone."""


def report(lines: list[dict[str, Any]], against: str, metric: str = "error") -> str:
    """Return the mean score per set and contender, and the comparison with `against` on the folds that both have."""
    frame = pd.DataFrame(lines)
    means = frame.pivot_table(index=["suite", "set"], columns="contender", values=metric)
    seconds = frame.pivot_table(index=["suite", "set"], columns="contender", values="fit_seconds")
    parts = [
        f"{metric}, mean over folds",
        means.round(4).to_string(),
        "",
        "seconds per fit",
        seconds.round(1).to_string(),
        "",
    ]
    parts.append(
        f"compared with {against}: ratio of geometric means of ({metric} + {OFFSET}); sets won, tied and lost by {against}"
    )
    for suite, of_suite in [*frame.groupby("suite"), ("all", frame)]:
        for contender in sorted(set(of_suite.contender) - {against}):
            if (line := _compared(of_suite, against, contender, metric)) is not None:
                parts.append(f"{suite:>4} {contender:>24} {line}")
    return "\n".join(parts)


def _compared(frame: pd.DataFrame, against: str, other: str, metric: str) -> str | None:
    """Return one line of a comparison, None if there is no fold that both have."""
    table = frame.pivot_table(index=["set", "fold"], columns="contender", values=metric)
    if against not in table or other not in table:
        return None
    pair = table[[against, other]].dropna()
    if pair.empty:
        return None
    means = pair.groupby("set").mean()
    ratio = np.exp((np.log(means[against] + OFFSET) - np.log(means[other] + OFFSET)).mean())
    difference = means[other] - means[against]
    wins, ties = int((difference > 0).sum()), int((difference == 0).sum())
    gap = (pair[against] - pair[other]).groupby("set")
    error = gap.std() / np.sqrt(gap.count())
    worse = sorted(gap.mean()[gap.mean() > 2 * error].index)
    seconds = frame.pivot_table(index=["set", "fold"], columns="contender", values="fit_seconds")[
        [against, other]
    ].dropna()
    speed = np.exp((np.log(seconds[against]) - np.log(seconds[other])).mean())
    return (
        f"ratio {ratio:.3f}, {wins} / {ties} / {len(means) - wins - ties} of {len(means)}, seconds x {speed:.2f}; worse by more than "
        f"two standard errors: {', '.join(worse) or 'none'}"
    )
