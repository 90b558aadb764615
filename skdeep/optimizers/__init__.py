"""Optimizers: Optax transformations as components. All their float fields are traced."""

from skdeep.optimizers.adaptive import Adagrad, Adam, AdamW, Lamb, Lion, NAdam, RMSProp, ScheduleFreeAdamW
from skdeep.optimizers.factory import OptaxFactory
from skdeep.optimizers.grouped import GroupedAdamW, ParameterGroup
from skdeep.optimizers.lbfgs import LBFGS
from skdeep.optimizers.muon import Muon
from skdeep.optimizers.sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "GroupedAdamW",
    "Lamb",
    "Lion",
    "Muon",
    "NAdam",
    "OptaxFactory",
    "ParameterGroup",
    "RMSProp",
    "ScheduleFreeAdamW",
]
