"""The pure functional core. Read in this order, one stage a file:

encode, tokens, target, rows (host: X and y to rows of floats), sparse_rows, batch, network, composed, variational, language,
augment, step, objective, programs, stopping, loop, inference, link, generation; beside them `fingerprint` (users' code in
the keys of programs), `jitted` (copies and pickles of JAX's functions), `random` (the generator), `host` (initial values
without a compile) and `lowering` (what the forward function becomes on a CPU, by the rules of `convolution`,
with `sliding`, and `pooling`).
"""

from __future__ import annotations

from typing import Any, TypeVar

import jax
import numpy as np

from skdeep.component import Component

C = TypeVar("C", bound=Component)


def as_traced(component: C, dtype: Any = np.float32) -> C:
    """Return the component with every number as a scalar of one type, whatever type it had.

    Without this, 1, 1.0, True and `np.float64(1)` would each compile a program of their own. The type
    is the one that training has: of the parameters, the rows and the losses.

    Examples
    --------
    >>> from skdeep.core import as_traced
    >>> from skdeep.losses import Huber
    >>> as_traced(Huber(delta=1)).delta.dtype
    dtype('float32')
    """
    scalar = np.dtype(dtype).type

    def cast(value: Any) -> Any:
        return scalar(value)

    traced: C = jax.tree.map(cast, component)
    return traced
