"""Choose the number of steps per block, so that control returns to Python about four times per second."""

from __future__ import annotations

import math
from typing import Any

import jax

from skdeep.core.inputs import InShape, most_axes
from skdeep.core.watcher import SECONDS_PER_BLOCK

# Estimates for the first block, longer than most steps take. Later blocks use measured times.
GUESSED_SECONDS_PER_STEP = 5e-5
GUESSED_SECONDS_PER_PRODUCT = 3e-10


class Pace:
    """Chooses the number of steps per block by `seconds_per_step`, the time that each step of the last block took.

    Parameters
    ----------
    params : pytree of arrays
    batch_size : int
    in_shape : InShape
    seconds_per_block : float
    """

    def __init__(self, params: Any, batch_size: int, in_shape: InShape, seconds_per_block: float) -> None:
        n_products = sum(leaf.size for leaf in jax.tree.leaves(params)) * batch_size
        self.seconds_per_step: float = GUESSED_SECONDS_PER_STEP + GUESSED_SECONDS_PER_PRODUCT * n_products
        if most_axes(in_shape) > 1:
            # Images and sequences may use a weight many times per row, so measure a block of one step first.
            self.seconds_per_step = SECONDS_PER_BLOCK
        self._seconds_per_block = seconds_per_block

    def n_steps(self, remaining: int, max_steps: int) -> int:
        """Return the number of steps in the next block: at least 1, at most `remaining` and `max_steps`."""
        affordable = math.ceil(self._seconds_per_block / self.seconds_per_step)
        return max(1, min(remaining, affordable, max_steps))

    def note(self, seconds_per_step: float) -> None:
        """Use the measured time per step of a block for the next one."""
        self.seconds_per_step = max(seconds_per_step, 1e-7)
