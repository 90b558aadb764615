"""The dropout module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from skdeep.linen import PROGRESS


class TracedDropout(nn.Module):
    """Dropout whose rate may be a tracer. Flax's Dropout needs a Python number, since it tests `rate == 0` in Python.

    With a schedule, the rate is multiplied by its factor at the progress of training. If the rate is 0, the compiled program
    skips the drawing of random numbers. If it is None, the program has no dropout: for a small network, dropout is a fifth of what
    there is to compile.
    """

    rate: Any
    schedule: Callable[[Any], Any] | None = None

    @property
    def summary_title(self) -> str:
        """The type of this module in summaries; empty if it does nothing, so that they leave it out."""
        return "" if self.rate is None else "Dropout"

    @nn.compact
    def __call__(self, x: Any, train: bool) -> Any:
        rate = self.rate
        if rate is None:
            return x
        if self.schedule is not None:
            rate = rate * self.schedule(self.variable(PROGRESS, "dropout", jnp.zeros, ()).value)
        if not train:
            return x
        key = self.make_rng("dropout")
        keep = 1.0 - jnp.asarray(rate, x.dtype)

        def random_factors() -> Any:
            return jax.random.bernoulli(key, keep, x.shape).astype(x.dtype) / keep

        # Only the factors are computed inside the branch. They do not depend on x, so the gradient needs no branch.
        return x * lax.cond(rate > 0, random_factors, lambda: jnp.ones(x.shape, x.dtype))
