"""Recurrent networks."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep import layers
from skdeep.contract import Layer
from skdeep.layers.fields import check_dropout_rate, check_positive
from skdeep.layers.parts import parts_of
from skdeep.networks.sequences import SequenceNetwork, check_sequence_shape, check_unmasked


class _Recurrent(SequenceNetwork):
    """The fields and rules that recurrent networks share."""

    units: int = 128
    n_layers: int = 1
    bidirectional: bool = False
    dropout_rate: float = 0.0
    mask_value: float | None = None
    n_tokens: int | None = None
    example_shape: ClassVar[tuple[int, ...]] = (5, 3)
    layer_class: ClassVar[Any]

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.networks.linen.recurrent import RecurrentNetwork

        check_sequence_shape(type(self).__name__, in_shape, self.n_tokens)
        parts = parts_of(self._stack(last_returns_sequences=False))
        return RecurrentNetwork(parts, self.mask_value, self.n_tokens, self.units, n_outputs)

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.networks.linen.recurrent import RecurrentNetwork

        check_unmasked(type(self).__name__, self.mask_value)
        if self.bidirectional:
            raise ValueError(
                f"The network {type(self).__name__} with bidirectional=True sees the steps to come, so it cannot learn what "
                "comes next. Set bidirectional=False."
            )
        # Steps are vectors already, whatever the tokens were.
        parts = parts_of(self._stack(last_returns_sequences=True))
        return RecurrentNetwork(parts, self.mask_value, None, self.units, n_outputs)

    def _stack(self, last_returns_sequences: bool) -> tuple[Layer, ...]:
        stack: list[Layer] = []
        for number in range(1, self.n_layers + 1):
            layer = self.layer_class(self.units, return_sequences=last_returns_sequences or number < self.n_layers)
            stack.append(layers.Bidirectional(layer) if self.bidirectional else layer)
            stack.append(layers.Dropout(self.dropout_rate))
        return tuple(stack)

    def check_fields(self) -> None:
        check_positive(self, "units", "n_layers")
        self.check_n_tokens()
        check_dropout_rate(self)


class LSTM(_Recurrent):
    """Long short-term memories over the steps of rows `(time, features)` or `(time,)`, then a dense output.

    The output sees the state after the last step. Flat rows are read as sequences by the estimator's
    `input_shape=(time, features)`.

    Parameters
    ----------
    units : int, default=128
        Width of each layer (in each direction).
    n_layers : int, default=1
    bidirectional : bool, default=False
        Run each layer in both directions, with parameters of its own for each.
    dropout_rate : float, default=0.0
        Share of each layer's output that is dropped while training, in [0, 1).
    mask_value : float or None, default=None
        Steps whose values (or id) equal it are padding: they change nothing, wherever they stand.
    n_tokens : int or None, default=None
        If given, rows are `(time,)` and hold ids from 0 to `n_tokens - 1`, each of which gets a learned vector of
        length `units`; other ids are an error.

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997.

    Examples
    --------
    >>> from skdeep.networks import LSTM
    >>> LSTM(units=64, n_layers=2)
    LSTM(units=64, n_layers=2, bidirectional=False, dropout_rate=0.0, mask_value=None, n_tokens=None)
    """

    layer_class: ClassVar[Any] = layers.LSTM


class GRU(_Recurrent):
    """Gated recurrent units over the steps of rows `(time, features)` or `(time,)`, then a dense output.

    The output sees the state after the last step. Flat rows are read as sequences by the estimator's
    `input_shape=(time, features)`.

    Parameters
    ----------
    units : int, default=128
        Width of each layer (in each direction).
    n_layers : int, default=1
    bidirectional : bool, default=False
        Run each layer in both directions, with parameters of its own for each.
    dropout_rate : float, default=0.0
        Share of each layer's output that is dropped while training, in [0, 1).
    mask_value : float or None, default=None
        Steps whose values (or id) equal it are padding: they change nothing, wherever they stand.
    n_tokens : int or None, default=None
        If given, rows are `(time,)` and hold ids from 0 to `n_tokens - 1`, each of which gets a learned vector of
        length `units`; other ids are an error.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", arXiv 1406.1078.

    Examples
    --------
    >>> from skdeep.networks import GRU
    >>> GRU(mask_value=0.0)
    GRU(units=128, n_layers=1, bidirectional=False, dropout_rate=0.0, mask_value=0.0, n_tokens=None)
    """

    layer_class: ClassVar[Any] = layers.GRU
