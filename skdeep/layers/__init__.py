"""Layers: components that build linen modules. A list of them is a network."""

from skdeep.layers.activation import Activation
from skdeep.layers.basic import BatchNorm, Dense, Dropout, Flatten, LayerNorm
from skdeep.layers.composite import ModuleLayer, Residual, stack_layers

__all__ = [
    "Activation",
    "BatchNorm",
    "Dense",
    "Dropout",
    "Flatten",
    "LayerNorm",
    "ModuleLayer",
    "Residual",
    "stack_layers",
]
