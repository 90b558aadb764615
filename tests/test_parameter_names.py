"""The names of parameters that the documentation promises: rates per layer, penalties and pretrained weights rely on them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import skdeep
from skdeep import layers
from skdeep.core.inputs import example_of, hashable_specs
from skdeep.core.random import wrap_key
from skdeep.networks import (
    CNN,
    GRU,
    LSTM,
    MLP,
    TCN,
    Branch,
    Branches,
    ConvDecoder,
    Linear,
    RealMLP,
    ResNet,
    Sequential,
    TabM,
    Transformer,
)
from skdeep.records import InputSpec

DENSE = {"kernel", "bias"}
NORM = {"scale", "bias"}
LSTM_CELL = {f"i{gate}/kernel" for gate in "ifgo"} | {f"h{gate}/{name}" for gate in "ifgo" for name in DENSE}
GRU_CELL = {f"i{gate}/{name}" for gate in "rzn" for name in DENSE} | {"hr/kernel", "hz/kernel", "hn/kernel", "hn/bias"}
ATTENTION = {f"attention/{part}/{name}" for part in ("query", "key", "value", "out") for name in DENSE}


def under(prefix, names):
    return {f"{prefix}/{name}" for name in names}


OUTPUT = under("output", DENSE)
BLOCK = set.union(
    under("SelfAttention_0", ATTENTION),
    *(under(f"Dense_{i}", DENSE) for i in range(2)),
    *(under(f"LayerNorm_{i}", NORM) for i in range(2)),
)


def norms(n):
    return set.union(*(under(f"MaskedBatchNorm_{i}/norm", NORM) for i in range(n)))


def convolutions(n):
    return {f"Conv_{i}/kernel" for i in range(n)}


NETWORKS = [
    (Linear(), (4,), OUTPUT),
    (MLP((8, 8)), (4,), OUTPUT | under("Dense_0", DENSE) | under("Dense_1", DENSE)),
    (MLP((8,), normalization="batch"), (4,), OUTPUT | under("Dense_0", DENSE) | norms(1)),
    (MLP((8,), normalization="layer"), (4,), OUTPUT | under("Dense_0", DENSE) | under("LayerNorm_0", NORM)),
    (
        MLP((8, 8), residual=True),
        (4,),
        OUTPUT
        | {"ResidualStack_0/shortcut/kernel"}
        | set.union(*(under(f"ResidualStack_{i}/Dense_0", DENSE) for i in range(2))),
    ),
    (
        RealMLP((8,)),
        (4,),
        OUTPUT
        | {"numeric/frequency", "numeric/phase", "scale/scale", "activation_0/slope"}
        | under("numeric/output", DENSE)
        | under("dense_0", DENSE),
    ),
    (
        TabM(2, widths=(8,), n_bins=2, numeric_features=2),
        (4,),
        OUTPUT | {"numeric/slope", "first_scale"} | under("numeric", DENSE) | under("dense_0", DENSE),
    ),
    (CNN((4, 8)), (8, 8, 1), OUTPUT | under("Conv_0", DENSE) | under("Conv_1", DENSE)),
    (CNN((4,), hidden=(8,)), (8, 8, 1), OUTPUT | under("Conv_0", DENSE) | under("Dense_0", DENSE)),
    (
        ResNet(8, 4),
        (8, 8, 1),
        OUTPUT
        | convolutions(1)
        | norms(1)
        | set.union(*(under(f"ResidualStack_{i}", convolutions(2) | norms(2)) for i in range(3)))
        | {f"ResidualStack_{i}/shortcut/kernel" for i in (1, 2)},
    ),
    (LSTM(4, n_layers=2), (5, 3), OUTPUT | under("LSTM_0", LSTM_CELL) | under("LSTM_1", LSTM_CELL)),
    (
        GRU(4, bidirectional=True),
        (5, 3),
        OUTPUT | under("Bidirectional_0/forward", GRU_CELL) | under("Bidirectional_0/backward", GRU_CELL),
    ),
    (GRU(4, n_tokens=9), (5,), OUTPUT | under("GRU_0", GRU_CELL) | {"embedding/embedding"}),
    (
        TCN((4,), 2),
        (5, 3),
        OUTPUT | under("TemporalBlock_0", set.union(*(under(part, DENSE) for part in ("CausalConv_0", "CausalConv_1", "shortcut")))),
    ),
    (
        Transformer(1, 8, 2),
        (5, 3),
        OUTPUT | under("projection", DENSE) | under("TransformerBlock_0", BLOCK) | under("LayerNorm_0", NORM),
    ),
    (
        Transformer(1, 8, 2, n_tokens=9),
        (5,),
        OUTPUT | {"embedding/embedding"} | under("TransformerBlock_0", BLOCK) | under("LayerNorm_0", NORM),
    ),
    (ConvDecoder((4,), out_shape=(8, 8, 1)), (4,), OUTPUT | under("Dense_0", DENSE)),
    (
        Branches((Branch("image", CNN((4,))),), head=Linear()),
        {"image": InputSpec((8, 8, 1)), "table": InputSpec((4,))},
        under("image", OUTPUT | under("Conv_0", DENSE)) | under("table", OUTPUT | under("Dense_0", DENSE)) | under("head", OUTPUT),
    ),
]  # fmt: skip

LAYERS = [
    (layers.Dense(4), (6,), under("Dense_0", DENSE)),
    (layers.Conv(4), (6, 4), under("Conv_0", DENSE)),
    (layers.SeparableConv(4), (6, 4), {"SeparableConv_0/depthwise/kernel"} | under("SeparableConv_0/pointwise", DENSE)),
    (layers.BatchNorm(), (6,), under("MaskedBatchNorm_0/norm", NORM)),
    (layers.LayerNorm(), (6,), under("LayerNorm_0", NORM)),
    (layers.GroupNorm(2), (6,), under("GroupNorm_0", NORM)),
    (layers.Embedding(5, 4), (6,), {"Embedding_0/embedding"}),
    (layers.LSTM(4), (6, 4), under("LSTM_0", LSTM_CELL)),
    (layers.GRU(4), (6, 4), under("GRU_0", GRU_CELL)),
    (layers.SelfAttention(2), (6, 4), under("SelfAttention_0", ATTENTION)),
    (layers.TransformerBlock(2), (6, 4), under("TransformerBlock_0", BLOCK)),
    (layers.SqueezeExcitation(2), (6, 4), under("SqueezeExcitation_0/reduce", DENSE) | under("SqueezeExcitation_0/expand", DENSE)),
    (layers.Residual((layers.Dense(4),)), (6,), under("ResidualStack_0/Dense_0", DENSE) | {"ResidualStack_0/shortcut/kernel"}),
    (layers.Dropout(0.1), (6,), set()),
    (layers.Activation("relu"), (6,), set()),
]  # fmt: skip


def names_in(network, in_shape):
    functions = skdeep.network_functions(network, in_shape, 64)

    def init():
        return functions.init(wrap_key(jnp.zeros(2, "uint32")), example_of(hashable_specs(in_shape), 1, jnp.float32))[0]

    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.eval_shape(init))
    return {jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves}


@pytest.mark.parametrize(("network", "in_shape", "expected"), NETWORKS, ids=[str(network) for network, *_ in NETWORKS])
def test_names_in_networks(network, in_shape, expected):
    assert names_in(network, in_shape) == expected


@pytest.mark.parametrize(("layer", "in_shape", "expected"), LAYERS, ids=[str(layer) for layer, *_ in LAYERS])
def test_names_in_lists_of_layers(layer, in_shape, expected):
    assert names_in(Sequential((layer,)), in_shape) == OUTPUT | expected


def test_layers_of_a_kind_are_counted_on_their_own():
    network = Sequential((layers.Dense(4), layers.LayerNorm(), layers.Dense(4), layers.LayerNorm()))
    expected = set.union(*(under(f"Dense_{i}", DENSE) | under(f"LayerNorm_{i}", NORM) for i in range(2)))
    assert names_in(network, (6,)) == OUTPUT | expected


def test_every_built_in_network_is_in_the_table():
    from skdeep import networks

    own = {"Branch", "FlaxNetwork", "NNXNetwork", "Sequential"}  # named by users, or by their layers
    assert {type(network).__name__ for network, *_ in NETWORKS} == set(networks.__all__) - own
