"""Convolutional networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from skdeep.contract import Layer, Network
from skdeep.layers.activation import Activation, activation_function
from skdeep.layers.basic import Dropout, Flatten
from skdeep.layers.composite import NORMALIZATIONS, stack_layers
from skdeep.layers.convolution import Conv
from skdeep.layers.pooling import MaxPool


class CNN(Network):
    """For each width a convolution, normalisation, activation and maximum pool; then dense layers and the output.

    Rows `(height, width, channels)`, or `(time, features)`. Flat rows get their shape by the estimator's
    `input_shape`, for example `(28, 28, 1)`.

    Parameters
    ----------
    widths : tuple of int, default=(32, 64)
        Channels of each convolution.
    kernel_size : int, default=3
    pool : int, default=2
        Size of the windows that are pooled; 1 pools nothing.
    hidden : tuple of int, default=()
        Widths of dense layers before the output.
    activation : str or callable, default="relu"
    dropout_rate : float, default=0.0
        Share dropped behind each hidden dense layer (without any, before the output) while training, in [0, 1).
    normalization : {"batch", "layer"} or None, default=None

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
    dropout_rate: float = 0.0
    normalization: str | None = None
    example_shape: ClassVar[tuple[int, ...]] = (6, 5, 2)

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.layers.modules import Stack

        self._check_shape(in_shape)
        blocks: list[Layer] = []
        for width in self.widths:
            norm = () if self.normalization is None else (NORMALIZATIONS[self.normalization](),)
            blocks += [Conv(width, self.kernel_size), *norm, Activation(self.activation), MaxPool(self.pool)]
        dense = stack_layers(self.hidden, self.activation, self.dropout_rate, self.normalization, False)
        return Stack((*blocks, Flatten(), *(dense or (Dropout(self.dropout_rate),))), n_outputs)

    def check_fields(self) -> None:
        activation_function(self.activation)
        for name in ("widths", "hidden"):
            value = getattr(self, name)
            if not (isinstance(value, tuple) and all(isinstance(w, int) and w > 0 for w in value)):
                raise ValueError(f"The {name!r} field of CNN must be a tuple of positive ints. Got {value!r} instead.")
        for name in ("kernel_size", "pool"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value > 0):
                raise ValueError(f"The {name!r} field of CNN must be a positive int. Got {value!r} instead.")
        if not 0 <= self.dropout_rate < 1:
            raise ValueError(f"The 'dropout_rate' field of CNN must be in [0, 1). Got {self.dropout_rate!r} instead.")
        if self.normalization not in (None, *NORMALIZATIONS):
            raise ValueError(
                f"The 'normalization' field of CNN must be one of {[None, *NORMALIZATIONS]}. Got {self.normalization!r} instead."
            )

    def _check_shape(self, in_shape: tuple[int, ...]) -> None:
        if len(in_shape) < 2:
            raise ValueError(
                f"CNN takes rows with channels behind their other axes. Got rows of shape {in_shape} instead. Give the "
                "estimator their shape, for example input_shape=(28, 28, 1)."
            )
        smallest = self.pool ** len(self.widths)
        if min(in_shape[:-1]) < smallest:
            raise ValueError(
                f"CNN pools each axis {len(self.widths)} times by {self.pool}, so it needs rows of {smallest} or more along each. Got "
                f"rows of shape {in_shape} instead. Give fewer 'widths', a smaller 'pool', or the input_shape with its channels."
            )
