"""Stage 9: the one loop, a generator of blocks of steps. Clocks, printing and interrupts are the caller's."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias

import numpy as np

from skdeep.contract import FitConfig, Info, Rows, TrainState
from skdeep.core.batch import Feed
from skdeep.core.step import train_block

Blocks: TypeAlias = Generator[tuple[TrainState, Info | None], tuple[TrainState, int], None]


def training_blocks(config: FitConfig, state: TrainState, feed: Feed, validation: Rows | None) -> Blocks:
    """Run blocks of steps, each as one program call; send `(state, n_steps)`, receive `(state, info)`.

    The first value is `(state, None)`. The state that is sent is used up (its memory is reused).

    Examples
    --------
    See `skdeep/docs/core.md`.
    """
    state, n_steps = yield state, None
    while True:
        rows, order = feed.next_block(n_steps)
        state, info = train_block(config, state, rows, validation, order, np.int32(n_steps))
        state, n_steps = yield state, info
