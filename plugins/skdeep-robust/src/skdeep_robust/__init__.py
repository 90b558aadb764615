"""Losses for skdeep: for wrong labels, rare labels and amounts with many zeros, and one that says how sure it is.

Installed, they are known to the estimators by name: `DeepClassifier(loss="generalized_cross_entropy")`.
"""

from skdeep_robust.classification import Asymmetric, GeneralizedCrossEntropy, SymmetricCrossEntropy
from skdeep_robust.regression import EvidentialRegression, Tweedie

__all__ = ["Asymmetric", "EvidentialRegression", "GeneralizedCrossEntropy", "SymmetricCrossEntropy", "Tweedie"]
