"""Models of statistics for skdeep: mixtures of experts, ordered classes, and proportional hazards.

Installed, they are known to the estimators by name: `DeepRegressor(network="mixture_of_experts")`.
"""

from skdeep_statistics.experts import MixtureOfExperts
from skdeep_statistics.ordinal import CumulativeLogit, cut_points
from skdeep_statistics.survival import CoxPartialLikelihood, concordance_index

__all__ = ["CoxPartialLikelihood", "CumulativeLogit", "MixtureOfExperts", "concordance_index", "cut_points"]
