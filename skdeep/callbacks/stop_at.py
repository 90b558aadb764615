"""Stopping at a value of a loss or score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skdeep.callbacks.epoch_callback import EpochCallback
from skdeep.callbacks.metrics import as_losses, check_metric, is_maximized, is_number


@dataclass(frozen=True)
class StopAt(EpochCallback):
    """Stops training after the first epoch at which a column of `history_` has reached a value.

    A loss has reached the value if it is at or below it, and a score if it is at or above it. `LossThreshold` is the simple case for
    losses. `max_epochs`, `tol` and `early_stopping` keep their effect: the first criterion that is met ends training.

    Parameters
    ----------
    metric : str
        The column of `history_`: "train_loss", "val_loss", "val_score", or a score of the estimator's `metrics`, such as
        "val_accuracy". All but "train_loss" need validation rows: `early_stopping=True`, or `X_val`. "val_score" also needs a
        scorer as `scoring`.
    value : float
        In units of the metric.
    mode : {"auto", "min", "max"}, default="auto"
        Whether lower or higher values are better. "auto" is "max" for scores and "min" for losses.

    Raises
    ------
    ValueError
        If a parameter is invalid; in `fit`, if the training has no such metric, or the estimator is an ensemble.
    TypeError
        In `fit`, if the estimator has no `history_`.

    Notes
    -----
    The callback has no state, so one object can be used for all clones in a search, in threads and in processes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep.callbacks import StopAt
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(max_epochs=300, tol=None, early_stopping=True, scoring="accuracy", random_state=0)
    >>> if hasattr(model, "set_callbacks"):  # scikit-learn 1.9 and newer
    ...     scores = model.set_callbacks(StopAt("val_score", 0.9)).fit(X, y).history_.val_score.to_numpy()
    ...     assert scores[-1] >= 0.9 > scores[:-1].max()
    """

    metric: str
    value: float
    mode: str = "auto"

    def __post_init__(self) -> None:
        check_metric("StopAt", self.metric, self.mode)
        if not is_number(self.value):
            raise ValueError(f"The value of StopAt must be a finite number. Got {self.value!r} instead.")

    def _after_epoch(self, estimator: Any, fit: Any, history: Any) -> bool:
        last = as_losses("StopAt", self.metric, self.mode, estimator, history)[-1]
        return last <= (-self.value if is_maximized(self.metric, self.mode) else self.value)
