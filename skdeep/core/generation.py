"""Draw new tokens one by one from a model of the next token.

At each step the network is applied to a window of known tokens. The window may have places after the last known token; the
network is causal, so that the ids in these places have no effect.
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
"""Temperatures are clipped to this range, as float32 would overflow outside of it.

At the lower end, the likeliest token is drawn; at the upper end, all tokens are equally likely.
"""


class Sampling(NamedTuple):
    """Parameters of drawing tokens. `end` is the token that ends a text (-1 for none); it is drawn only if `may_end`."""

    temperature: Float[Any, ""]
    top_k: Int[Any, ""]
    end: Int[Any, ""]
    may_end: Bool[Any, ""]
    key: UInt32[Any, "2"]


class Continuation(NamedTuple):
    """A text in progress.

    The first `n_known` tokens of `window` are known. `tokens` holds the `n_new` tokens of the current call; earlier calls drew
    `n_before` tokens. `has_ended` is True after the token that ends a text.
    """

    window: Int[Any, " time"]
    n_known: Int[Any, ""]
    tokens: Int[Any, " new"]
    n_new: Int[Any, ""]
    n_before: Int[Any, ""]
    has_ended: Bool[Any, ""]


def choose(raw: Float[Array, " tokens"], sampling: Sampling, key: Any) -> Int[Array, ""]:
    """Return a token drawn from `softmax(raw / temperature)` among the `top_k` likeliest tokens.

    Temperature 0 gives the likeliest token. Of equally likely tokens, those with lower ids are among the `top_k`.
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
    """Return the text with `n_wanted` new tokens, or fewer if the text ended."""
    with inside_a_loop():
        last: Continuation = lax.while_loop(
            lambda p: (p.n_new < n_wanted) & ~p.has_ended,
            lambda p: generate_token.function(model, params, model_state, p, sampling),
            text,
        )
    return last


@program()
def look_ahead(model: Model, params: Params, model_state: ModelState, x: Int[Array, "2 time"]) -> Bool[Array, ""]:
    """Return True if outputs in the first half of the steps differ between two rows that differ in the second half only.

    The network is applied in training mode, because some normalisations mix steps in this mode only. Both rows get the same
    random numbers.
    """
    network = functions_of(model.network, model.in_shape, model.n_raw)

    def outputs(row: Int[Array, " time"]) -> Float[Array, "half raw"]:
        key = wrap_key(jnp.asarray(key_of_seed(0)))
        raw, _ = network.apply(params, model_state, row[None], True, key, jnp.ones(1, float_dtype(x)))
        of_first_half: Float[Array, "half raw"] = raw[0, : len(row) // 2]
        return of_first_half

    first, second = lax.map(outputs, x)
    # NaN passes this check: training raises its own error for a loss that is not finite.
    return jnp.any(jnp.abs(first - second) > 1e-4 * (1 + jnp.max(jnp.abs(first))))


def generate(
    model: Model,
    params: Params,
    model_state: ModelState,
    prompt: Int[np.ndarray, " known"],
    n_wanted: int,
    sampling: Sampling,
) -> Int[np.ndarray, " new"]:
    """Return at most `n_wanted` tokens that follow the prompt, including the token that ends the text.

    Parameters
    ----------
    model : Model
        The model of a `NextToken`. Its float fields must be cast (`skdeep.core.as_traced`).
    params, model_state : pytrees of arrays
    prompt : int array (known,)
        At least one token. The network sees the last tokens only, at most as many as a row has.
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
    """Raise ValueError if outputs depend on later tokens: such a network would copy the next token, not predict it.

    The outputs are computed with the given parameters only. A dependence on later tokens that has no effect with these
    parameters, for example because a weight is 0, is not found.

    Parameters
    ----------
    model : Model
        The model of a `NextToken`. Its float fields must be cast (`skdeep.core.as_traced`).
    params, model_state : pytrees of arrays

    Raises
    ------
    ValueError
        If an output in the first half of the steps changes with a token in the second half.
    """
    network: Any = model.network
    (length,) = row_shapes(model.in_shape)
    x = np.tile(np.arange(length, dtype=np.int32) % network.n_tokens, (2, 1))
    x[1, length // 2 :] = (x[1, length // 2 :] + 1) % network.n_tokens
    if length > 1 and look_ahead(model, params, model_state, x):
        raise ValueError(
            f"The outputs of the network {network.network} at a step depend on later steps too, so it cannot learn to predict the "
            "next token. Let an output depend on its own and earlier steps only: no bidirectional layers, causal=True for "
            "attention, padding='causal' for convolutions, no normalisation over the steps."
        )
