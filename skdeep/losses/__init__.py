"""Losses: one value per row, and the link that maps raw outputs to predictions."""

from skdeep.losses.classification import CrossEntropy, Focal, Hinge, ZeroOne
from skdeep.losses.function import FunctionLoss
from skdeep.losses.regression import AbsoluteError, Bernoulli, GaussianNLL, Huber, Poisson, Quantile, SquaredError

__all__ = [
    "AbsoluteError",
    "Bernoulli",
    "CrossEntropy",
    "Focal",
    "FunctionLoss",
    "GaussianNLL",
    "Hinge",
    "Huber",
    "Poisson",
    "Quantile",
    "SquaredError",
    "ZeroOne",
]
