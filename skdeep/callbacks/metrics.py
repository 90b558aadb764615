"""The columns of `history_` that callbacks compare, and their directions."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from skdeep.history import is_score

LOSSES = ("train_loss", "val_loss")
MODES = ("auto", "min", "max")

_ROWS = "give validation rows by early_stopping=True or X_val"


def check_column(owner: str, parameter: str, column: Any, others: tuple[str, ...] = LOSSES) -> None:
    """Raise ValueError if a parameter is not one of `others`, "val_score", or "val_" and the name of one of the `metrics`."""
    if not isinstance(column, str) or not (column in others or is_score(column)):
        known = ", ".join(map(repr, others))
        raise ValueError(
            f"The {parameter} of {owner} must be one of {known}, 'val_score', or 'val_' and the name of one of the estimator's metrics, "
            f"such as 'val_accuracy'. Got {column!r} instead."
        )


def check_metric(owner: str, metric: Any, mode: Any) -> None:
    """Raise ValueError if the metric cannot be a column of `history_` that is compared, or the mode is not one of `MODES`."""
    check_column(owner, "metric", metric)
    if mode not in MODES:
        raise ValueError(f"The mode of {owner} must be one of {MODES}. Got {mode!r} instead.")


def is_number(value: Any) -> bool:
    """Return True for finite numbers, but not for booleans."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_maximized(metric: str, mode: str) -> bool:
    """Return True if larger values of a metric are better; with the mode "auto", those of scores are."""
    return is_score(metric) if mode == "auto" else mode == "max"


def values_of(doing: str, column: str, estimator: Any, history: Any) -> list[float]:
    """Return a column of a history; `doing` begins the error, such as "EarlyStopping watches".

    Raises
    ------
    ValueError
        If the training has no such column, or it has no values though training goes on.
    """
    is_absent = column not in history or history[column].isna().all()
    if is_absent and not (column in history and math.isnan(history["train_loss"].iloc[-1])):
        raise ValueError(f"{doing} {column}, but {type(estimator).__name__} has {_lack_of(column)}")
    return [float(value) for value in history[column]]


def as_losses(owner: str, metric: str, mode: str, estimator: Any, history: Any) -> list[float]:
    """Return the metric of each epoch, with its sign changed if larger values are better; raise as `values_of` does."""
    sign = -1.0 if is_maximized(metric, mode) else 1.0
    return [sign * value for value in values_of(f"{owner} watches", metric, estimator, history)]


def _lack_of(column: str) -> str:
    if column == "val_loss":
        return "no validation rows. Set early_stopping=True, or give X_val and y_val to fit."
    if column == "val_score":
        return f"no validation score. Set scoring to a scorer, such as 'accuracy', and {_ROWS}; or watch 'val_loss'."
    name = column.removeprefix("val_")
    return f"no such score. Set metrics=[{name!r}], and {_ROWS}."
