"""Pooling of images and sequences."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.contract import Layer
from skdeep.layers.convolution import per_axis
from skdeep.layers.fields import check_sizes


class Pool(Layer):
    """The fields that maxima and averages over windows share."""

    window: int | tuple[int, ...] = 2
    strides: int | tuple[int, ...] | None = None
    padding: str = "valid"
    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)
    is_max: ClassVar[bool]

    def build(self) -> Any:
        from skdeep.layers.convolution_modules import Pooling

        return Pooling(self)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        """Return which windows hold a step that is real."""
        if step_mask is None:
            return None
        import flax.linen as nn

        window, strides = self.sizes(x.ndim - 2)
        is_real = step_mask[..., None].astype(x.dtype)
        return nn.max_pool(is_real, window[:1], strides[:1], self.padding.upper())[..., 0] > 0

    def sizes(self, n_axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the window and the strides along each axis."""
        window = per_axis(self.window, n_axes)
        return window, window if self.strides is None else per_axis(self.strides, n_axes)

    def check_fields(self) -> None:
        check_sizes(self, "window", *(() if self.strides is None else ("strides",)))
        if not (isinstance(self.padding, str) and self.padding.lower() in ("same", "valid")):
            raise ValueError(
                f"The 'padding' field of {type(self).__name__} must be 'same' or 'valid'. Got {self.padding!r} instead."
            )


class MaxPool(Pool):
    """The maximum of each window of rows `(..., channels)`.

    Parameters
    ----------
    window : int or tuple of int, default=2
        One number for every axis, or one for each.
    strides : int, tuple of int or None, default=None
        None is the window.
    padding : {"valid", "same"}, default="valid"

    Examples
    --------
    >>> from skdeep.layers import MaxPool
    >>> MaxPool(window=3, strides=2).strides
    2
    """

    is_max = True


class AvgPool(Pool):
    """The mean of each window of rows `(..., channels)`, over the values that are there: padding does not count.

    Parameters
    ----------
    window : int or tuple of int, default=2
        One number for every axis, or one for each.
    strides : int, tuple of int or None, default=None
        None is the window.
    padding : {"valid", "same"}, default="valid"

    Examples
    --------
    >>> from skdeep.layers import AvgPool
    >>> AvgPool().window
    2
    """

    is_max = False


class GlobalMaxPool(Layer):
    """The maximum of each channel over all other axes; of masked steps alone, zero.

    Examples
    --------
    >>> from skdeep.layers import GlobalMaxPool
    >>> GlobalMaxPool()
    GlobalMaxPool()
    """

    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def build(self) -> Any:
        from skdeep.layers.convolution_modules import GlobalPooling

        return GlobalPooling(is_max=True)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return None


class GlobalAvgPool(Layer):
    """The mean of each channel over all other axes; of masked steps alone, zero.

    Examples
    --------
    >>> from skdeep.layers import GlobalAvgPool
    >>> GlobalAvgPool()
    GlobalAvgPool()
    """

    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def build(self) -> Any:
        from skdeep.layers.convolution_modules import GlobalPooling

        return GlobalPooling(is_max=False)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return None
