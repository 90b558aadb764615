"""Stopping after a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from skdeep.callbacks.epoch_callback import EpochCallback
from skdeep.callbacks.metrics import is_number


@dataclass(frozen=True)
class TimeBudget(EpochCallback):
    """Stops training at the end of the epoch in which the time of one fit is used up.

    The time of a fit begins when its rows are encoded, and includes compiling. At least one epoch is trained. In a search, each
    fit has the whole budget. `max_epochs`, `tol` and `early_stopping` keep their effect: the first criterion that is met ends
    training.

    Parameters
    ----------
    seconds : float
        By the clock of the system.

    Raises
    ------
    ValueError
        If `seconds` is invalid; in `fit`, if the estimator is an ensemble.
    TypeError
        In `fit`, if the estimator has no `history_`.

    Notes
    -----
    The callback has no state, so one object can be used for all clones in a search, in threads and in processes. The number
    of epochs depends on the speed of the machine, so results are not reproducible.

    A `checkpoint` ignores the callback. So a fit that used up its time is continued by another one with a new budget or without.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep.callbacks import TimeBudget
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(max_epochs=1000, tol=None, random_state=0)
    >>> if hasattr(model, "set_callbacks"):  # scikit-learn 1.9 and newer
    ...     model = model.set_callbacks(TimeBudget(seconds=0.001)).fit(X, y)
    ...     assert model.n_iter_ < 1000
    """

    seconds: float

    is_part_of_training: ClassVar[bool] = False
    """The clock decides the last epoch, not the training, so any kept epoch may be continued."""

    def __post_init__(self) -> None:
        if not is_number(self.seconds) or self.seconds <= 0:
            raise ValueError(f"The seconds of TimeBudget must be a finite number > 0. Got {self.seconds!r} instead.")

    def _after_epoch(self, estimator: Any, fit: Any, history: Any) -> bool:
        return (_now() - fit.init_time).total_seconds() >= self.seconds


def _now() -> datetime:
    return datetime.now(UTC)
