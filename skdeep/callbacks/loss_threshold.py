"""Stopping at a loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

MONITORS = ("train_loss", "val_loss")


@dataclass(frozen=True)
class LossThreshold:
    """Stops training after the first epoch whose loss is at or below a threshold.

    The loss is that of `history_`. For the Deep estimators it is without penalties, and for `DeepRegressor` it is that of
    the scaled y. For `MLPClassifier` and `MLPRegressor` it is that of `loss_curve_`, and the validation loss is 1 minus the
    score. `max_epochs`, `tol` and `early_stopping` keep their effect: the first criterion that is met ends training.

    Parameters
    ----------
    threshold : float
        In units of the loss.
    monitor : {"train_loss", "val_loss"}, default="train_loss"
        The loss that is compared. "val_loss" needs validation rows: `early_stopping=True`, or `X_val`.

    Raises
    ------
    ValueError
        If a parameter is invalid; in `fit`, if there is no validation loss to compare.
    TypeError
        In `fit`, if the estimator has no `history_`.

    Notes
    -----
    The callback has no state, so one object can be used for all clones in a search.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep.callbacks import LossThreshold
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(learning_rate=0.01, max_epochs=100, tol=None, random_state=0)
    >>> if hasattr(model, "set_callbacks"):  # scikit-learn 1.9 and newer
    ...     losses = model.set_callbacks(LossThreshold(0.2)).fit(X, y).history_.train_loss.to_numpy()
    ...     assert losses[-1] <= 0.2 < losses[:-1].min()
    """

    threshold: float
    monitor: str = "train_loss"

    def __post_init__(self) -> None:
        if not isinstance(self.threshold, Real) or math.isnan(self.threshold):
            raise ValueError(f"The threshold of LossThreshold must be a number. Got {self.threshold!r} instead.")
        if self.monitor not in MONITORS:
            raise ValueError(f"The monitor of LossThreshold must be one of {MONITORS}. Got {self.monitor!r} instead.")

    def setup(self, estimator: Any, context: Any) -> None:
        """Raise TypeError if the estimator has no `history_`."""
        if not hasattr(type(estimator), "history_"):
            raise TypeError(
                f"LossThreshold reads history_, which {type(estimator).__name__} does not have. Set it on an estimator of skdeep."
            )

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing: there is no state."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing: losses are compared at the end of an epoch."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        """Return True to stop training, if the epoch that ends here has reached the threshold."""
        if context.task_name != "epoch":
            return False
        last = fitted_estimator.history_.iloc[-1]
        if math.isnan(last[self.monitor]) and not math.isnan(last["train_loss"]):
            raise ValueError(
                f"LossThreshold watches {self.monitor}, but {type(estimator).__name__} has no validation rows. "
                "Set early_stopping=True, or give X_val and y_val to fit."
            )
        return bool(last[self.monitor] <= self.threshold)
