"""The convolutional decoder of autoencoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdeep.contract import Network
from skdeep.layers.activation import activation_function
from skdeep.layers.fields import check_positive, check_widths


class ConvDecoder(Network):
    """A dense layer to a small image, then transposed convolutions, each of which doubles height and width.

    There is one transposed convolution per width, and the width is the number of its input channels. The last one
    outputs the channels of the image, and the result is cropped to the image's height and width.

    Parameters
    ----------
    widths : tuple of int, default=(64, 32)
        Number of input channels of each transposed convolution.
    kernel_size : int, default=3
        Kernel size along each axis.
    activation : str or callable, default="relu"
        Applied after the dense layer and after all transposed convolutions but the last.
    out_shape : tuple of int or None, default=None
        Shape of the image, `(height, width, channels)` or `(length, channels)`. `DeepAutoencoder` sets it to the shape of
        its rows. None means one pixel with one channel per output.

    References
    ----------
    Masci et al., "Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction", ICANN 2011.

    Examples
    --------
    >>> from skdeep import DeepAutoencoder
    >>> from skdeep.networks import ConvDecoder
    >>> model = DeepAutoencoder(decoder=ConvDecoder(widths=(32, 16)), input_shape=(28, 28, 1))
    """

    widths: tuple[int, ...] = (64, 32)
    kernel_size: int = 3
    activation: str | Callable[[Any], Any] = "relu"
    out_shape: tuple[int, ...] | None = None

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        import math

        from skdeep.networks.linen.decoder import TransposedConvolutions

        shape = (1, 1, n_outputs) if self.out_shape is None else self.out_shape
        if len(shape) < 2 or math.prod(shape) != n_outputs:
            raise ValueError(
                f"ConvDecoder makes an image of shape (height, width, channels) with one output per value, but its 'out_shape' is "
                f"{shape} and the loss needs {n_outputs} outputs. Give DeepAutoencoder the input_shape of an image, and a loss "
                "with one output per value, such as 'squared_error'."
            )
        return TransposedConvolutions(self.widths, self.kernel_size, activation_function(self.activation), shape)

    def check_fields(self) -> None:
        activation_function(self.activation)
        check_widths(self, "widths", at_least=1)
        check_positive(self, "kernel_size")
