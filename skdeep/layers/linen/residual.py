"""The module for residual connections."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from skdeep.layers.linen.stack import Part, call_parts


class ResidualStack(nn.Module):
    """`x + parts(x)`; x is projected if the shapes differ."""

    parts: tuple[Part, ...]

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> Any:
        y, _ = call_parts(self.parts, x, train, row_mask, step_mask)
        return self._projected(x, y.shape) + y

    def _projected(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Return x projected to a shape by a dense layer per pixel, at the pixels that the strides keep."""
        if x.shape == shape:
            return x
        strides = strides_between(x.shape, shape)
        if set(strides) <= {1}:
            return nn.Dense(shape[-1], use_bias=False, name="shortcut")(x)
        return nn.Conv(shape[-1], (1,) * len(strides), strides, "VALID", use_bias=False, name="shortcut")(x)


def strides_between(shape: tuple[int, ...], smaller: tuple[int, ...]) -> tuple[int, ...]:
    """Return the smallest strides that shorten the axes between rows and channels from one shape to the other.

    Raises
    ------
    ValueError
        If no strides do.
    """
    lengths, kept = shape[1:-1], smaller[1:-1]
    strides = tuple(-(-length // n) for length, n in zip(lengths, kept, strict=False))
    if len(lengths) != len(kept) or any(-(-a // s) != n for a, s, n in zip(lengths, strides, kept, strict=True)):
        raise ValueError(
            f"The layers of Residual map rows of shape {shape[1:]} to rows of shape {smaller[1:]}. These cannot be added, since no "
            "strides give the second shape. Inside Residual, use padding='same' and shorten axes by 'strides' only."
        )
    return strides
