"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from skdeep.contract import Layer
from skdeep.layers.activation import activation_function
from skdeep.layers.fields import check_positive
from skdeep.layers.parts import parts_of


class _Recurrent(Layer):
    """Base class of recurrent layers: their common fields, checks and step mask."""

    units: int = 128
    return_sequences: bool = False
    reverse: bool = False
    example_shape: ClassVar[tuple[int, ...]] = (5, 3)
    reads_columns: ClassVar[bool] = False

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return step_mask if self.return_sequences else None

    def check_fields(self) -> None:
        check_positive(self, "units")


class LSTM(_Recurrent):
    """A long short-term memory (LSTM) over the steps of rows `(time, features)`.

    A masked step does not change the state. The network's parameters have the names and shapes of Flax's
    `OptimizedLSTMCell`.

    Parameters
    ----------
    units : int, default=128
        Number of features of the state, and of the output.
    return_sequences : bool, default=False
        If True, return the state after each step, `(time, units)`; else the state after the last step, `(units,)`.
    reverse : bool, default=False
        If True, process the steps from last to first; each output keeps the position of its step.

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997, with the forget gate
    of Gers et al., "Learning to Forget", Neural Computation 12, 2000.

    Examples
    --------
    >>> from skdeep.layers import LSTM
    >>> LSTM(units=64)
    LSTM(units=64, return_sequences=False, reverse=False)
    """

    def build(self) -> Any:
        from skdeep.layers.linen import recurrent as modules

        return modules.LSTM(self.units, self.return_sequences, self.reverse)


class GRU(_Recurrent):
    """A gated recurrent unit (GRU) over the steps of rows `(time, features)`.

    A masked step does not change the state. The network's parameters have the names and shapes of Flax's `GRUCell`.

    Parameters
    ----------
    units : int, default=128
        Number of features of the state, and of the output.
    return_sequences : bool, default=False
        If True, return the state after each step, `(time, units)`; else the state after the last step, `(units,)`.
    reverse : bool, default=False
        If True, process the steps from last to first; each output keeps the position of its step.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", arXiv 1406.1078. The reset gate r
    multiplies the product of state and kernel, `r * (h V + b)`, as in the first version of that paper and in cuDNN.

    Examples
    --------
    >>> from skdeep.layers import GRU
    >>> GRU(return_sequences=True)
    GRU(units=128, return_sequences=True, reverse=False)
    """

    def build(self) -> Any:
        from skdeep.layers.linen import recurrent as modules

        return modules.GRU(self.units, self.return_sequences, self.reverse)


class SimpleRNN(_Recurrent):
    """A simple recurrent layer, `h = activation(x W + h V + b)`, over the steps of rows `(time, features)`.

    A masked step does not change the state. The network's parameters have the names and shapes of Flax's `SimpleCell`.

    Parameters
    ----------
    units : int, default=128
        Number of features of the state, and of the output.
    return_sequences : bool, default=False
        If True, return the state after each step, `(time, units)`; else the state after the last step, `(units,)`.
    reverse : bool, default=False
        If True, process the steps from last to first; each output keeps the position of its step.
    activation : str or callable, default="tanh"
        A name such as "tanh" or "relu", or a function.

    References
    ----------
    Elman, "Finding Structure in Time", Cognitive Science 14, 1990.

    Examples
    --------
    >>> from skdeep.layers import SimpleRNN
    >>> SimpleRNN(activation="relu").activation
    'relu'
    """

    activation: str | Callable[[Any], Any] = "tanh"

    def build(self) -> Any:
        from skdeep.layers.linen import recurrent as modules

        function = activation_function(self.activation)
        return modules.SimpleRNN(self.units, self.return_sequences, self.reverse, function)

    def check_fields(self) -> None:
        super().check_fields()
        activation_function(self.activation)


class Bidirectional(Layer):
    """A recurrent layer in both directions, with separate parameters; the two outputs are concatenated per step or row.

    Parameters
    ----------
    layer : Layer
        An `LSTM`, `GRU` or `SimpleRNN`; by default `LSTM()`. Lists of layers may name it: "lstm", "gru" or "rnn". The
        second direction is a copy with `reverse` negated.

    References
    ----------
    Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Transactions on Signal Processing 45, 1997.

    Examples
    --------
    >>> from skdeep.layers import GRU, Bidirectional
    >>> Bidirectional(GRU(units=32)).layer.units
    32
    """

    layer: Layer = LSTM()
    example_shape: ClassVar[tuple[int, ...]] = (5, 3)
    reads_columns: ClassVar[bool] = False

    def build(self) -> Any:
        from skdeep.layers.linen import recurrent as modules

        backward = self.layer.replace(reverse=not self.layer.reverse)  # type: ignore[attr-defined]  # see check_fields
        return modules.Bidirectional(parts_of((self.layer, backward)))

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return self.layer.output_mask(x, step_mask)

    def check_fields(self) -> None:
        if not isinstance(self.layer, _Recurrent):
            raise ValueError(
                "The 'layer' field of Bidirectional must be a recurrent layer: LSTM, GRU or SimpleRNN. "
                f"Got {self.layer!r} instead."
            )
