"""Stage 9: the one loop, a generator of blocks of steps. Clocks, printing and interrupts are the caller's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias

import numpy as np

from skdeep.contract import FitConfig, Info, Rows, TrainState
from skdeep.core.batch import Feed
from skdeep.core.lowering import LeftAloneError
from skdeep.core.step import train_block

Blocks: TypeAlias = Generator[tuple[TrainState, Info | None], tuple[TrainState, int], None]


def training_blocks(config: FitConfig, state: TrainState, feed: Feed, validation: Rows | None) -> Blocks:
    """Run blocks of steps, each as one program call; send `(state, n_steps)`, receive `(state, info)`.

    The first value is `(state, None)`; the program is compiled by then, so that a caller's clock sees
    steps only. The state that is sent is used up (its memory is reused). A block has at most
    `feed.max_steps` steps, which is 1 for a network that is slow inside a loop.

    Examples
    --------
    See `skdeep/docs/core.md`.
    """
    try:
        run = train_block.prepared(config, state, *_arguments(feed, validation, n_steps=0))
    except LeftAloneError:
        feed.max_steps = 1
        run = train_block.prepared(config, state, *_arguments(feed, validation, n_steps=0))
    state, n_steps = yield state, None
    while True:
        state, info = run(config, state, *_arguments(feed, validation, n_steps))
        state, n_steps = yield state, info


def _arguments(feed: Feed, validation: Rows | None, n_steps: int) -> tuple[Any, ...]:
    rows, order = feed.next_block(n_steps)
    return rows, validation, order, np.int32(n_steps)
