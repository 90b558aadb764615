"""Losses for skdeep: for wrong labels, rare labels, amounts with many zeros, and predicted standard deviations.

Once the package is installed, estimators accept them by name: `DeepClassifier(loss="generalized_cross_entropy")`.
"""

from skdeep_robust.classification import Asymmetric, GeneralizedCrossEntropy, SymmetricCrossEntropy
from skdeep_robust.regression import EvidentialRegression, Tweedie

__all__ = ["Asymmetric", "EvidentialRegression", "GeneralizedCrossEntropy", "SymmetricCrossEntropy", "Tweedie"]
