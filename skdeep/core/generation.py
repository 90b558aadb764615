"""Stage 11: a model of the next token -> new tokens, drawn one after the other.

The network sees a window of known tokens at each step, whatever network it is. Tokens behind the last known one
change nothing, since the network is causal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt32

from skdeep.contract import Model, ModelState, Params
from skdeep.core.language import NextToken
from skdeep.core.lowering import LeftAloneError, inside_a_loop
from skdeep.core.network import functions_of
from skdeep.core.programs import Program
from skdeep.core.random import wrap_key

SMALLEST_TEMPERATURE = 1e-30


class Sampling(NamedTuple):
    """How a token is drawn; `end` is the token that ends a text, drawn only if `may_end`, or -1 if there is none."""

    temperature: Float[Any, ""]
    top_k: Int[Any, ""]
    end: Int[Any, ""]
    may_end: Bool[Any, ""]
    key: UInt32[Any, "2"]


class Progress(NamedTuple):
    """The window, how many of its tokens are known, the new tokens, how many they are, and whether the text ended."""

    window: Float[Any, " time"]
    n_known: Int[Any, ""]
    tokens: Int[Any, " new"]
    n_new: Int[Any, ""]
    has_ended: Bool[Any, ""]


def choose(raw: Float[Array, " tokens"], sampling: Sampling, key: Any) -> Int[Array, ""]:
    """Return a token drawn from `softmax(raw / temperature)` among the `top_k` likeliest; the likeliest at 0."""
    is_barred = (jnp.arange(len(raw)) == sampling.end) & ~sampling.may_end
    raw = jnp.where(is_barred, -jnp.inf, raw)
    threshold = jnp.sort(raw)[len(raw) - jnp.clip(sampling.top_k, 1, len(raw))]
    scaled = (raw - jnp.max(raw)) / jnp.maximum(sampling.temperature, SMALLEST_TEMPERATURE)
    token: Int[Array, ""] = jax.random.categorical(key, jnp.where(raw >= threshold, scaled, -jnp.inf)).astype(jnp.int32)
    return token


def one_token(
    model: Model, params: Params, model_state: ModelState, progress: Progress, sampling: Sampling
) -> Progress:
    """Return the progress with one more token."""
    network = functions_of(model.network, model.in_shape, model.n_raw)
    window, n_known, tokens, n_new, _ = progress
    raw, _ = network.apply(params, model_state, window[None], False, None, jnp.ones(1, window.dtype))
    key = jax.random.fold_in(wrap_key(sampling.key), n_new)
    token = choose(raw.reshape(len(window), -1)[n_known - 1], sampling, key)
    is_full = n_known == len(window)
    window = jnp.where(is_full, jnp.roll(window, -1), window)
    window = window.at[jnp.where(is_full, n_known - 1, n_known)].set(token.astype(window.dtype))
    return Progress(
        window,
        jnp.where(is_full, n_known, n_known + 1),
        tokens.at[n_new].set(token),
        n_new + 1,
        token == sampling.end,
    )


def many_tokens(
    model: Model,
    params: Params,
    model_state: ModelState,
    progress: Progress,
    sampling: Sampling,
    n_wanted: Int[Array, ""],
) -> Progress:
    """Return the progress with `n_wanted` tokens, or fewer if the text ended."""
    with inside_a_loop():
        last: Progress = lax.while_loop(
            lambda p: (p.n_new < n_wanted) & ~p.has_ended,
            lambda p: one_token(model, params, model_state, p, sampling),
            progress,
        )
    return last


def outputs_with_another_end(
    model: Model, params: Params, model_state: ModelState, x: Float[Array, "2 time"]
) -> Bool[Array, ""]:
    """Tell whether two rows that differ in the last token alone have equal outputs at all steps before it."""
    network = functions_of(model.network, model.in_shape, model.n_raw)
    raw, _ = network.apply(params, model_state, x, False, None, jnp.ones(2, x.dtype))
    before = raw.reshape(2, x.shape[1], -1)[:, :-1]
    # Two rows of one product may be rounded differently; what a step sees of another one is far more.
    return jnp.all(jnp.abs(before[0] - before[1]) <= 1e-4 * (1 + jnp.max(jnp.abs(before))))


generate_token = Program(one_token, name="generate_token")
generate_tokens = Program(many_tokens, name="generate_tokens")
compare_ends = Program(outputs_with_another_end, name="compare_ends")


def generate(
    model: Model,
    params: Params,
    model_state: ModelState,
    prompt: Int[np.ndarray, " known"],
    n_wanted: int,
    sampling: Sampling,
) -> Int[np.ndarray, " new"]:
    """Return at most `n_wanted` tokens that follow the prompt (of one token at least), the end's token included.

    Parameters
    ----------
    model : Model
        Of a `NextToken`; its float fields must be cast (`skdeep.core.as_traced`).
    params, model_state : pytrees of arrays
    prompt : int array (known,)
        The network sees the last `model.in_shape[0]` of them.
    n_wanted : int
    sampling : Sampling
    """
    (length,) = model.in_shape
    known = prompt[-length:]
    window = np.zeros(length, np.float32)
    window[: len(known)] = known
    size = 1 << max(5, (n_wanted - 1).bit_length())  # a shape of the program: few of them
    start: Any = (window, np.int32(len(known)), np.zeros(size, np.int32), np.int32(0), np.bool_(False))
    progress = Progress(*start)
    try:
        progress = generate_tokens(model, params, model_state, progress, sampling, np.int32(n_wanted))
    except LeftAloneError:  # slow inside a loop: one program call a token
        while int(progress.n_new) < n_wanted and not bool(progress.has_ended):
            progress = generate_token(model, params, model_state, progress, sampling)
    return np.asarray(progress.tokens)[: int(progress.n_new)]


def check_is_causal(model: Model, params: Params, model_state: ModelState) -> None:
    """Raise ValueError if outputs depend on later tokens: such a network learns to copy, not to predict.

    Compares outputs with the parameters given, so it can tell only what these let through.
    """
    (length,) = model.in_shape
    network = model.network
    if length < 2 or not isinstance(network, NextToken):
        return
    x = np.tile(np.arange(length, dtype=np.float32) % network.n_tokens, (2, 1))
    x[1, -1] = (x[1, -1] + 1) % network.n_tokens
    if not bool(compare_ends(model, params, model_state, x)):
        raise ValueError(
            f"The network {network.network} makes its outputs at a step of later steps too, so it cannot learn what comes next. "
            "Let each step see itself and earlier ones only: no bidirectional layers, causal=True for attention, "
            "padding='causal' for convolutions, no normalisation over the steps."
        )
