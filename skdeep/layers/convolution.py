"""Convolutions of images, sequences and volumes."""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

from skdeep.contract import Layer
from skdeep.layers.fields import check_one_of, check_positive, check_sizes
from skdeep.layers.initializers import INITIALIZERS, initializer
from skdeep.layers.rows import per_axis

Numbers: TypeAlias = int | tuple[int, ...]
"""One number for all axes, or one number per axis."""

PADDINGS = ("same", "valid", "causal", "circular")


class Convolving(Layer):
    """Base class of convolutions: their common fields, checks and step mask."""

    features: int = 32
    kernel_size: int | tuple[int, ...] = 3
    strides: int | tuple[int, ...] = 1
    padding: str = "same"
    dilation: int | tuple[int, ...] = 1
    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        """Return the step mask of the output.

        It is the input's mask at every `strides`-th step. With "valid" padding, a step of the output is unmasked if
        all steps of its window are.
        """
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
    """A convolution of images, sequences or volumes `(..., channels)`, over all axes but the last.

    Parameters
    ----------
    features : int, default=32
        Channels of the output.
    kernel_size, strides, dilation : int or tuple of int, default=3, 1, 1
        One number for all axes, or one number per axis.
    padding : {"same", "valid", "causal", "circular"}, default="same"
        In upper or lower case. "causal" is for sequences: each output sees its own step and earlier ones.
    groups : int, default=1
        Number of groups of channels that are convolved separately; must divide `features` and the input's channels.
    use_bias : bool, default=True
    kernel_init : str, default="he_uniform"
        Initializer of the kernel, as in `Dense`.

    Notes
    -----
    Masked steps of a sequence are set to zero before the convolution. With "same" padding and strides above 1, the
    step at which the first window begins depends on the length of the padded sequences, as in Flax.

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
    """A depthwise separable convolution: one per channel, then one of kernel size 1 that mixes the channels.

    It has fewer parameters than `Conv`: those of two Flax Convs, named `depthwise` and `pointwise`.

    Parameters
    ----------
    features : int, default=32
        Channels of the output.
    kernel_size, strides, dilation : int or tuple of int, default=3, 1, 1
        One number for all axes, or one number per axis.
    padding : {"same", "valid", "causal", "circular"}, default="same"
    multiplier : int, default=1
        Number of depthwise outputs per input channel.
    use_bias : bool, default=True
        If True, the pointwise convolution has a bias. The depthwise one never has: its bias would be redundant.

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
