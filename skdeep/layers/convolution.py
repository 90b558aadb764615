"""Convolutions of images, sequences and volumes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from skdeep.contract import Layer

PADDINGS = ("same", "valid", "causal", "circular")


class Conv(Layer):
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

    A step mask of sequences sets masked steps to zero before the convolution.

    Examples
    --------
    >>> from skdeep.layers import Conv
    >>> Conv(features=64, strides=2).features
    64
    """

    features: int = 32
    kernel_size: int | tuple[int, ...] = 3
    strides: int | tuple[int, ...] = 1
    padding: str = "same"
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    use_bias: bool = True
    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def build(self) -> Any:
        from skdeep.layers.convolution_modules import Convolution

        return Convolution(self)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        """Return the mask at every `strides`-th step; without padding, of the steps whose whole window is real."""
        if step_mask is None:
            return None
        (size,), (stride,), (dilation,) = (per_axis(v, 1) for v in (self.kernel_size, self.strides, self.dilation))
        reach = (size - 1) * dilation if self.padding.lower() == "valid" else 0
        n = step_mask.shape[1] - reach
        mask = step_mask[:, :n]
        for offset in range(dilation, reach + 1, dilation):
            mask = mask & step_mask[:, offset : offset + n]
        return mask[:, ::stride]

    def check_fields(self) -> None:
        for name in ("features", "groups"):
            check_sizes(self, name, (getattr(self, name),))
        for name in ("kernel_size", "strides", "dilation"):
            check_sizes(self, name, per_axis(getattr(self, name), 1))
        if self.features % self.groups:
            raise ValueError(
                f"The 'features' field of Conv must be a multiple of 'groups'. Got features={self.features} and "
                f"groups={self.groups} instead."
            )
        if not (isinstance(self.padding, str) and self.padding.lower() in PADDINGS):
            raise ValueError(
                f"The 'padding' field of Conv must be one of {list(PADDINGS)}. Got {self.padding!r} instead."
            )


def per_axis(value: Any, n_axes: int) -> tuple[int, ...]:
    """Return one number for each axis."""
    return tuple(value) if isinstance(value, tuple) else (value,) * n_axes


def check_sizes(layer: Layer, name: str, values: Iterable[Any]) -> None:
    """Raise ValueError unless all sizes are positive ints."""
    if not all(isinstance(value, int) and value > 0 for value in values):
        raise ValueError(
            f"The {name!r} field of {type(layer).__name__} must be a positive int. Got {getattr(layer, name)!r} instead."
        )


def check_windows(layer: Layer, x: Any, name: str, sizes: tuple[int, ...], is_padded: bool) -> None:
    """Raise ValueError unless rows have channels and as many axes as the windows, and the windows fit in."""
    lengths, owner = x.shape[1:-1], type(layer).__name__
    if not lengths:
        raise ValueError(
            f"{owner} needs rows with channels behind their other axes. Got rows of shape {x.shape[1:]} instead. Give the "
            "estimator their shape, for example input_shape=(28, 28, 1)."
        )
    if len(sizes) != len(lengths):
        raise ValueError(
            f"The {name!r} field of {owner} has {len(sizes)} numbers, but rows of shape {x.shape[1:]} have {len(lengths)} axes "
            "before the channels. Give one number for each of them, or one for all."
        )
    if not is_padded and any(size > length for size, length in zip(sizes, lengths, strict=True)):
        raise ValueError(
            f"The windows of {owner}, {sizes}, are longer than the axes of its rows, {lengths}. Make {name!r} smaller, or "
            "use padding='same'."
        )
