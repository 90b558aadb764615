"""Masking of the padded steps of sequences."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.contract import Layer
from skdeep.layers.masks import both_masks, steps_other_than


class Masking(Layer):
    """Mask the steps of rows `(time, ...)` whose values all equal `mask_value`, and set them to zero.

    The layers that follow leave masked steps out. If the input already has a mask, its masked steps stay masked.

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
        from skdeep.layers.linen.masking import Masking

        return Masking(self.mask_value)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return both_masks(steps_other_than(x, self.mask_value), step_mask)
