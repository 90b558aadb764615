"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from skdeep.contract import Layer
from skdeep.layers.activation import activation_function
from skdeep.layers.fields import check_positive
from skdeep.layers.parts import parts_of


class _Recurrent(Layer):
    """The fields and rules that recurrent layers share."""

    units: int = 128
    return_sequences: bool = False
    reverse: bool = False
    example_shape: ClassVar[tuple[int, ...]] = (5, 3)

    def output_mask(self, x: Any, step_mask: Any) -> Any:
        return step_mask if self.return_sequences else None

    def check_fields(self) -> None:
        check_positive(self, "units")


class LSTM(_Recurrent):
    """A long short-term memory over the steps of rows `(time, features)`.

    A masked step leaves the memory as it is. Parameters have the names and shapes of Flax's
    `OptimizedLSTMCell`.

    Parameters
    ----------
    units : int, default=128
        Width of the state and the output.
    return_sequences : bool, default=False
        Return the state after each step, `(time, units)`, instead of the last one, `(units,)`.
    reverse : bool, default=False
        Take the last step first; the output of a step still stands where its step does.

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997; the forget gate is that
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
    """A gated recurrent unit over the steps of rows `(time, features)`.

    A masked step leaves the state as it is. Parameters have the names and shapes of Flax's `GRUCell`.

    Parameters
    ----------
    units : int, default=128
        Width of the state and the output.
    return_sequences : bool, default=False
        Return the state after each step, `(time, units)`, instead of the last one, `(units,)`.
    reverse : bool, default=False
        Take the last step first; the output of a step still stands where its step does.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", arXiv 1406.1078; the reset gate
    multiplies the product of the state, as in arXiv 1412.3555's fast form.

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
    """A plain recurrence, `h = activation(x W + h V + b)`, over the steps of rows `(time, features)`.

    A masked step leaves the state as it is. Parameters have the names and shapes of Flax's `SimpleCell`.

    Parameters
    ----------
    units : int, default=128
        Width of the state and the output.
    return_sequences : bool, default=False
        Return the state after each step, `(time, units)`, instead of the last one, `(units,)`.
    reverse : bool, default=False
        Take the last step first; the output of a step still stands where its step does.
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
    """A recurrent layer in both directions, each with parameters of its own; the outputs stand side by side.

    Parameters
    ----------
    layer : Layer
        By default `LSTM()`. A recurrent layer of this package: "lstm", "gru" or "rnn". The second one has the other `reverse`.

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
