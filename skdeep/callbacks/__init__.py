"""Callbacks for `set_callbacks` of scikit-learn 1.9 and newer, and a range test of learning rates.

scikit-learn's own callbacks are in `sklearn.callback`.
"""

from skdeep.callbacks.csv_logger import CSVLogger
from skdeep.callbacks.early_stopping import EarlyStopping
from skdeep.callbacks.learning_rate import LearningRateCurve, find_learning_rate
from skdeep.callbacks.loss_threshold import LossThreshold
from skdeep.callbacks.mlflow_logger import MLflowLogger
from skdeep.callbacks.optuna_pruning import OptunaPruning
from skdeep.callbacks.stop_at import StopAt
from skdeep.callbacks.tensorboard_logger import TensorBoardLogger
from skdeep.callbacks.time_budget import TimeBudget

__all__ = [
    "CSVLogger",
    "EarlyStopping",
    "LearningRateCurve",
    "LossThreshold",
    "MLflowLogger",
    "OptunaPruning",
    "StopAt",
    "TensorBoardLogger",
    "TimeBudget",
    "find_learning_rate",
]
