"""The history of a training: losses and other numbers by column, with one entry per epoch."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

History: TypeAlias = dict[str, list[Any]]

COLUMNS = ("epoch", "train_loss", "val_loss", "val_score", "learning_rate", "seconds")


def new_history() -> History:
    """Return a history without epochs."""
    return {name: [] for name in COLUMNS}


def joined_history(earlier: History | None, history: History) -> History:
    """Return the earlier epochs followed by those of `history`, numbered from 1. Columns that `history` lacks are NaN.

    Examples
    --------
    >>> from skdeep.core.history import joined_history
    >>> joined_history(None, {"epoch": [7], "train_loss": [0.5]})["epoch"]
    [1]
    """
    unknown = [math.nan] * len(history["epoch"])
    joined = {name: (earlier[name] if earlier else []) + history.get(name, unknown) for name in COLUMNS}
    joined["epoch"] = list(range(1, len(joined["epoch"]) + 1))
    return joined
