"""Layers that contain other layers or a linen module."""

from __future__ import annotations

from typing import Any, Self

from skdeep.contract import Layer
from skdeep.layers.activation import Activation
from skdeep.layers.basic import BatchNorm, Dense, Dropout, LayerNorm
from skdeep.layers.parts import parts_of
from skdeep.linen import made_anew, user_fields, values_of, with_fields

NORMALIZATIONS = {"batch": BatchNorm, "layer": LayerNorm}


class ModuleLayer(Layer):
    """A linen module as a layer; its fields are not traced, so another value compiles a new program.

    Parameters
    ----------
    module : flax.linen.Module

    Examples
    --------
    >>> import flax.linen as nn
    >>> from skdeep.layers import ModuleLayer
    >>> ModuleLayer(nn.Dense(8)).module.features
    8
    """

    module: Any

    def build(self) -> Any:
        return made_anew(self.module)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields of the module."""
        return values_of(self.module, user_fields(self.module))

    def replace(self, **changes: Any) -> Self:
        """Return a layer with a copy of the module in which these fields are changed."""
        return type(self)(with_fields(self.module, changes))


class Residual(Layer):
    """A residual connection, `x + layers(x)`; if the two shapes differ, x is projected first.

    The projection is a dense layer over the channels, without bias. If the layers shorten the axes of an image or a
    sequence by strides, it is a convolution with kernel size 1 and the smallest strides that give the same shape.

    Parameters
    ----------
    layers : tuple of Layer
        Layers that are applied one after the other; they must keep the number of axes.

    References
    ----------
    He et al., "Deep Residual Learning for Image Recognition", arXiv 1512.03385.

    Examples
    --------
    >>> from skdeep.layers import Activation, Dense, Residual
    >>> len(Residual((Dense(64), Activation("relu"))).layers)
    2
    """

    layers: tuple[Layer, ...] = (Dense(), Activation("relu"))

    def build(self) -> Any:
        from skdeep.layers.linen.residual import ResidualStack

        return ResidualStack(parts_of(self.layers))

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        # The values between the layers are not known here. All layers get x, of which masks of windows use the number of axes only.
        for layer in self.layers:
            step_mask = layer.output_mask(x, step_mask)
        return step_mask


def stack_layers(
    widths: tuple[int, ...], activation: Any, dropout_rate: float | None, normalization: str | None, residual: bool
) -> tuple[Layer, ...]:
    """Return the hidden layers of a multilayer perceptron: one block of dense, norm, activation, dropout per width.

    Parameters
    ----------
    widths : tuple of int
        Widths of the hidden layers.
    activation : str or callable
        A name or a function, as in `Activation`.
    dropout_rate : float or None
        Share of the hidden values dropped in training, in [0, 1).
    normalization : {"batch", "layer"} or None
        Normalisation after each dense layer.
    residual : bool
        If True, wrap each block in a `Residual`.

    Returns
    -------
    tuple of Layer

    Examples
    --------
    >>> from skdeep.layers import stack_layers
    >>> [type(layer).__name__ for layer in stack_layers((64,), "relu", 0.1, None, residual=False)]
    ['Dense', 'Activation', 'Dropout']
    """
    blocks: list[Layer] = []
    for width in widths:
        norm = () if normalization is None else (NORMALIZATIONS[normalization](),)
        block = (Dense(width), *norm, Activation(activation), Dropout(dropout_rate))
        blocks.extend((Residual(block),) if residual else block)
    return tuple(blocks)
