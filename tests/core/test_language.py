"""Models of the next token: the loss compared with a NumPy loop, and the raw outputs of the network."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats

import skdeep
from skdeep.core import as_traced
from skdeep.core.language import NextToken, TokenLoss
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.core.tokens import NO_TARGET
from skdeep.losses import CrossEntropy
from skdeep.records import Task

N_TOKENS, N_STEPS = 4, 5
KEY = np.array([7, 1], np.uint32)
TARGET = np.array(
    [[0, 3, 1, 1, 2], [2, NO_TARGET, 0, NO_TARGET, NO_TARGET], [NO_TARGET] * 5, [NO_TARGET] * 4 + [3]], np.int32
)
RAW = np.random.default_rng(0).normal(size=(4, N_STEPS, N_TOKENS), scale=3).astype(np.float32)
LOSS = TokenLoss(CrossEntropy(), n_tokens=N_TOKENS, n_steps=N_STEPS)


def test_the_loss_is_the_mean_over_steps_with_a_target():
    expected = []
    for row, target in zip(RAW.astype(float), TARGET, strict=True):
        losses = [-special.log_softmax(step)[token] for step, token in zip(row, target, strict=True) if token >= 0]
        expected.append(np.mean(losses) if losses else 0.0)
    assert_allclose(jax.jit(LOSS.__call__)(RAW, TARGET), expected, rtol=1e-5)
    assert LOSS.n_raw(Task("multiclass", N_TOKENS)) == (N_STEPS, N_TOKENS)


def test_steps_without_a_target_have_no_gradient():
    """At the other steps, the gradient is (softmax - one-hot) / number of targets."""
    is_real = TARGET != NO_TARGET
    gradient = jax.jit(jax.grad(lambda raw: LOSS(raw, jnp.asarray(TARGET)).sum()))(RAW)
    expected = special.softmax(RAW.astype(float), axis=2) - np.eye(N_TOKENS)[TARGET]
    expected *= is_real[:, :, None] / np.maximum(is_real.sum(axis=1), 1)[:, None, None]
    assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


class Summed(skdeep.Network):
    """Outputs at each step: the running sum of the features, times a kernel."""

    extra: int = 0

    def build_causal(self, in_shape, n_outputs):
        def init(key, x):
            return {"kernel": jax.random.normal(key, (in_shape[-1], n_outputs + self.extra), x.dtype)}, {"seen": x[:1]}

        def apply(params, state, x, train, key, row_mask):
            return jnp.cumsum(x, axis=1) @ params["kernel"], {"seen": x[:1] if train else state["seen"]}

        return skdeep.NetworkFunctions(init, apply)


def apply(functions, params, state, x, train=False):
    call = jax.jit(lambda params, state, x: functions.apply(params, state, x, train, wrap_key(KEY), jnp.ones(len(x))))
    return call(params, state, jnp.asarray(x))


def initialised(network, x):
    functions = functions_of(as_traced(network), x.shape[1:], (x.shape[1], network.n_tokens))
    return functions, *jax.jit(functions.init)(wrap_key(KEY), jnp.asarray(x))


def test_the_network_gets_the_embedding_of_each_token():
    x = np.array([[0, 3, 1, 1, 2], [2, 2, 0, 3, 1]], np.int32)
    functions, params, state = initialised(NextToken(Summed(), N_TOKENS, 3), x)
    assert jax.tree.map(np.shape, params) == {"embedding": (N_TOKENS, 3), "network": {"kernel": (3, N_TOKENS)}}
    assert jax.tree.map(np.shape, state) == {"seen": (1, N_STEPS, 3)}
    table, kernel = np.asarray(params["embedding"]), np.asarray(params["network"]["kernel"])
    vectors = np.array([[table[int(token)] for token in row] for row in x])
    expected = np.array([[vectors[i, : t + 1].sum(axis=0) @ kernel for t in range(N_STEPS)] for i in range(2)])
    raw, after = apply(functions, params, state, x, train=True)
    assert_allclose(raw, expected, rtol=1e-5, atol=1e-5)
    assert_array_equal(after["seen"], vectors[:1])  # the model state is that of the network inside
    assert_array_equal(apply(functions, params, state, x)[1]["seen"], np.zeros((1, N_STEPS, 3)))


def test_initial_embeddings_are_standard_normal():
    _, params, _ = initialised(NextToken(Summed(), 300, 10), np.zeros((1, 2), np.int32))
    assert stats.kstest(np.asarray(params["embedding"]).ravel(), "norm").pvalue > 1e-3


def test_outputs_of_another_shape_raise():
    x = np.zeros((2, N_STEPS), np.int32)
    functions, params, state = initialised(NextToken(Summed(extra=1), N_TOKENS, 3), x)
    message = (
        "The network Summed(extra=1) returns an array of shape (2, 5, 5) for sequences of shape (2, 5), but to predict the "
        "next token it must return 4 outputs at each step, that is (2, 5, 4). Give recurrent layers return_sequences=True"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        apply(functions, params, state, x)
