"""Convolutional networks: `CNN` and `ResNet`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from skdeep.contract import Layer, Network
from skdeep.layers.activation import Activation, activation_function
from skdeep.layers.basic import Dropout, Flatten
from skdeep.layers.composite import NORMALIZATIONS, Residual, stack_layers
from skdeep.layers.convolution import Conv
from skdeep.layers.fields import check_dropout_rate, check_one_of, check_positive, check_widths
from skdeep.layers.parts import parts_of
from skdeep.layers.pooling import GlobalAvgPool, MaxPool


class CNN(Network):
    """A convolutional network: per width a convolution, normalisation, activation and max pooling; then dense layers.

    Rows have the shape `(height, width, channels)` or `(time, features)`. To use flat rows, give the estimator their
    shape, for example `input_shape=(28, 28, 1)`.

    Parameters
    ----------
    widths : tuple of int, default=(32, 64)
        Number of channels of each convolution.
    kernel_size : int, default=3
        Kernel size along each axis.
    pool : int, default=2
        Size and stride of the pooling windows along each axis; 1 means no pooling.
    hidden : tuple of int, default=()
        Widths of the dense layers before the output layer.
    activation : str or callable, default="relu"
    dropout_rate : float or None, default=None
        Share of values dropped in training, in [0, 1): after each hidden dense layer, or before the output layer if
        `hidden` is empty.
    normalization : {"batch", "layer"} or None, default=None
        Normalisation after each convolution and each hidden dense layer.

    References
    ----------
    LeCun et al., "Gradient-Based Learning Applied to Document Recognition", Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from skdeep import DeepClassifier
    >>> model = DeepClassifier(network="cnn", input_shape=(28, 28, 1))
    >>> _ = model.set_params(network__widths=(16, 32), network__hidden=(128,))
    """

    widths: tuple[int, ...] = (32, 64)
    kernel_size: int = 3
    pool: int = 2
    hidden: tuple[int, ...] = ()
    activation: str | Callable[[Any], Any] = "relu"
    dropout_rate: float | None = None
    normalization: str | None = None
    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.layers.linen.stack import Stack

        self._check_shape(in_shape)
        blocks: list[Layer] = []
        for width in self.widths:
            norm = normalizing(self.normalization)
            blocks += [Conv(width, self.kernel_size), *norm, Activation(self.activation), MaxPool(self.pool)]
        dense = stack_layers(self.hidden, self.activation, self.dropout_rate, self.normalization, False)
        last = dense or (Dropout(self.dropout_rate),)
        return Stack(parts_of((*blocks, Flatten(), *last)), n_outputs)

    def check_fields(self) -> None:
        check_widths(self, "widths", "hidden")
        check_positive(self, "kernel_size", "pool")
        check_shared_fields(self)

    def _check_shape(self, in_shape: tuple[int, ...]) -> None:
        check_has_channels("CNN", in_shape)
        smallest = self.pool ** len(self.widths)
        if min(in_shape[:-1]) < smallest:
            raise ValueError(
                f"CNN pools each axis {len(self.widths)} times by {self.pool}, so it needs rows of {smallest} or more along each "
                f"axis. Got rows of shape {in_shape} instead. Give fewer 'widths', a smaller 'pool', or the input_shape with its channels."
            )


class ResNet(Network):
    """The residual network of He et al. for small images: three stages of blocks of two convolutions each.

    Rows have the shape `(height, width, channels)` or `(time, features)`. To use flat rows, give the estimator their
    shape, for example `input_shape=(32, 32, 3)`. The second and third stage halve each axis and double the channels.
    The mean over all pixels and a dense output layer follow. If the shapes of a block's input and output differ, the
    input goes through a convolution of kernel size 1; the paper pads it with zeros instead.

    Parameters
    ----------
    depth : int, default=8
        Number of layers, `6 n + 2` for n blocks per stage: 8, 14, 20 and so on.
    width : int, default=16
        Number of channels of the first stage.
    activation : str or callable, default="relu"
    normalization : {"batch", "layer"} or None, default="batch"
        Normalisation after each convolution. With it, the convolutions have no bias.
    dropout_rate : float or None, default=None
        Share of values dropped before the output layer in training, in [0, 1).

    References
    ----------
    He et al., "Deep Residual Learning for Image Recognition", section 4.2, arXiv 1512.03385.

    Examples
    --------
    >>> from skdeep import DeepClassifier
    >>> model = DeepClassifier(network="resnet", input_shape=(32, 32, 3))
    >>> _ = model.set_params(network__depth=14)
    """

    depth: int = 8
    width: int = 16
    activation: str | Callable[[Any], Any] = "relu"
    normalization: str | None = "batch"
    dropout_rate: float | None = None
    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.layers.linen.stack import Stack

        check_has_channels("ResNet", in_shape)
        first = (*self._convolution(self.width), Activation(self.activation))
        last = GlobalAvgPool(), Dropout(self.dropout_rate)
        return Stack(parts_of((*first, *self._blocks(), *last)), n_outputs)

    def check_fields(self) -> None:
        if not (isinstance(self.depth, int) and self.depth >= 8 and self.depth % 6 == 2):
            raise ValueError(
                f"The 'depth' field of ResNet must be 6 n + 2 for a positive int n: 8, 14, 20, ... Got {self.depth!r} instead."
            )
        check_positive(self, "width")
        check_shared_fields(self)

    def _blocks(self) -> Iterator[Layer]:
        for stage in range(3):
            width = self.width * 2**stage
            for block in range((self.depth - 2) // 6):
                strides = 2 if stage > 0 and block == 0 else 1
                first = (*self._convolution(width, strides), Activation(self.activation))
                yield Residual((*first, *self._convolution(width)))
                yield Activation(self.activation)

    def _convolution(self, width: int, strides: int = 1) -> tuple[Layer, ...]:
        norm = normalizing(self.normalization)
        return Conv(width, strides=strides, use_bias=not norm), *norm


def normalizing(name: str | None) -> tuple[Layer, ...]:
    """Return a tuple with the normalisation layer of this name; an empty one for None."""
    return () if name is None else (NORMALIZATIONS[name](),)


def check_shared_fields(network: CNN | ResNet) -> None:
    """Raise ValueError unless activation and normalisation are known and the dropout rate is in [0, 1)."""
    activation_function(network.activation)
    check_dropout_rate(network)
    check_one_of(network, "normalization", (None, *NORMALIZATIONS))


def check_has_channels(owner: str, in_shape: tuple[int, ...]) -> None:
    """Raise ValueError if rows have fewer than two axes."""
    if len(in_shape) < 2:
        raise ValueError(
            f"{owner} takes rows with channels as the last of two or more axes. Got rows of shape {in_shape} instead. Give the "
            "estimator their shape, for example input_shape=(28, 28, 1)."
        )
