"""Networks of dense layers: `MLP` and `Linear`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdeep.contract import Network
from skdeep.layers.activation import activation_function
from skdeep.layers.composite import NORMALIZATIONS, stack_layers
from skdeep.layers.fields import check_dropout_rate, check_one_of, check_widths
from skdeep.layers.parts import parts_of


class MLP(Network):
    """A multilayer perceptron: per width a dense layer, normalisation, activation and dropout; then a dense output layer.

    Rows of more than one axis are flattened.

    Parameters
    ----------
    widths : tuple of int, default=(128, 128)
        Widths of the hidden layers.
    activation : str or callable, default="relu"
    dropout_rate : float or None, default=None
        Share of the hidden values dropped in training, in [0, 1).
    normalization : {"batch", "layer"} or None, default=None
        Normalisation after each hidden dense layer, before the activation.
    residual : bool, default=False
        If True, add the input of each hidden block to its output, projected if the widths differ.

    Examples
    --------
    >>> from skdeep.networks import MLP
    >>> MLP(widths=(64,), dropout_rate=0.2)
    MLP(widths=(64,), activation='relu', dropout_rate=0.2, normalization=None, residual=False)
    """

    widths: tuple[int, ...] = (128, 128)
    activation: str | Callable[[Any], Any] = "relu"
    dropout_rate: float | None = None
    normalization: str | None = None
    residual: bool = False

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.layers.basic import Flatten
        from skdeep.layers.linen.stack import Stack

        hidden = stack_layers(self.widths, self.activation, self.dropout_rate, self.normalization, self.residual)
        return Stack(parts_of((Flatten(), *hidden) if len(in_shape) > 1 else hidden), n_outputs)

    def auto_l2(self, n_values: int) -> float:
        """Return 5 / n_values, at most .01: the penalty of a normal prior of weights, whose effect shrinks as rows are added.

        Chosen on 22 tables (`benchmarks.tables`) and the digits: three times as much gives noisy tables better probabilities, but
        costs accuracy where classes are clear.
        """
        return 5 / max(n_values, 500)

    def check_fields(self) -> None:
        activation_function(self.activation)
        check_widths(self, "widths")
        check_dropout_rate(self)
        check_one_of(self, "normalization", (None, *NORMALIZATIONS))


class Linear(Network):
    """One dense layer from inputs to outputs: logistic regression with cross-entropy, linear regression with squared error.

    Examples
    --------
    >>> from skdeep.networks import Linear
    >>> Linear()
    Linear()
    """

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.layers.linen.stack import Stack

        return Stack((), n_outputs)
