"""Layers: components that build linen modules. A list of layers can serve as a network."""

from skdeep.layers.activation import Activation
from skdeep.layers.attention import PositionalEncoding, SelfAttention, TransformerBlock
from skdeep.layers.basic import BatchNorm, Dense, Dropout, Flatten, GroupNorm, LayerNorm
from skdeep.layers.composite import ModuleLayer, Residual, stack_layers
from skdeep.layers.convolution import Conv, SeparableConv
from skdeep.layers.embedding import Embedding
from skdeep.layers.masking import Masking
from skdeep.layers.pooling import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from skdeep.layers.recurrent import GRU, LSTM, Bidirectional, SimpleRNN
from skdeep.layers.squeeze import SqueezeExcitation
from skdeep.layers.tabular import (
    CategoryEmbedding,
    NTKDense,
    ParametricActivation,
    PBLDEmbedding,
    PiecewiseLinearEmbedding,
    PLREmbedding,
    Scaling,
)

__all__ = [
    "Activation",
    "AvgPool",
    "BatchNorm",
    "Bidirectional",
    "CategoryEmbedding",
    "Conv",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRU",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "LSTM",
    "LayerNorm",
    "Masking",
    "MaxPool",
    "ModuleLayer",
    "NTKDense",
    "PBLDEmbedding",
    "PLREmbedding",
    "ParametricActivation",
    "PiecewiseLinearEmbedding",
    "PositionalEncoding",
    "Residual",
    "Scaling",
    "SelfAttention",
    "SeparableConv",
    "SimpleRNN",
    "SqueezeExcitation",
    "TransformerBlock",
    "stack_layers",
]
