"""Pooling of images and sequences."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep.contract import Layer
from skdeep.layers.fields import check_sizes


class Pool(Layer):
    """Base class of pooling over windows: the common fields, checks and step mask."""

    window: int | tuple[int, ...] = 2
    strides: int | tuple[int, ...] | None = None
    padding: str = "valid"
    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        """Return the step mask of the output: True for windows with at least one unmasked step."""
        if step_mask is None:
            return None
        from skdeep.layers.linen.pooling import pooled_mask, window_sizes

        return pooled_mask(x, step_mask, *window_sizes(self.window, self.strides, x.ndim - 2), self.padding)

    def check_fields(self) -> None:
        check_sizes(self, "window", *(() if self.strides is None else ("strides",)))
        if not (isinstance(self.padding, str) and self.padding.lower() in ("same", "valid")):
            raise ValueError(
                f"The 'padding' field of {type(self).__name__} must be 'same' or 'valid'. Got {self.padding!r} instead."
            )


class MaxPool(Pool):
    """Max pooling: the maximum of each window, per channel, of rows `(..., channels)`; masked steps are left out.

    Parameters
    ----------
    window : int or tuple of int, default=2
        Size of the windows: one number for all axes, or one number per axis.
    strides : int, tuple of int or None, default=None
        Distance between windows, in the same form. None means the window size, so that windows do not overlap.
    padding : {"valid", "same"}, default="valid"

    Examples
    --------
    >>> from skdeep.layers import MaxPool
    >>> MaxPool(window=3, strides=2).strides
    2
    """

    def build(self) -> Any:
        from skdeep.layers.linen.pooling import MaxPool

        return MaxPool(self.window, self.strides, self.padding)


class AvgPool(Pool):
    """Average pooling: the mean of each window, per channel, of rows `(..., channels)`.

    Padding and masked steps enter neither the sum nor the count.

    Parameters
    ----------
    window : int or tuple of int, default=2
        Size of the windows: one number for all axes, or one number per axis.
    strides : int, tuple of int or None, default=None
        Distance between windows, in the same form. None means the window size, so that windows do not overlap.
    padding : {"valid", "same"}, default="valid"

    Examples
    --------
    >>> from skdeep.layers import AvgPool
    >>> AvgPool().window
    2
    """

    def build(self) -> Any:
        from skdeep.layers.linen.pooling import AvgPool

        return AvgPool(self.window, self.strides, self.padding)


class GlobalMaxPool(Layer):
    """The maximum of each channel over all other axes, without masked steps; zero if all steps are masked.

    Examples
    --------
    >>> from skdeep.layers import GlobalMaxPool
    >>> GlobalMaxPool()
    GlobalMaxPool()
    """

    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def build(self) -> Any:
        from skdeep.layers.linen.pooling import GlobalPooling

        return GlobalPooling(is_max=True)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return None


class GlobalAvgPool(Layer):
    """The mean of each channel over all other axes, without masked steps; zero if all steps are masked.

    Examples
    --------
    >>> from skdeep.layers import GlobalAvgPool
    >>> GlobalAvgPool()
    GlobalAvgPool()
    """

    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def build(self) -> Any:
        from skdeep.layers.linen.pooling import GlobalPooling

        return GlobalPooling(is_max=False)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return None
