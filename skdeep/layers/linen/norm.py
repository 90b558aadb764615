"""Modules for batch and group normalisation without padding."""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from skdeep import linen
from skdeep.layers.masks import mask_beside


class MaskedBatchNorm(nn.Module):
    """Flax's BatchNorm with statistics over the rows and steps that are not padding."""

    momentum: Any
    epsilon: Any

    summary_title: ClassVar[str] = "BatchNorm"
    summary_as_one: ClassVar[bool] = True

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> Any:
        norm = nn.BatchNorm(
            use_running_average=not train,
            momentum=self.momentum,
            epsilon=self.epsilon,
            use_fast_variance=False,  # E[x^2] - E[x]^2 loses all digits where the mean is large
            name="norm",
        )
        if not train:
            return linen.call(norm, x)
        is_real = (row_mask > 0).reshape(-1, *(1,) * (x.ndim - 1))
        if step_mask is not None:
            steps = is_real & mask_beside(x, step_mask)
            is_real = jnp.where(steps.any(), steps, is_real)  # the mean of no values is NaN
        return linen.call(norm, x, mask=jnp.broadcast_to(is_real, x.shape))


class GroupNorm(nn.Module):
    """Flax's GroupNorm with statistics over the steps that are not masked."""

    n_groups: int
    epsilon: Any

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        if x.shape[-1] % self.n_groups:
            raise ValueError(
                f"The 'n_groups' field of GroupNorm is {self.n_groups}, which does not divide the {x.shape[-1]} channels of its "
                "input. Give a divisor of them."
            )
        norm = nn.GroupNorm(self.n_groups, epsilon=self.epsilon, use_fast_variance=False)
        nn.share_scope(self, norm)
        if step_mask is None:
            return linen.call(norm, x)
        is_real = step_mask | ~step_mask.any(axis=1, keepdims=True)  # the mean of no values is NaN
        return norm(x, mask=jnp.broadcast_to(mask_beside(x, is_real), x.shape))
