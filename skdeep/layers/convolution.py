"""Convolutions of images, sequences and volumes."""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

from skdeep.contract import Layer
from skdeep.layers.fields import check_one_of, check_positive, check_sizes
from skdeep.layers.initializers import INITIALIZERS, initializer
from skdeep.layers.rows import per_axis

Numbers: TypeAlias = int | tuple[int, ...]
"""One for all axes, or one per axis."""

PADDINGS = ("same", "valid", "causal", "circular")


class Convolving(Layer):
    """The fields that convolutions share."""

    features: int = 32
    kernel_size: int | tuple[int, ...] = 3
    strides: int | tuple[int, ...] = 1
    padding: str = "same"
    dilation: int | tuple[int, ...] = 1
    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        """Return the mask at every `strides`-th step; without padding, of the steps whose whole window is real."""
        if step_mask is None:
            return None
        size, stride, dilation = (
            per_axis(value, x.ndim - 2)[0] for value in (self.kernel_size, self.strides, self.dilation)
        )
        reach = (size - 1) * dilation if self.padding.lower() == "valid" else 0
        n = step_mask.shape[1] - reach
        mask = step_mask[:, :n]
        for offset in range(dilation, reach + 1, dilation):
            mask = mask & step_mask[:, offset : offset + n]
        return mask[:, ::stride]

    def _shared(self) -> tuple[int, Numbers, Numbers, str, Numbers]:
        return self.features, self.kernel_size, self.strides, self.padding, self.dilation

    def check_fields(self) -> None:
        check_positive(self, "features")
        check_sizes(self, "kernel_size", "strides", "dilation")
        if not (isinstance(self.padding, str) and self.padding.lower() in PADDINGS):
            raise ValueError(
                f"The 'padding' field of {type(self).__name__} must be one of {list(PADDINGS)}. Got {self.padding!r} instead."
            )


class Conv(Convolving):
    """A convolution over all axes of rows `(..., channels)` but the last: images, sequences, volumes.

    Parameters
    ----------
    features : int, default=32
        Channels of the output.
    kernel_size, strides, dilation : int or tuple of int, default=3, 1, 1
        One number for every axis, or one for each.
    padding : {"same", "valid", "causal", "circular"}, default="same"
        Upper or lower case. "causal" is for sequences: a step sees itself and earlier ones.
    groups : int, default=1
        Channels are split into so many groups that do not see each other.
    use_bias : bool, default=True
    kernel_init : str, default="he_uniform"
        As of `Dense`.

    A step mask of sequences sets masked steps to zero before the convolution. With "same" padding and strides, the step
    at which the first window begins depends on the length of the padded sequences, as in Flax.

    Examples
    --------
    >>> from skdeep.layers import Conv
    >>> Conv(features=64, strides=2).features
    64
    """

    groups: int = 1
    use_bias: bool = True
    kernel_init: str = "he_uniform"

    def build(self) -> Any:
        from skdeep.layers.linen.convolution import Conv

        return Conv(*self._shared(), self.groups, self.use_bias, initializer(self.kernel_init))

    def check_fields(self) -> None:
        super().check_fields()
        check_positive(self, "groups")
        if self.features % self.groups:
            raise ValueError(
                f"The 'features' field of Conv must be a multiple of 'groups'. Got features={self.features} and "
                f"groups={self.groups} instead."
            )
        check_one_of(self, "kernel_init", INITIALIZERS)


class SeparableConv(Convolving):
    """A convolution of each channel by itself, then one of size 1 that mixes the channels: fewer parameters.

    Its parameters are `depthwise` and `pointwise`, each as of Flax's Conv.

    Parameters
    ----------
    features : int, default=32
        Channels of the output.
    kernel_size, strides, dilation : int or tuple of int, default=3, 1, 1
        One number for every axis, or one for each.
    padding : {"same", "valid", "causal", "circular"}, default="same"
    multiplier : int, default=1
        So many channels are made of each channel before they are mixed.
    use_bias : bool, default=True
        A bias behind the mixing; one before it would add nothing.

    References
    ----------
    Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", arXiv 1610.02357.

    Examples
    --------
    >>> from skdeep.layers import SeparableConv
    >>> SeparableConv(features=64, strides=2).multiplier
    1
    """

    multiplier: int = 1
    use_bias: bool = True

    def build(self) -> Any:
        from skdeep.layers.linen.convolution import SeparableConv

        return SeparableConv(*self._shared(), self.multiplier, self.use_bias)

    def check_fields(self) -> None:
        super().check_fields()
        check_positive(self, "multiplier")
