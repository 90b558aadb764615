"""Networks: perceptrons, networks for tables, images and sequences, an image decoder, lists of layers, and users' own modules."""

from skdeep.networks.branches import Branch, Branches
from skdeep.networks.convolutional import CNN, ResNet
from skdeep.networks.decoder import ConvDecoder
from skdeep.networks.dense import MLP, Linear
from skdeep.networks.own import FlaxNetwork, NNXNetwork
from skdeep.networks.recurrent import GRU, LSTM
from skdeep.networks.sequential import Sequential
from skdeep.networks.tabular import RealMLP, TabM
from skdeep.networks.temporal import TCN
from skdeep.networks.transformer import Transformer

__all__ = [
    "Branch",
    "Branches",
    "CNN",
    "ConvDecoder",
    "FlaxNetwork",
    "GRU",
    "LSTM",
    "Linear",
    "MLP",
    "NNXNetwork",
    "RealMLP",
    "ResNet",
    "Sequential",
    "TCN",
    "TabM",
    "Transformer",
]
