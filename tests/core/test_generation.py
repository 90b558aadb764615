"""Tokens drawn from raw outputs, and generated texts, compared with loops and closed forms."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

import skdeep
from skdeep.config import Model
from skdeep.core import as_traced, generation
from skdeep.core.generation import Sampling, check_is_causal, choose, generate
from skdeep.core.language import NextToken
from skdeep.core.random import key_of_seed

RAW = np.array([0.3, -1.0, 2.0, 0.9, -0.2], np.float32)


def draws(n=4000, **changes):
    sampling = Sampling(np.float32(1), np.int32(5), np.int32(-1), np.bool_(False), key_of_seed(0))
    sampling = sampling._replace(
        **{name: np.asarray(value, getattr(sampling, name).dtype) for name, value in changes.items()}
    )
    keys = jax.random.split(jax.random.key(0), n)
    return np.asarray(jax.jit(jax.vmap(lambda key: choose(jnp.asarray(RAW), sampling, key)))(keys))


@pytest.mark.parametrize(
    ("changes", "log_probability"),
    [
        ({}, RAW),
        ({"temperature": 0.5}, RAW / 0.5),
        ({"temperature": 3.0}, RAW / 3),
        ({"top_k": 2}, np.where(RAW >= 0.9, RAW, -np.inf)),
        ({"end": 2}, np.where(np.arange(5) == 2, -np.inf, RAW)),
        ({"end": 2, "may_end": True}, RAW),
        ({"end": 2, "top_k": 2}, np.where(np.isin(np.arange(5), [0, 3]), RAW, -np.inf)),
    ],
)
def test_tokens_are_drawn_with_the_softmax_probabilities(changes, log_probability):
    counts = np.bincount(draws(**changes), minlength=5)
    expected = special.softmax(log_probability.astype(float)) * counts.sum()
    assert (counts[expected == 0] == 0).all()
    assert stats.chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-3


def test_of_equally_likely_tokens_lower_ids_are_in_the_top_k():
    sampling = Sampling(np.float32(0), np.int32(5), np.int32(0), np.bool_(False), key_of_seed(0))
    equal = jnp.zeros(5)
    assert {int(choose(equal, sampling, jax.random.key(seed))) for seed in range(10)} == {1}
    two = sampling._replace(temperature=np.float32(1), top_k=np.int32(2))
    assert {int(choose(equal, two, jax.random.key(seed))) for seed in range(20)} == {1, 2}


@pytest.mark.parametrize("changes", [{"temperature": 0.0}, {"top_k": 1}, {"temperature": 1e-20}])
def test_the_likeliest_token_is_drawn(changes):
    assert set(draws(100, **changes)) == {2}


# Texts.


N_TOKENS, LENGTH = 5, 3
KERNEL = np.random.default_rng(245).normal(size=(N_TOKENS, N_TOKENS), scale=2).astype(np.float32)
"""The seed is chosen so that the likeliest texts contain all tokens."""
PARAMS = {"embedding": np.eye(N_TOKENS, dtype=np.float32), "network": {"kernel": KERNEL}}


class Fading(skdeep.Network):
    """Outputs at each step: a sum of the steps so far, in which a step has twice the weight of the step before, times a kernel."""

    looks_ahead: bool = False

    def build_causal(self, in_shape, n_outputs):
        time = in_shape[0]
        share = np.power(2.0, np.arange(time)[None, :] - np.arange(time)[:, None])
        share = jnp.asarray(share if self.looks_ahead else np.tril(share), jnp.float32)

        def apply(params, state, x, train, key, row_mask):
            return jnp.einsum("ts,nsf->ntf", share, x) @ params["kernel"], state

        return skdeep.NetworkFunctions(lambda key, x: ({}, {}), apply)


def model_of(length=LENGTH, **fields):
    return as_traced(Model(NextToken(Fading(**fields), N_TOKENS, N_TOKENS), (length,), (length, N_TOKENS)))


def sampling_of(temperature=0.0, top_k=N_TOKENS, end=-1, may_end=True, seed=0):
    return Sampling(np.float32(temperature), np.int32(top_k), np.int32(end), np.bool_(may_end), key_of_seed(seed))


def raw_after(known, length=LENGTH):
    """Return the raw outputs at the last known token, if the window has the last `length` tokens."""
    seen = known[-length:]
    return sum(2.0 ** (k - len(seen) + 1) * KERNEL[token].astype(float) for k, token in enumerate(seen))


def text(n, prompt=(1, 2), length=LENGTH, **options):
    return generate(model_of(length), PARAMS, {}, np.array(prompt), n, sampling_of(**options)).tolist()


@pytest.mark.parametrize("prompt", [(1,), (1, 2), (0, 3, 1), (4, 0, 2, 1, 3, 3)])
def test_text_at_temperature_0_equals_that_of_a_loop(prompt):
    known = list(prompt)
    for _ in range(12):
        known.append(int(np.argmax(raw_after(known))))
    assert text(12, prompt) == known[len(prompt) :]
    assert set(known) == set(range(N_TOKENS))


def test_the_text_depends_on_the_length_of_the_window():
    assert text(12, length=1) != text(12, length=3)


def test_a_text_stops_after_the_end_token_if_it_may_end():
    whole = text(12)
    end = whole[3]
    position = whole.index(end)
    assert text(12, end=end) == whole[: position + 1]
    without = text(12, end=end, may_end=False)
    assert len(without) == 12
    known = [1, 2]
    for _ in range(12):
        known.append(int(np.argmax(np.where(np.arange(N_TOKENS) == end, -np.inf, raw_after(known)))))
    assert without == known[2:]


@pytest.mark.parametrize("n", [0, 1, 4, 11])
@pytest.mark.parametrize("in_loops", [True, False], ids=["in a loop", "one call per token"])
def test_texts_do_not_depend_on_the_number_of_program_calls(monkeypatch, n, in_loops):
    expected = text(n, temperature=1.0)
    assert len(expected) == n

    monkeypatch.setattr(generation, "TOKENS_PER_CALL", 4)
    if not in_loops:
        monkeypatch.setattr(generation.generate_tokens, "suits_its_loop", lambda *_: False)
    assert text(n, temperature=1.0) == expected


def test_different_seeds_give_different_texts():
    texts = {tuple(text(12, temperature=1.0, seed=seed)) for seed in range(5)}
    assert len(texts) == 5


def test_drawn_texts_are_markov_chains():
    """With a window of one token, the probabilities of the next token are the softmax of its row of the kernel (chi-square test)."""
    known = [1, *text(3000, prompt=(1,), length=1, temperature=1.5)]
    counts = np.zeros((N_TOKENS, N_TOKENS))
    np.add.at(counts, (known[:-1], known[1:]), 1)
    expected = special.softmax(KERNEL / 1.5, axis=1) * counts.sum(axis=1, keepdims=True)
    is_tested = expected > 5
    statistic = ((counts - expected)[is_tested] ** 2 / expected[is_tested]).sum()
    assert is_tested.sum() >= 15
    assert stats.chi2(is_tested.sum()).sf(statistic) > 1e-3


def test_a_network_that_depends_on_later_steps_raises():
    check_is_causal(model_of(), PARAMS, {})
    check_is_causal(model_of(1, looks_ahead=True), PARAMS, {})  # a window of one step has no later step
    message = (
        "The outputs of the network Fading(looks_ahead=True) at a step depend on later steps too, so it cannot learn"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check_is_causal(model_of(4, looks_ahead=True), PARAMS, {})
