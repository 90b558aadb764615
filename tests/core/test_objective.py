"""The objective: expected values are computed by hand, from the formulas in the docstrings."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose, assert_array_equal

from skdeep import Loss
from skdeep.core.language import NextToken
from skdeep.core.network import functions_of
from skdeep.core.objective import (
    MeanLoss,
    are_penalised,
    kernels_of,
    row_losses,
    rows_of_full_batch,
    share_of_full_batch,
)
from skdeep.core.random import wrap_key
from skdeep.layers import Dense, Embedding, Flatten, PositionalEncoding
from skdeep.losses import SquaredError
from skdeep.networks import CNN, GRU, LSTM, MLP, TCN, NNXNetwork, Sequential, Transformer
from skdeep.records import Batch

# Three rows, of which the last is padding.
LOSSES = jnp.array([1.0, 3.0, 5.0])
MASK = jnp.array([1.0, 1.0, 0.0])
BATCH = Batch(x=MASK[:, None], target=MASK, weight=jnp.array([1.0, 2.0, 0.0]), mask=MASK)

# The kernel has sum|k| = 6 and sum k^2 = 10; nothing else is a kernel.
PARAMS = {
    "Dense_0": {"kernel": np.array([[1.0, -2.0], [-1.0, 2.0]], np.float32), "bias": np.full(2, 10.0, np.float32)},
    "Embed_0": {"embedding": np.full((3, 2), 5.0, np.float32)},
}


@pytest.mark.parametrize(
    ("objective", "n_rows", "value"),
    [
        (MeanLoss(), 10, (1 + 2 * 3) / 3),  # divided by the rows of a full batch, padding included
        (MeanLoss(), 2, (1 + 2 * 3) / 2),  # with 2 rows, a full batch has 2
        (MeanLoss(l1=0.5), 10, 7 / 3 + 0.5 * 6),
        (MeanLoss(l2=0.1), 10, 7 / 3 + 0.5 * 0.1 * 10),
        (MeanLoss(l1=0.5, l2=0.1), 10, 7 / 3 + 0.5 * 6 + 0.5 * 0.1 * 10),
    ],
)
def test_mean_loss(objective, n_rows, value):
    got, reported = objective(LOSSES, BATCH, PARAMS, jnp.int32(n_rows))
    assert_allclose(got, value, rtol=1e-6)
    assert_allclose(reported, 7.0, rtol=1e-6)  # the sum, without the penalties


def test_gradient_of_the_penalties():
    """`l1 * sign(k) + l2 * k` for kernels, 0 for other parameters."""
    params = jax.tree.map(jnp.asarray, PARAMS)
    gradient = jax.grad(lambda p: MeanLoss(l1=0.5, l2=0.1)(LOSSES, BATCH, p, jnp.int32(10))[0])(params)
    assert_allclose(gradient["Dense_0"]["kernel"], [[0.5 + 0.1, -0.5 - 0.2], [-0.5 - 0.1, 0.5 + 0.2]], rtol=1e-6)
    assert_array_equal(gradient["Dense_0"]["bias"], np.zeros(2))
    assert_array_equal(gradient["Embed_0"]["embedding"], np.zeros((3, 2)))


@pytest.mark.parametrize(("n_rows", "rows"), [(2, 2.0), (3, 3.0), (100, 3.0)])
def test_rows_of_full_batch(n_rows, rows):
    assert float(rows_of_full_batch(BATCH, jnp.int32(n_rows))) == rows


@pytest.mark.parametrize(
    ("n_rows", "largest", "share"),
    [
        (10, 0, 2 / 3),
        (2, 0, 1.0),  # the batch has all rows
        (2, 8, 2 / 8),  # an earlier part of the rows had batches of 8
        (10, 2, 2 / 3),
    ],
)
def test_share_of_full_batch(n_rows, largest, share):
    assert_allclose(share_of_full_batch(BATCH, jnp.int32(n_rows), jnp.int32(largest)), share, rtol=1e-6)


class Reducing(Loss):
    tasks = ("regression",)

    def __call__(self, raw, target):
        return jnp.mean((raw - target) ** 2)


def test_row_losses():
    raw, target = jnp.array([[1.0], [4.0]]), jnp.array([[0.0], [2.0]])
    assert_allclose(row_losses(SquaredError(), raw, target), [1.0, 4.0], rtol=1e-6)
    with pytest.raises(
        ValueError,
        match=r"The loss Reducing\(\) returned shape \(\) for 2 rows, but it must return one value a row, \(2,\). Leave out the "
        "mean or sum over rows: weights and the mean are applied later.",
    ):
        row_losses(Reducing(), raw, target)


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
    ],
)
def test_parameters_with_names_of_tables_are_not_penalised(name, is_kernel):
    assert are_penalised({"layer": {name: np.ones((2, 2))}}) == {"layer": {name: is_kernel}}


class Attributes:
    """A user's own pytree of parameters, whose paths hold names of attributes."""

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
        ([MATRIX, (VECTOR, MATRIX)], 2),  # without names, the number of dimensions decides
        ({"tables": [MATRIX, MATRIX], "w": MATRIX}, 1),  # positions in lists are not names
        ({"embedding": {"kernel": MATRIX}}, 1),  # a dense layer with the name "embedding"
        ({"layers": {0: {"embedding": MATRIX}, 1: {"kernel": MATRIX}}}, 1),
        (Attributes(MATRIX, MATRIX), 1),
        ({}, 0),
    ],
)
def test_number_of_kernels_in_a_pytree(params, n_kernels):
    assert len(kernels_of(params)) == n_kernels


def test_kernels_are_the_arrays_themselves():
    (kernel,) = kernels_of(PARAMS)
    assert kernel is PARAMS["Dense_0"]["kernel"]


def nnx_embedding(in_shape, n_outputs, rngs):
    return nnx.Sequential(
        lambda x: x.astype(int),
        nnx.Embed(4, 3, rngs=rngs),
        lambda x: x.mean(axis=1),
        nnx.Linear(3, n_outputs, rngs=rngs),
    )


@pytest.mark.parametrize(
    ("network", "in_shape", "n_outputs", "looked_up"),
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
def test_embeddings_of_networks_are_no_kernels(network, in_shape, n_outputs, looked_up):
    """All other parameters of two dimensions or more are, as ever."""

    def first_params(x):
        return functions_of(network, in_shape, n_outputs).init(wrap_key(jnp.zeros(2, jnp.uint32)), x)[0]

    params = jax.eval_shape(first_params, np.zeros((2, *in_shape), np.float32))
    leaves = jax.tree_util.tree_leaves_with_path(params)
    left_out = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for (path, leaf), is_kernel in zip(leaves, jax.tree.leaves(are_penalised(params)), strict=True)
        if leaf.ndim >= 2 and not is_kernel
    ]
    assert sorted(left_out) == looked_up
    assert len(kernels_of(params)) > 0
