"""Training rows for parameter initialisation: some layers are initialised by quantiles or deviations of their inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt32

from skdeep.component import components_in
from skdeep.contract import Network
from skdeep.core.encode import dense_block
from skdeep.core.inputs import InShape
from skdeep.core.random import host_generator
from skdeep.core.rows import padded_size

_STREAM = 2**32 - 2
SAMPLED_ROWS = 2**14
"""Of rows that are read in blocks, a sample is drawn from this many rows."""


def n_initial_rows(network: Network) -> int:
    """Return the largest `init_rows` of the network and of the components in its fields."""
    return max(getattr(part, "init_rows", 0) for part in components_in(network))


def initial_rows(network: Network, rows: Any, in_shape: InShape, key: UInt32[np.ndarray, "2"]) -> Any:
    """Return random training rows in the network's shape, or None if no part of the network has `init_rows`.

    Their number is the padded size of the training rows, at most `init_rows`, so that similar row counts share a trace. Rows are
    drawn in proportion to their weights, as evenly as possible: with equal weights, none is drawn twice before each was
    drawn once.
    """
    most = n_initial_rows(network)
    if most == 0:
        return None
    rows = rows.sample(max(most, SAMPLED_ROWS))
    order = host_generator(key, _STREAM).permutation(len(rows.weight))
    total = np.cumsum(rows.weight[order], dtype=np.float64)
    n = min(padded_size(len(order)), most)
    place = (np.arange(n) + 0.5) / n * total[-1]
    return dense_block(rows.x, order[np.searchsorted(total, place)], in_shape)
