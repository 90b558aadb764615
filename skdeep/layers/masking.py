"""Which steps of a sequence are padding."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from skdeep.contract import Layer


class Masking(Layer):
    """Masks the steps of rows `(time, ...)` whose values all equal `mask_value`, and sets them to zero.

    The layers behind it leave masked steps out. Where a mask is there already, a step is masked by either.

    Parameters
    ----------
    mask_value : float, default=0.0

    Examples
    --------
    >>> from skdeep.layers import Masking
    >>> Masking(mask_value=-1.0)
    Masking(mask_value=-1.0)
    """

    mask_value: float = 0.0
    example_shape: ClassVar[tuple[int, ...]] = (5, 3)

    def build(self) -> Any:
        from skdeep.layers.masking_modules import Masking

        return Masking(self.mask_value)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return both_masks(steps_other_than(x, self.mask_value), step_mask)


def steps_other_than(x: Any, mask_value: Any) -> Any:
    """Return `(n, time)`, False for the steps of `(n, time, ...)` whose values all equal `mask_value`."""
    differs = x != jnp.asarray(mask_value, x.dtype)
    return differs.any(axis=tuple(range(2, x.ndim)))


def both_masks(first: Any, second: Any) -> Any:
    """Return the steps that neither of two masks leaves out; None is no mask."""
    if first is None or second is None:
        return first if second is None else second
    return first & second


def zero_masked(x: Any, step_mask: Any) -> Any:
    """Return x with masked steps set to zero."""
    if step_mask is None:
        return x
    return jnp.where(mask_beside(x, step_mask), x, 0)


def mask_beside(x: Any, step_mask: Any) -> Any:
    """Return the mask `(n, time)` with as many axes as x has."""
    return step_mask.reshape(*step_mask.shape, *(1,) * (x.ndim - 2))
