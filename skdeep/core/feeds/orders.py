"""The order of the rows in each epoch, as values that can be pickled and that compute the order of any epoch."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt32

from skdeep.core.random import shuffle


@runtime_checkable
class EpochOrder(Protocol):
    """The order of `n` rows in each epoch. It depends only on the number of the epoch, from 0."""

    @property
    def n(self) -> int:
        """Number of rows."""
        ...

    def rows_of(self, epoch: int) -> Int[np.ndarray, " n"]:
        """Return the positions of the rows in this epoch."""
        ...


@dataclasses.dataclass(frozen=True)
class InOrder:
    """The given order of the rows, in each epoch."""

    n: int

    def rows_of(self, epoch: int) -> Int[np.ndarray, " n"]:
        """Return the positions of the rows in this epoch."""
        return np.arange(self.n, dtype=np.int32)


@dataclasses.dataclass(frozen=True)
class Shuffled:
    """One shuffle per epoch, made from the two words of a key and the number of the epoch."""

    n: int
    key: tuple[int, int]

    def rows_of(self, epoch: int) -> Int[np.ndarray, " n"]:
        """Return the positions of the rows in this epoch."""
        order = np.arange(self.n, dtype=np.int32)
        shuffle(order, np.array(self.key, np.uint32), epoch)
        return order


def epoch_order(n: int, key: UInt32[np.ndarray, "2"], shuffle: bool) -> EpochOrder:
    """Return the order of `n` rows: a shuffle per epoch, or the given order if `shuffle` is False.

    Examples
    --------
    >>> from skdeep.core.feeds import epoch_order
    >>> from skdeep.core.random import key_of_seed
    >>> epoch_order(3, key_of_seed(0), shuffle=False).rows_of(5).tolist()
    [0, 1, 2]
    """
    return Shuffled(n, (int(key[0]), int(key[1]))) if shuffle else InOrder(n)


class CumulativeShuffles:
    """In each epoch a shuffle of the previous epoch's order, from one stream of random numbers, as in scikit-learn's perceptron.

    Parameters
    ----------
    n : int
        Number of rows.
    start : dict
        State of a `numpy.random.RandomState` (`get_state(legacy=False)`) before the first epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.core.feeds import CumulativeShuffles
    >>> orders = CumulativeShuffles(3, np.random.RandomState(0).get_state(legacy=False))
    >>> [orders.rows_of(epoch).tolist() for epoch in (0, 1, 0)]
    [[2, 1, 0], [0, 2, 1], [2, 1, 0]]
    """

    def __init__(self, n: int, start: dict[str, Any]) -> None:
        self.n, self.start = n, start
        self._generator = np.random.RandomState()
        self._order: Int[np.ndarray, " n"] = np.arange(n)
        self._n_made = 0
        self._begin()

    def rows_of(self, epoch: int) -> Int[np.ndarray, " n"]:
        """Return the positions of the rows in this epoch.

        For an epoch before that of the last call, all orders are made again from epoch 0 on.
        """
        if epoch < self._n_made - 1:
            self._begin()
        while self._n_made <= epoch:
            shuffled = np.arange(self.n)
            self._generator.shuffle(shuffled)
            self._order = self._order[shuffled]
            self._n_made += 1
        return self._order

    def advance(self, generator: np.random.RandomState, n_epochs: int) -> None:
        """Advance a generator by the numbers that the shuffles of `n_epochs` epochs draw."""
        for _ in range(n_epochs):
            generator.shuffle(np.arange(self.n))

    def _begin(self) -> None:
        self._generator.set_state(self.start)
        self._order = np.arange(self.n)
        self._n_made = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"n": self.n, "start": self.start}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # the state is the arguments
