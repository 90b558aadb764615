"""Which parameters are kernels, by their names and dimensions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from skdeep.core.language import NextToken
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.estimators.resolve import resolve
from skdeep.kernels import are_kernels, kernels_of
from skdeep.layers import Dense, Embedding, Flatten, PositionalEncoding
from skdeep.networks import CNN, GRU, LSTM, MLP, TCN, NNXNetwork, Sequential, Transformer


@pytest.mark.parametrize(
    ("name", "is_kernel"),
    [
        ("kernel", True),
        ("w", True),
        ("weights", True),
        ("coef", True),
        ("scale", True),
        ("unembedding", True),
        ("embedder", True),
        ("stable", True),
        ("embedding", False),
        ("embeddings", False),
        ("embed", False),
        ("pos_embedding", False),
        ("Embedding", False),
        ("position_table", False),
        ("table", False),
        ("bias", False),
        ("key_bias", False),
        ("unbiased", True),
    ],
)
def test_names_of_kernels(name, is_kernel):
    assert are_kernels({"layer": {name: np.ones((2, 2))}}) == {"layer": {name: is_kernel}}


class Attributes:
    """Parameters of a user's own tree: a path then holds names of attributes."""

    def __init__(self, embedding, weight):
        self.embedding, self.weight = embedding, weight


jax.tree_util.register_pytree_with_keys(
    Attributes,
    lambda tree: (
        [
            (jax.tree_util.GetAttrKey("embedding"), tree.embedding),
            (jax.tree_util.GetAttrKey("weight"), tree.weight),
        ],
        None,
    ),
    lambda _, leaves: Attributes(*leaves),
)

MATRIX, VECTOR = np.ones((2, 2)), np.ones(2)


@pytest.mark.parametrize(
    ("params", "n_kernels"),
    [
        (MATRIX, 1),
        (VECTOR, 0),
        ([MATRIX, (VECTOR, MATRIX)], 2),  # without names, dimensions decide
        ({"tables": [MATRIX, MATRIX], "w": MATRIX}, 1),  # positions are no names
        ({"embedding": {"kernel": MATRIX}}, 1),  # a dense layer that is called so
        ({"layers": {0: {"embedding": MATRIX}, 1: {"kernel": MATRIX}}}, 1),
        (Attributes(MATRIX, MATRIX), 1),
        ({}, 0),
    ],
)
def test_kernels_of_trees(params, n_kernels):
    assert len(kernels_of(params)) == n_kernels


def test_kernels_are_the_arrays_themselves():
    assert kernels_of({"a": {"kernel": MATRIX, "bias": VECTOR}})[0] is MATRIX


def nnx_embedding(in_shape, n_outputs, rngs):
    return nnx.Sequential(
        lambda x: x.astype(int),
        nnx.Embed(4, 3, rngs=rngs),
        lambda x: x.mean(axis=1),
        nnx.Linear(3, n_outputs, rngs=rngs),
    )


@pytest.mark.parametrize(
    ("network", "in_shape", "n_outputs", "left_out_names"),
    [
        (MLP((4,)), (3,), 2, []),
        (CNN((4,)), (4, 4, 1), 2, []),
        (LSTM(4), (5, 3), 2, []),
        (GRU(4, n_tokens=4), (5,), 2, ["embedding/embedding"]),
        (TCN((4,), n_tokens=4), (5,), 2, ["embedding/embedding"]),
        (Transformer(1, 8, 2, n_tokens=4), (5,), 2, ["embedding/embedding"]),
        (
            Sequential((Embedding(4, 3), PositionalEncoding("learned"), Flatten(), Dense(2))),
            (5,),
            2,
            ["Embedding_0/embedding", "LearnedPositions_0/table"],
        ),
        (NextToken(GRU(4), 4, 3), (5,), 20, ["embedding"]),
        (NNXNetwork(nnx_embedding), (5,), 2, ["layers/1/embedding"]),
    ],
)
def test_embeddings_of_networks_are_no_kernels(network, in_shape, n_outputs, left_out_names):
    """All other parameters of two dimensions or more are, as ever."""

    def first_params(x):
        return functions_of(network, in_shape, n_outputs).init(wrap_key(jnp.zeros(2, jnp.uint32)), x)[0]

    params = jax.eval_shape(first_params, np.zeros((2, *in_shape), np.float32))
    leaves = jax.tree_util.tree_leaves_with_path(params)
    left_out = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for (path, leaf), is_kernel in zip(leaves, jax.tree.leaves(are_kernels(params)), strict=True)
        if leaf.ndim >= 2 and not is_kernel
    ]
    left_out = [name for name in left_out if not name.endswith("/bias")]  # attention's have an axis per head
    assert sorted(left_out) == left_out_names
    assert len(kernels_of(params)) > 0


@pytest.mark.parametrize("name", ["adamw", "lamb", "lion", "schedule_free_adamw"])
def test_weight_decay_acts_on_kernels_only(name):
    """Where the gradient is 0, a step moves a parameter by weight decay alone."""
    optimizer = resolve("optimizer", name)[1].replace(weight_decay=0.1)
    params = dict.fromkeys(("embedding", "bias", "kernel"), MATRIX.astype(np.float32))
    zero = jax.tree.map(jnp.zeros_like, params)
    _, updates = optimizer.update(zero, optimizer.init(params), params, 0.1, 0.0, lambda p: 0.0)
    moved = {name: bool(np.any(np.asarray(update) != 0)) for name, update in updates.items()}
    assert moved == {"embedding": False, "bias": False, "kernel": True}
