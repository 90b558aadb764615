"""Optimizers for skdeep that are not built in.

Once the package is installed, estimators accept them by name: `DeepClassifier(optimizer="soap")`.
"""

from skdeep_optimizers.ademamix import AdEMAMix
from skdeep_optimizers.adopt import ADOPT
from skdeep_optimizers.prodigy import Prodigy
from skdeep_optimizers.sam import SAM
from skdeep_optimizers.sgld import SGLD
from skdeep_optimizers.soap import SOAP

__all__ = ["ADOPT", "SAM", "SGLD", "SOAP", "AdEMAMix", "Prodigy"]
