"""Modules for convolutions, over any number of axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn

from skdeep.layers.initializers import initializer
from skdeep.layers.masks import zero_masked
from skdeep.layers.rows import check_axes, check_windows, per_axis


class _Convolving(nn.Module):
    """Base class of the convolutions; `kernel_size`, `strides` and `dilation` hold one number for all axes, or one per axis."""

    features: int
    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...]
    padding: str
    dilation: int | tuple[int, ...]

    def convolution(self, x: Any, features: int, n_groups: int, **options: Any) -> nn.Conv:
        """Return Flax's Conv with this module's sizes, for rows of the shape of those in x.

        Raises
        ------
        ValueError
            If the sizes, the padding or the groups do not fit the rows.
        """
        owner, padding = type(self).__name__, self.padding.upper()
        check_axes(owner, x, kernel_size=self.kernel_size, strides=self.strides, dilation=self.dilation)
        n_axes = x.ndim - 2
        size, strides, dilation = (per_axis(v, n_axes) for v in (self.kernel_size, self.strides, self.dilation))
        if padding == "VALID":
            reach = tuple((s - 1) * d + 1 for s, d in zip(size, dilation, strict=True))
            check_windows(owner, x, "kernel_size", reach)
        if padding == "CAUSAL" and n_axes != 1:
            raise ValueError(
                f"The 'padding' field of {owner} is 'causal', which needs rows of shape (time, features). Got rows of shape "
                f"{x.shape[1:]} instead. Use padding='same'."
            )
        if x.shape[-1] % n_groups:
            raise ValueError(
                f"The 'groups' field of {owner} is {n_groups}, which does not divide the {x.shape[-1]} channels of its input. "
                "Give a divisor of them."
            )
        return nn.Conv(
            features, size, strides, padding, kernel_dilation=dilation, feature_group_count=n_groups, **options
        )


class Conv(_Convolving):
    """Flax's Conv with masked steps set to zero; its parameters are `kernel` and `bias`."""

    groups: int
    use_bias: bool
    kernel_init: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        conv = self.convolution(x, self.features, self.groups, use_bias=self.use_bias, kernel_init=self.kernel_init)
        nn.share_scope(self, conv)
        return conv(zero_masked(x, step_mask))


class SeparableConv(_Convolving):
    """A depthwise convolution (one group per channel), then one of kernel size 1."""

    multiplier: int
    use_bias: bool

    @nn.compact
    def __call__(self, x: Any, step_mask: Any = None) -> Any:
        n_channels, init = x.shape[-1], initializer("he_uniform")
        depthwise = self.convolution(
            x, n_channels * self.multiplier, n_channels, use_bias=False, kernel_init=init, name="depthwise"
        )
        size = (1,) * (x.ndim - 2)
        pointwise = nn.Conv(self.features, size, use_bias=self.use_bias, kernel_init=init, name="pointwise")
        return pointwise(depthwise(zero_masked(x, step_mask)))
