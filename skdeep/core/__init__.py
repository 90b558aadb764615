"""The pure functional core. Read in this order, one stage a file:

1. From data to rows, on the host: `encode`, `target` and `encoding` (X and y to the numbers of training and back), `rows`
   (weights, equal rows merged, held-out rows). For texts: `texts`, `tokens`, `text_encoding`.
2. A training as a value: `job`, `placement` (device and type of numbers), `history`; `run` starts it, `identity` digests it.
3. Rows to programs: `feeds`, then `sparse_rows` and `batch` inside the program.
4. The program: `network`, `augment`, `objective`, `step`, `stopping`; `programs` compiles and caches it.
5. `drivers` run it block by block, seen by a `watcher`.
6. From parameters to predictions: `inference`, `link`; `generation` for texts.

Networks made of networks are in `composed`, `variational` and `language`. Beside the path stand `fingerprint` (users' code
in the keys of programs), `jitted` (copies and pickles of JAX's functions), `random` (the generator), and `cpu` (workarounds
for XLA's CPU backend).
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
