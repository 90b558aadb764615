"""The columns of `history_` that callbacks compare, and their directions."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

METRICS = ("train_loss", "val_loss", "val_score")
MODES = ("auto", "min", "max")

_MISSING = {
    "val_loss": "no validation rows. Set early_stopping=True, or give X_val and y_val to fit.",
    "val_score": "no validation score. Set scoring to a scorer, such as 'accuracy', and give validation rows by early_stopping=True or "
    "X_val; or use metric='val_loss'.",
}


def check_metric(owner: str, metric: Any, mode: Any) -> None:
    """Raise ValueError if the metric is not one of `METRICS`, or the mode not one of `MODES`."""
    for name, value, known in (("metric", metric, METRICS), ("mode", mode, MODES)):
        if value not in known:
            raise ValueError(f"The {name} of {owner} must be one of {known}. Got {value!r} instead.")


def is_number(value: Any) -> bool:
    """Return True for finite numbers, but not for booleans."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_maximized(metric: str, mode: str) -> bool:
    """Return True if larger values of a metric are better; with the mode "auto", those of scores are."""
    return metric == "val_score" if mode == "auto" else mode == "max"


def as_losses(owner: str, metric: str, mode: str, estimator: Any, history: Any) -> list[float]:
    """Return the metric of each epoch, with its sign changed if larger values are better.

    Raises
    ------
    ValueError
        If the training has no such metric.
    """
    values = history[metric]
    if values.isna().all() and not math.isnan(history["train_loss"].iloc[-1]):
        raise ValueError(f"{owner} watches {metric}, but {type(estimator).__name__} has {_MISSING[metric]}")
    sign = -1.0 if is_maximized(metric, mode) else 1.0
    return [sign * float(value) for value in values]
