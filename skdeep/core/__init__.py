"""The pure functional core, one stage per file. Read the files in this order:

1. From data to rows, on the host: `encode`, `target` and `encoding` (encode X and y, decode raw outputs), `rows` (weights,
   merging of equal rows, the validation split). For texts: `texts`, `tokens`, `text_encoding`.
2. A training as a value: `job`, `placement` (device and type of numbers). `run` starts it; `identity` computes
   its digests.
3. From rows to programs: `feeds`, then `sparse_rows` and `batch` inside the program.
4. The program: `network`, `augment`, `objective`, `step`, `stopping`; `programs` compiles and caches it.
5. `drivers` run the program block by block and report to a `watcher`.
6. From parameters to predictions: `inference`, `link`; `generation` for texts.

`inputs` and `raw` describe the inputs and the raw outputs of a network. Networks that contain other networks are in `composed`,
`variational` and `language`; `loss_parameters` adds the parameters of a loss to a network. More files support these stages:
`fingerprint` (users' code in the keys of programs), `jitted` (copies and pickles of JAX's function objects), `random` (the
generator of random numbers), and `cpu` (workarounds for XLA's CPU backend). `settings` lists the settings of JAX in the keys of
programs, `content` computes digests that are equal in all processes, `disk` keeps compiled programs on disk, and
`optimizer_state` turns the state of an optimizer into arrays and back.
"""

from __future__ import annotations

from typing import Any, TypeVar

import jax
import numpy as np

from skdeep.component import Component

C = TypeVar("C", bound=Component)


def as_traced(component: C, dtype: Any = np.float32) -> C:
    """Return the component with every number cast to a NumPy scalar of one type.

    Without this cast, 1, 1.0, True and `np.float64(1)` would each compile their own program. Use the type of training,
    which is the type of the parameters, the rows and the losses.

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
