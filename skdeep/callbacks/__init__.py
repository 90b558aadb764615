"""Callbacks for `set_callbacks` of scikit-learn 1.9 and newer; scikit-learn's own are in `sklearn.callback`."""

from skdeep.callbacks.early_stopping import EarlyStopping
from skdeep.callbacks.loss_threshold import LossThreshold
from skdeep.callbacks.optuna_pruning import OptunaPruning
from skdeep.callbacks.stop_at import StopAt
from skdeep.callbacks.time_budget import TimeBudget

__all__ = [
    "EarlyStopping",
    "LossThreshold",
    "OptunaPruning",
    "StopAt",
    "TimeBudget",
]
