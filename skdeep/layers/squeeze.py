"""Squeeze-and-excitation."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.contract import Layer
from skdeep.layers.fields import check_positive


class SqueezeExcitation(Layer):
    """Multiply each channel by a gate in (0, 1), which two dense layers compute from the means of all channels.

    The means are over all axes of rows `(..., channels)` but the last, without masked steps.

    Parameters
    ----------
    ratio : int, default=8
        The hidden dense layer has `channels // ratio` units, and at least one.

    References
    ----------
    Hu et al., "Squeeze-and-Excitation Networks", arXiv 1709.01507.

    Examples
    --------
    >>> from skdeep.layers import SqueezeExcitation
    >>> SqueezeExcitation(ratio=4)
    SqueezeExcitation(ratio=4)
    """

    ratio: int = 8
    example_shape: ClassVar[tuple[int, ...]] = (3, 2, 8)

    def build(self) -> Any:
        from skdeep.layers.linen.squeeze import SqueezeExcitation

        return SqueezeExcitation(self.ratio)

    def check_fields(self) -> None:
        check_positive(self, "ratio")
