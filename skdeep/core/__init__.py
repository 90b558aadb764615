"""The pure functional core. Read in this order, one stage a file:

encode, target, rows (host: X and y to float32 rows), batch, network, step, programs, stopping,
loop, inference; beside them `random` (the generator) and `host` (initial values without a compile).
"""

from __future__ import annotations

from typing import Any, TypeVar

import jax
import numpy as np

from skdeep.component import Component

C = TypeVar("C", bound=Component)


def as_traced(component: C) -> C:
    """Return the component with every number as a float32 scalar, whatever type it had.

    Without this, 1, 1.0, True and `np.float64(1)` would each compile a program of their own.

    Examples
    --------
    >>> from skdeep.core import as_traced
    >>> from skdeep.losses import Huber
    >>> as_traced(Huber(delta=1)).delta.dtype
    dtype('float32')
    """

    def cast(value: Any) -> np.float32:
        return np.float32(value)

    traced: C = jax.tree.map(cast, component)
    return traced
