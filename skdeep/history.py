"""The history of a training: losses and other numbers by column, with one entry per epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

History: TypeAlias = dict[str, list[Any]]

COLUMNS = ("epoch", "train_loss", "val_loss", "val_score", "learning_rate", "seconds")
"""The columns of every history. The scores of a job add others, whose names begin with "val_"."""

_SCORE = "val_score"


def columns_with(scores: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the columns of a history with these scores, which follow "val_score".

    Examples
    --------
    >>> from skdeep.history import columns_with
    >>> columns_with(["val_accuracy"])
    ('epoch', 'train_loss', 'val_loss', 'val_score', 'val_accuracy', 'learning_rate', 'seconds')
    """
    after = COLUMNS.index(_SCORE) + 1
    return (*COLUMNS[:after], *(name for name in scores if name not in COLUMNS), *COLUMNS[after:])


def is_score(column: str) -> bool:
    """Return True if a column holds a score of validation rows, of which greater values are better."""
    return column.startswith("val_") and column != "val_loss"


def label_of(column: str) -> str:
    """Return a loss or a score in words.

    Examples
    --------
    >>> from skdeep.history import label_of
    >>> label_of("train_loss"), label_of("val_roc_auc")
    ('training loss', 'validation roc_auc')
    """
    kind, _, name = column.partition("_")
    return f"{'training' if kind == 'train' else 'validation'} {name}"


def joined_history(earlier: History | None, history: History) -> History:
    """Return the earlier epochs followed by those of `history`, numbered from 1. Columns that one of them lacks are NaN.

    Examples
    --------
    >>> from skdeep.history import joined_history
    >>> joined_history(None, {"epoch": [7], "train_loss": [0.5]})["epoch"]
    [1]
    """
    parts = [part for part in (earlier, history) if part is not None]
    scores = dict.fromkeys(name for part in parts for name in part if is_score(name))
    joined: History = {name: [] for name in columns_with(tuple(scores))}
    for part in parts:
        unknown = [math.nan] * len(part["epoch"])
        for name, values in joined.items():
            values.extend(part.get(name, unknown))
    joined["epoch"] = list(range(1, len(joined["epoch"]) + 1))
    return joined
