"""The masking module."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from skdeep.layers.masks import both_masks, steps_other_than, zero_masked


class Masking(nn.Module):
    """Set to zero the steps whose values all equal `mask_value`, and those that are masked already."""

    mask_value: Any

    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        return zero_masked(x, both_masks(steps_other_than(x, self.mask_value), step_mask))
