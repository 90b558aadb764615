"""Networks: a multilayer perceptron, a linear model, a decoder of images, a list of layers, and users' own modules."""

from skdeep.networks.decoder import ConvDecoder
from skdeep.networks.dense import MLP, Linear
from skdeep.networks.own import FlaxNetwork, NNXNetwork
from skdeep.networks.sequential import Sequential

__all__ = ["MLP", "ConvDecoder", "FlaxNetwork", "Linear", "NNXNetwork", "Sequential"]
