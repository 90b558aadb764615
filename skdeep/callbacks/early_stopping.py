"""Stopping when a loss or score no longer improves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from skdeep.callbacks.epoch_callback import EpochCallback
from skdeep.callbacks.metrics import as_losses, check_metric, is_number


@dataclass(frozen=True)
class EarlyStopping(EpochCallback):
    """Stops training when a column of `history_` has not improved for `patience` consecutive epochs.

    An epoch improves a loss if the loss is lower than the reference by more than `min_delta`. The reference is the loss of the
    last epoch that improved it, so that small gains in several epochs count together. For scores, signs are reversed. The rule is
    that of Keras, and of the estimators' own `tol` and `n_iter_no_change`.

    The callback decides when training ends, not which parameters are kept: these are those of the last epoch, or, with the
    estimator's `early_stopping=True`, those of the best epoch. `max_epochs`, `tol` and `early_stopping` keep their effect: the
    first criterion that is met ends training. Set `tol=None` to leave the decision to the callback.

    Parameters
    ----------
    metric : str, default="val_loss"
        The column of `history_`: "train_loss", "val_loss", "val_score", or a score of the estimator's `metrics`, such as
        "val_accuracy". All but "train_loss" need validation rows: `early_stopping=True`, or `X_val`. "val_score" also needs a
        scorer as `scoring`.
    patience : int, default=10
        The number of epochs without improvement after which training stops.
    min_delta : float, default=0.0
        The least change that counts as an improvement is larger than this number.
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
    The callback has no state, so one object can be used for all clones in a search, in threads and in processes. Each epoch
    of `partial_fit` is a training of its own, which the callback cannot make shorter.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import train_test_split
    >>> from skdeep import DeepClassifier
    >>> from skdeep.callbacks import EarlyStopping
    >>> X, X_val, y, y_val = train_test_split(*load_iris(return_X_y=True), random_state=0)
    >>> model = DeepClassifier(learning_rate=0.05, max_epochs=300, tol=None, random_state=0)
    >>> if hasattr(model, "set_callbacks"):  # scikit-learn 1.9 and newer
    ...     model = model.set_callbacks(EarlyStopping(patience=5)).fit(X, y, X_val=X_val, y_val=y_val)
    ...     assert model.history_.val_loss.argmin() + 1 == model.n_iter_ - 5
    """

    metric: str = "val_loss"
    patience: int = 10
    min_delta: float = 0.0
    mode: str = "auto"

    def __post_init__(self) -> None:
        check_metric("EarlyStopping", self.metric, self.mode)
        if not isinstance(self.patience, Integral) or isinstance(self.patience, bool) or self.patience < 1:
            raise ValueError(f"The patience of EarlyStopping must be an int >= 1. Got {self.patience!r} instead.")
        if not is_number(self.min_delta) or self.min_delta < 0:
            raise ValueError(f"The min_delta of EarlyStopping must be a number >= 0. Got {self.min_delta!r} instead.")

    def _after_epoch(self, estimator: Any, fit: Any, history: Any) -> bool:
        losses = as_losses("EarlyStopping", self.metric, self.mode, estimator, history)
        return n_without_improvement(losses, self.min_delta) >= self.patience


def n_without_improvement(losses: Sequence[float], min_delta: float) -> int:
    """Return the number of epochs at the end of a history that did not improve the loss. NaN is no improvement.

    Examples
    --------
    >>> from skdeep.callbacks.early_stopping import n_without_improvement
    >>> n_without_improvement([3.0, 2.0, 1.9, 1.8], min_delta=0.5)
    2
    """
    reference, n_stale = math.inf, 0
    for loss in losses:
        is_better = loss < reference - min_delta
        reference, n_stale = (loss, 0) if is_better else (reference, n_stale + 1)
    return n_stale
