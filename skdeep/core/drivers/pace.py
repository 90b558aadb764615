"""How many steps a block has, so that control returns to Python about four times a second."""

from __future__ import annotations

import math
from typing import Any

import jax

from skdeep.core.inputs import InShape, most_axes
from skdeep.core.watcher import SECONDS_PER_BLOCK

# A guess for the first block, on the slow side; later blocks go by the clock.
GUESSED_SECONDS_PER_STEP = 5e-5
GUESSED_SECONDS_PER_PRODUCT = 3e-10


class Pace:
    """Chooses the length of blocks by the time that steps took so far.

    Parameters
    ----------
    params : pytree of arrays
    batch_size : int
    in_shape : InShape
    seconds_per_block : float
    """

    def __init__(self, params: Any, batch_size: int, in_shape: InShape, seconds_per_block: float) -> None:
        n_products = sum(leaf.size for leaf in jax.tree.leaves(params)) * batch_size
        self._seconds_per_step: float = GUESSED_SECONDS_PER_STEP + GUESSED_SECONDS_PER_PRODUCT * n_products
        if most_axes(in_shape) > 1:  # images, sequences: a weight may serve any number of times, so one step tells
            self._seconds_per_step = SECONDS_PER_BLOCK
        self._seconds_per_block = seconds_per_block

    def n_steps(self, remaining: int, max_steps: int) -> int:
        """Return the length of the next block: 1 at least, `remaining` and `max_steps` at most."""
        affordable = math.ceil(self._seconds_per_block / self._seconds_per_step)
        return max(1, min(remaining, affordable, max_steps))

    def note(self, seconds_per_step: float) -> None:
        """Learn from a block."""
        self._seconds_per_step = max(seconds_per_step, 1e-7)
