"""Functions that the networks for sequences share: masks, embeddings, reductions of the steps, and the output layer."""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from skdeep.layers.linen.embedding import Embedding
from skdeep.layers.masks import steps_other_than, zero_masked


class Output(nn.Dense):
    """The dense output layer, with the same kernel initializer as that of `Stack`."""

    kernel_init: Any = jax.nn.initializers.lecun_uniform()

    summary_title: ClassVar[str] = "Dense"


def masked_sequences(x: Any, mask_value: Any) -> tuple[Any, Any]:
    """Return rows `(n, time, features)` with masked steps set to zero, and the step mask, or None if `mask_value` is None."""
    x = x[..., None] if x.ndim == 2 else x
    step_mask = None if mask_value is None else steps_other_than(x, mask_value)
    return zero_masked(x, step_mask), step_mask


def embedded(x: Any, n_tokens: int | None, features: int) -> Any:
    """Return the embedding of each step's id; return x unchanged if `n_tokens` is None.

    The table is initialised with standard deviation 1, so that layers get inputs of unit scale. Call it in a compact
    method: the embedding becomes a submodule of the caller.
    """
    if n_tokens is None:
        return x
    return Embedding(n_tokens, features, embedding_init=nn.initializers.normal(1.0), name="embedding")(x)


def every_step(x: Any, step_mask: Any) -> Any:
    """Return x unchanged: all steps."""
    return x


def last_real_step(x: Any, step_mask: Any) -> Any:
    """Return the last step that is not masked; zero if all steps are masked."""
    if step_mask is None:
        return x[:, -1]
    is_last = step_mask & ~jnp.flip(jnp.cumsum(jnp.flip(step_mask, 1), 1) > 1, 1)
    return jnp.einsum("nt,ntf->nf", is_last.astype(x.dtype), x)


def mean_of_real_steps(x: Any, step_mask: Any) -> Any:
    """Return the mean over the steps that are not masked; zero if all steps are masked."""
    if step_mask is None:
        return x.mean(axis=1)
    n_real = jnp.maximum(step_mask.sum(axis=1), 1).astype(x.dtype)
    return zero_masked(x, step_mask).sum(axis=1) / n_real[:, None]
