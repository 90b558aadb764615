"""Step masks: bool `(n, time)`, False for the steps of a sequence that are padding."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def steps_other_than(x: Any, mask_value: Any) -> Any:
    """Return the mask `(n, time)` of x `(n, time, ...)`: False for steps whose values all equal `mask_value`."""
    differs = x != jnp.asarray(mask_value, x.dtype)
    return differs.any(axis=tuple(range(2, x.ndim)))


def both_masks(first: Any, second: Any) -> Any:
    """Return the mask that is True where both masks are; None stands for no mask."""
    if first is None or second is None:
        return first if second is None else second
    return first & second


def zero_masked(x: Any, step_mask: Any) -> Any:
    """Return x with masked steps set to zero."""
    if step_mask is None:
        return x
    return jnp.where(mask_beside(x, step_mask), x, 0)


def mask_beside(x: Any, step_mask: Any) -> Any:
    """Return the mask `(n, time)` reshaped to as many axes as x has, so that it broadcasts with x."""
    return step_mask.reshape(*step_mask.shape, *(1,) * (x.ndim - 2))
