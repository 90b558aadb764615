"""How the training of a fitted estimator went: epochs, losses, the best epoch, seconds and device."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from skdeep.history import is_score, label_of


@dataclasses.dataclass(frozen=True)
class Training:
    """The history of one network, and the epoch whose parameters are kept if it is not the last one.

    Parameters
    ----------
    history : dict of {str: list}
        Losses, scores and seconds by column, as in `history_`.
    best_epoch : int or None
        The epoch of the parameters, if early stopping kept them.
    """

    history: dict[str, list[Any]]
    best_epoch: int | None

    @property
    def n_epochs(self) -> int:
        """Number of epochs in the history."""
        return len(self.history.get("train_loss", ()))

    def values(self, column: str) -> list[float]:
        """Return the values of a column, NaN where there is none."""
        return [math.nan if value is None else float(value) for value in self.history.get(column, ())]

    def at_kept_epoch(self, column: str) -> float:
        """Return the value of a column in the epoch of the parameters; NaN if there is none."""
        values = self.values(column)
        index = self.n_epochs - 1 if self.best_epoch is None else self.best_epoch - 1
        return values[index] if 0 <= index < len(values) else math.nan


def trainings_of(estimator: Any) -> list[Training]:
    """Return the training of each network of a fitted estimator."""
    members = vars(estimator).get("estimators_", [estimator])
    return [Training(vars(member).get("_history", {}), _kept_epoch(member)) for member in members]


def _kept_epoch(estimator: Any) -> int | None:
    best = getattr(estimator, "best_epoch_", None)
    if not getattr(estimator, "early_stopping", False) or best is None or best < 1:
        return None
    return int(best)


def facts_of(estimator: Any, trainings: list[Training]) -> dict[str, str]:
    """Return the facts by name that a reader of a fitted estimator wants to know first; those of members are joined."""
    seconds = sum(value for training in trainings for value in training.values("seconds") if not math.isnan(value))
    facts = {"training": _worded_epochs(estimator, [training.n_epochs for training in trainings])}
    kept = [training.best_epoch for training in trainings if training.best_epoch is not None]
    if kept:
        facts["best epoch"] = f"{_range(kept)} (kept)"
    columns = dict.fromkeys(column for training in trainings for column in training.history)
    for column in [name for name in columns if name in ("train_loss", "val_loss") or is_score(name)]:
        values = [value for training in trainings if not math.isnan(value := training.at_kept_epoch(column))]
        if values:
            facts[label_of(column)] = _mean(values)
    if hasattr(estimator, "oof_score_"):
        facts["out-of-fold score"] = f"{estimator.oof_score_:.4g}"
    facts["time"] = f"{seconds:.3g} s"
    if getattr(estimator, "device", "auto") != "auto":
        facts["device"] = str(estimator.device)
    return facts


def _worded_epochs(estimator: Any, epochs: list[int]) -> str:
    if len(epochs) > 1:
        return f"{_range(epochs)} epochs in each of {len(epochs)} networks"
    most = getattr(estimator, "max_epochs", getattr(estimator, "max_iter", None))
    last = getattr(estimator, "n_iter_", epochs[0])
    if not isinstance(most, int) or last > most:
        return f"{epochs[0]} epochs"
    of_all = f" ({epochs[0]} in all fits)" if epochs[0] > last else ""
    return f"{last} of {most} epochs{'' if last == most else ', stopped early'}{of_all}"


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def _mean(values: list[float]) -> str:
    return f"{math.fsum(values) / len(values):.4g}{' (mean)' if len(values) > 1 else ''}"
