"""The module of the convolutional decoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn


class TransposedConvolutions(nn.Module):
    """A dense layer to an image of `widths[0]` channels, then one transposed convolution per width, cropped to `out_shape`.

    Each transposed convolution has stride 2. The output is flat: `(n, values of out_shape)`.
    """

    widths: tuple[int, ...]
    kernel_size: int
    activation: Callable[[Any], Any]
    out_shape: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Any) -> Any:
        *sizes, n_channels = self.out_shape
        first = [-(-size // 2 ** len(self.widths)) for size in sizes]
        x = nn.Dense(math.prod(first) * self.widths[0])(x.reshape(len(x), -1))
        x = self.activation(x).reshape(-1, *first, self.widths[0])
        kernel, strides = (self.kernel_size,) * len(sizes), (2,) * len(sizes)
        for width in self.widths[1:]:
            x = self.activation(nn.ConvTranspose(width, kernel, strides)(x))
        x = nn.ConvTranspose(n_channels, kernel, strides, name="output")(x)
        return x[:, *(slice(size) for size in sizes)].reshape(len(x), -1)
