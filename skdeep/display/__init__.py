"""Plots of fitted estimators and searches, as displays like those of scikit-learn.

Each display has a method `from_...` that reads the data of a plot and draws it, and a method `plot` that draws it again. Importing
this package does not import matplotlib.
"""

from __future__ import annotations

from skdeep.display.learning_rate import LearningRateDisplay
from skdeep.display.reconstruction import ReconstructionDisplay
from skdeep.display.search import SearchDisplay
from skdeep.display.training_curves import TrainingCurvesDisplay
from skdeep.display.weights import WeightsDisplay

__all__ = [
    "LearningRateDisplay",
    "ReconstructionDisplay",
    "SearchDisplay",
    "TrainingCurvesDisplay",
    "WeightsDisplay",
]
