"""The order of rows in each epoch, from scikit-learn's stream of random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np


class CumulativeShuffles:
    """Orders of `n` rows, each a shuffle of the one before, as scikit-learn's perceptron makes them.

    Orders are asked for in advance, a block of epochs at a time. `rewind` sets the generator to where it
    is after the epochs that were really trained, so that a `RandomState` of the user goes on as it would
    in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.estimators.mlp.orders import CumulativeShuffles
    >>> rng = np.random.RandomState(0)
    >>> orders = CumulativeShuffles(3, rng)
    >>> orders(0).tolist(), orders(1).tolist()
    ([2, 1, 0], [0, 2, 1])
    >>> orders.rewind(0)
    >>> CumulativeShuffles(3, rng)(0).tolist()
    [2, 1, 0]
    """

    def __init__(self, n: int, rng: np.random.RandomState) -> None:
        self._order = np.arange(n)
        self._rng = rng
        self._states: dict[int, Any] = {0: rng.get_state(legacy=False)}

    def __call__(self, epoch: int) -> np.ndarray:
        """Return the order of the epoch that comes next."""
        shuffled = np.arange(len(self._order))
        self._rng.shuffle(shuffled)
        self._order = self._order[shuffled]
        self._states[epoch + 1] = self._rng.get_state(legacy=False)
        return self._order

    def rewind(self, n_epochs: int) -> None:
        """Set the generator to its state after this many epochs."""
        self._rng.set_state(self._states[n_epochs])
