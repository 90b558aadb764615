"""Models of statistics for skdeep: mixtures of experts.

Installed, they are known to the estimators by name: `DeepRegressor(network="mixture_of_experts")`.
"""

from skdeep_statistics.experts import MixtureOfExperts

__all__ = ["MixtureOfExperts"]
