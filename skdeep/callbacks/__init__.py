"""Callbacks for `set_callbacks` of scikit-learn 1.9 and newer; scikit-learn's own are in `sklearn.callback`."""

from skdeep.callbacks.csv_logger import CSVLogger
from skdeep.callbacks.early_stopping import EarlyStopping
from skdeep.callbacks.loss_threshold import LossThreshold
from skdeep.callbacks.mlflow_logger import MLflowLogger
from skdeep.callbacks.optuna_pruning import OptunaPruning
from skdeep.callbacks.stop_at import StopAt
from skdeep.callbacks.tensorboard_logger import TensorBoardLogger
from skdeep.callbacks.time_budget import TimeBudget

__all__ = [
    "CSVLogger",
    "EarlyStopping",
    "LossThreshold",
    "MLflowLogger",
    "OptunaPruning",
    "StopAt",
    "TensorBoardLogger",
    "TimeBudget",
]
