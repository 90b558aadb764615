"""Sums of what goes into modules and what comes out."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from skdeep.layers.linen.stack import Part, call_parts


class ResidualStack(nn.Module):
    """`x + parts(x)`, with a projection of x where the shapes differ."""

    parts: tuple[Part, ...]

    @nn.compact
    def __call__(self, x: Any, train: bool, row_mask: Any, step_mask: Any = None) -> Any:
        y, _ = call_parts(self.parts, x, train, row_mask, step_mask)
        return self._projected(x, y.shape) + y

    def _projected(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Return x brought to a shape: each pixel by itself, at the pixels that strides keep."""
        if x.shape == shape:
            return x
        strides = strides_between(x.shape, shape)
        if set(strides) <= {1}:
            return nn.Dense(shape[-1], use_bias=False, name="shortcut")(x)
        return nn.Conv(shape[-1], (1,) * len(strides), strides, "VALID", use_bias=False, name="shortcut")(x)


def strides_between(shape: tuple[int, ...], smaller: tuple[int, ...]) -> tuple[int, ...]:
    """Return the smallest strides that bring the axes between rows and channels from one shape to another.

    Raises
    ------
    ValueError
        If none do.
    """
    lengths, kept = shape[1:-1], smaller[1:-1]
    strides = tuple(-(-length // n) for length, n in zip(lengths, kept, strict=False))
    if len(lengths) != len(kept) or any(-(-a // s) != n for a, s, n in zip(lengths, strides, kept, strict=True)):
        raise ValueError(
            f"The layers of Residual make rows of shape {smaller[1:]} of rows of shape {shape[1:]}. These cannot be added, as no "
            "strides lead from one to the other. Inside, use padding='same' and shorten axes by 'strides' only."
        )
    return strides
