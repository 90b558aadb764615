"""The columns of `history_` that metrics name."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from skdeep.errors import nearest

_LOSSES = ("train_loss", "val_loss")


def columns_of(histories: dict[str, pd.DataFrame], metrics: str | Sequence[str] | None) -> list[str]:
    """Return the columns that the metrics name; raise ValueError if they cannot be drawn."""
    if not histories or any(len(history) == 0 for history in histories.values()):
        raise ValueError(
            "TrainingCurvesDisplay needs one or more estimators with one or more epochs in their history_."
        )
    known = [c for c in next(iter(histories.values())).columns if c not in ("epoch", "member")]
    given = ["loss"] if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)
    columns: list[str] = []
    for name in given:
        if name == "loss":
            columns += [c for c in _LOSSES if has_values(histories, c)]
        elif name not in known:
            raise ValueError(
                "The 'metrics' parameter of TrainingCurvesDisplay must hold 'loss' or columns of history_. "
                f"Got {name!r} instead.{nearest(str(name), known)} The columns are {', '.join(known)}."
            )
        elif not has_values(histories, name):
            raise ValueError(f"history_ has no values of {name!r}. {_cure(name)}")
        else:
            columns.append(name)
    if not columns:
        raise ValueError(
            "The 'metrics' parameter of TrainingCurvesDisplay names no column. Give 'loss' or columns of history_."
        )
    return list(dict.fromkeys(columns))


def has_values(histories: dict[str, pd.DataFrame], column: str) -> bool:
    """Return True if one of the histories has values other than NaN in a column."""
    return any(column in history and history[column].notna().any() for history in histories.values())


def _cure(column: str) -> str:
    if column == "val_score":
        return "Fit with early_stopping=True and a scorer as scoring."
    return "Fit with validation rows: early_stopping=True, or X_val and y_val." if column.startswith("val_") else ""
