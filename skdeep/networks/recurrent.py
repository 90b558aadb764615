"""Recurrent networks: `LSTM` and `GRU`."""

from __future__ import annotations

from typing import Any, ClassVar

from skdeep import layers
from skdeep.contract import Layer
from skdeep.layers.fields import check_dropout_rate, check_positive
from skdeep.layers.parts import parts_of
from skdeep.networks.sequences import SequenceNetwork, check_sequence_shape, check_unmasked


class _Recurrent(SequenceNetwork):
    """Base class of recurrent networks: their common fields and checks."""

    units: int = 128
    n_layers: int = 1
    bidirectional: bool = False
    dropout_rate: float | None = None
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
                f"The network {type(self).__name__} with bidirectional=True sees later steps, so it cannot learn to predict "
                "the next one. Set bidirectional=False."
            )
        # The caller has embedded the tokens, so n_tokens is None here.
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
    """Long short-term memory layers (LSTM) over rows `(time, features)` or `(time,)`, then a dense output layer.

    The output layer reads the state of the last layer after its last step, of both directions if `bidirectional`. To
    use flat rows, give the estimator `input_shape=(time, features)`.

    Parameters
    ----------
    units : int, default=128
        Width of each layer, per direction.
    n_layers : int, default=1
        Number of recurrent layers.
    bidirectional : bool, default=False
        If True, run each layer in both directions, with separate parameters, and concatenate the two outputs.
    dropout_rate : float or None, default=None
        Share of each layer's output values that is dropped in training, in [0, 1).
    mask_value : float or None, default=None
        Steps whose values (or id) all equal it are padding, at any position: they do not change the state.
    n_tokens : int or None, default=None
        Number of token ids. If given, rows `(time,)` hold ids from 0 to `n_tokens - 1`, and the network
        learns a vector of length `units` per id; `fit` and prediction raise ValueError for other ids.

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997.

    Examples
    --------
    >>> from skdeep.networks import LSTM
    >>> LSTM(units=64, n_layers=2)
    LSTM(units=64, n_layers=2, bidirectional=False, dropout_rate=None, mask_value=None, n_tokens=None)
    """

    layer_class: ClassVar[Any] = layers.LSTM


class GRU(_Recurrent):
    """Gated recurrent unit layers (GRU) over rows `(time, features)` or `(time,)`, then a dense output layer.

    The output layer reads the state of the last layer after its last step, of both directions if `bidirectional`. To
    use flat rows, give the estimator `input_shape=(time, features)`.

    Parameters
    ----------
    units : int, default=128
        Width of each layer, per direction.
    n_layers : int, default=1
        Number of recurrent layers.
    bidirectional : bool, default=False
        If True, run each layer in both directions, with separate parameters, and concatenate the two outputs.
    dropout_rate : float or None, default=None
        Share of each layer's output values that is dropped in training, in [0, 1).
    mask_value : float or None, default=None
        Steps whose values (or id) all equal it are padding, at any position: they do not change the state.
    n_tokens : int or None, default=None
        Number of token ids. If given, rows `(time,)` hold ids from 0 to `n_tokens - 1`, and the network
        learns a vector of length `units` per id; `fit` and prediction raise ValueError for other ids.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", arXiv 1406.1078.

    Examples
    --------
    >>> from skdeep.networks import GRU
    >>> GRU(mask_value=0.0)
    GRU(units=128, n_layers=1, bidirectional=False, dropout_rate=None, mask_value=0.0, n_tokens=None)
    """

    layer_class: ClassVar[Any] = layers.GRU
