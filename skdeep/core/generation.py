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

from skdeep.config import Model
from skdeep.core.cpu.rewriting import inside_a_loop
from skdeep.core.inputs import float_dtype, row_shapes
from skdeep.core.network import functions_of
from skdeep.core.programs import program
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.records import ModelState, Params

TOKENS_PER_CALL = 256
TEMPERATURES = (1e-30, 1e30)
"""Beyond, float32 would overflow: the likeliest token is drawn, or any."""


class Sampling(NamedTuple):
    """How a token is drawn; `end` is the token that ends a text, drawn only if `may_end`, or -1 if there is none."""

    temperature: Float[Any, ""]
    top_k: Int[Any, ""]
    end: Int[Any, ""]
    may_end: Bool[Any, ""]
    key: UInt32[Any, "2"]


class Continuation(NamedTuple):
    """The window, how many of its tokens are known, the new tokens of this call, how many they are, those before it."""

    window: Int[Any, " time"]
    n_known: Int[Any, ""]
    tokens: Int[Any, " new"]
    n_new: Int[Any, ""]
    n_before: Int[Any, ""]
    has_ended: Bool[Any, ""]


def choose(raw: Float[Array, " tokens"], sampling: Sampling, key: Any) -> Int[Array, ""]:
    """Return a token drawn from `softmax(raw / temperature)` among the `top_k` likeliest; the likeliest at 0.

    Of equally likely tokens the first ones are among the `top_k`.
    """
    is_barred = (jnp.arange(len(raw)) == sampling.end) & ~sampling.may_end
    order = jnp.argsort(jnp.where(is_barred, jnp.inf, -raw), stable=True)
    top_k = jnp.where(sampling.temperature == 0, 1, sampling.top_k)
    is_kept = jnp.zeros(len(raw), bool).at[order].set(jnp.arange(len(raw)) < top_k) & ~is_barred
    scaled = (raw - jnp.max(raw)) / jnp.clip(sampling.temperature, *TEMPERATURES)
    return jax.random.categorical(key, jnp.where(is_kept, scaled, -jnp.inf)).astype(jnp.int32)


@program()
def generate_token(
    model: Model, params: Params, model_state: ModelState, text: Continuation, sampling: Sampling
) -> Continuation:
    """Return the text with one more token."""
    network = functions_of(model.network, model.in_shape, model.n_raw)
    window, n_known, tokens, n_new, n_before, _ = text
    raw, _ = network.apply(params, model_state, window[None], False, None, jnp.ones(1, float_dtype(window)))
    key = jax.random.fold_in(wrap_key(sampling.key), n_before + n_new)
    token = choose(raw[0, n_known - 1], sampling, key)
    is_full = n_known == len(window)
    window = jnp.where(is_full, jnp.roll(window, -1), window)
    window = window.at[jnp.where(is_full, n_known - 1, n_known)].set(token)
    return Continuation(
        window,
        jnp.where(is_full, n_known, n_known + 1),
        tokens.at[n_new].set(token),
        n_new + 1,
        n_before,
        token == sampling.end,
    )


@program()
def generate_tokens(
    model: Model,
    params: Params,
    model_state: ModelState,
    text: Continuation,
    sampling: Sampling,
    n_wanted: Int[Array, ""],
) -> Continuation:
    """Return the text with `n_wanted` tokens, or fewer if the text ended."""
    with inside_a_loop():
        last: Continuation = lax.while_loop(
            lambda p: (p.n_new < n_wanted) & ~p.has_ended,
            lambda p: generate_token.function(model, params, model_state, p, sampling),
            text,
        )
    return last


@program()
def look_ahead(model: Model, params: Params, model_state: ModelState, x: Int[Array, "2 time"]) -> Bool[Array, ""]:
    """Tell whether outputs in the first half differ between two rows that differ in the second half only.

    As in training, where a normalisation may mix what it does not in prediction; random numbers are the same.
    """
    network = functions_of(model.network, model.in_shape, model.n_raw)

    def outputs(row: Int[Array, " time"]) -> Float[Array, "half raw"]:
        key = wrap_key(jnp.asarray(key_of_seed(0)))
        raw, _ = network.apply(params, model_state, row[None], True, key, jnp.ones(1, float_dtype(x)))
        of_first_half: Float[Array, "half raw"] = raw[0, : len(row) // 2]
        return of_first_half

    first, second = lax.map(outputs, x)
    # NaN is none of this check's business: the loss will tell.
    return jnp.any(jnp.abs(first - second) > 1e-4 * (1 + jnp.max(jnp.abs(first))))


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
        The network sees the last ones, as many as a row has.
    n_wanted : int
    sampling : Sampling
    """
    (length,) = row_shapes(model.in_shape)
    window = np.zeros(length, np.int32)
    known = prompt[-length:]
    window[: len(known)] = known
    empty = np.zeros(TOKENS_PER_CALL, np.int32)
    start: Any = (window, np.int32(len(known)), empty, np.int32(0), np.int32(0), np.bool_(False))
    text, parts, n_done = Continuation(*start), [empty[:0]], 0
    while n_done < n_wanted and not text.has_ended:
        text = text._replace(tokens=empty, n_new=np.int32(0), n_before=np.int32(n_done))
        n_now = min(TOKENS_PER_CALL, n_wanted - n_done)
        text = _call(model, params, model_state, text, sampling, n_now)
        parts.append(np.asarray(text.tokens)[: int(text.n_new)])
        n_done += int(text.n_new)
    return np.concatenate(parts)


def _call(
    model: Model, params: Params, model_state: ModelState, text: Continuation, sampling: Sampling, n_wanted: int
) -> Continuation:
    arguments = model, params, model_state, text, sampling, np.int32(n_wanted)
    if generate_tokens.suits_its_loop(*arguments):
        last: Continuation = generate_tokens(*arguments)
        return last
    while int(text.n_new) < n_wanted and not text.has_ended:
        text = generate_token(model, params, model_state, text, sampling)
    return text


def check_is_causal(model: Model, params: Params, model_state: ModelState) -> None:
    """Raise ValueError if outputs depend on later tokens: such a network learns to copy, not to predict.

    Compares outputs with the parameters given, so it can tell only what these let through.

    Parameters
    ----------
    model : Model
        Of a `NextToken`; its float fields must be cast (`skdeep.core.as_traced`).
    params, model_state : pytrees of arrays

    Raises
    ------
    ValueError
    """
    network: Any = model.network
    (length,) = row_shapes(model.in_shape)
    x = np.tile(np.arange(length, dtype=np.int32) % network.n_tokens, (2, 1))
    x[1, length // 2 :] = (x[1, length // 2 :] + 1) % network.n_tokens
    if length > 1 and look_ahead(model, params, model_state, x):
        raise ValueError(
            f"The network {network.network} makes its outputs at a step of later steps too, so it cannot learn what comes next. "
            "Let each step see itself and earlier ones only: no bidirectional layers, causal=True for attention, "
            "padding='causal' for convolutions, no normalisation over the steps."
        )
