"""A list of layers as a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from skdeep.contract import Layer, Network
from skdeep.layers.parts import parts_of


class Sequential(Network):
    """Layers one after the other, then a flattening (if needed) and a dense output layer.

    An estimator turns a list given as `network=` into a `Sequential`; such a list may also hold names of layers and
    `(name, options)` pairs.

    Parameters
    ----------
    layers : tuple of Layer

    Examples
    --------
    >>> from skdeep.layers import Activation, Dense
    >>> from skdeep.networks import Sequential
    >>> Sequential((Dense(32), Activation("relu"))).layers[0].features
    32
    """

    layers: tuple[Layer, ...]

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        from skdeep.layers.linen.stack import Stack

        return Stack(parts_of(self.layers), n_outputs)

    def build_causal(self, in_shape: tuple[int, ...], n_outputs: int) -> Any:
        """Return the layers and a dense output layer per step. That no layer reads later steps is not checked here."""
        from skdeep.layers.linen.stack import Stack, checked_sequences

        return Stack(parts_of(self.layers), n_outputs, checked_sequences)

    @property
    def reads_columns(self) -> bool:  # type: ignore[override]  # the first layer's
        return not self.layers or self.layers[0].reads_columns

    @property
    def n_ids(self) -> int | None:
        return self.layers[0].n_ids if self.layers else None

    @property
    def example_ids(self) -> int | None:
        return self.layers[0].example_ids if self.layers else None

    def check_rows(self, x: np.ndarray) -> None:
        if self.layers:
            self.layers[0].check_rows(x)
