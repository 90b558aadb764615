"""Stage 1 for texts, on the host: token ids -> windows of one length, with the token after each step as target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

NO_TARGET = -1
"""Stands where a window has no token to predict; losses leave it out."""


class Windows(NamedTuple):
    """Stretches of texts: ids as floats (rows of a network are), the ids one step later, and which text each is from."""

    x: Float[np.ndarray, "n time"]
    target: Int[np.ndarray, "n time"]
    source: Int[np.ndarray, " n"]

    @property
    def n_targets(self) -> Int[np.ndarray, " n"]:
        """How many tokens each window has to predict."""
        counts: Int[np.ndarray, " n"] = (self.target != NO_TARGET).sum(axis=1)
        return counts


def windows_of(texts: Sequence[Shaped[np.ndarray, "..."]], length: int, stride: int, once: bool = False) -> Windows:
    """Cut each text into windows of `length` steps that begin `stride` apart; the last one is filled with zeros.

    With `once`, a token that an earlier window has as a target is none in later ones, which have it as context only.

    Examples
    --------
    >>> import numpy as np
    >>> windows_of([np.array([5, 6, 7, 8])], length=2, stride=2).target
    array([[ 6,  7],
           [ 8, -1]], dtype=int32)
    """
    parts = [_windows_of_text(ids, length, stride, once) for ids in texts]
    counts = [len(x) for x, _ in parts]
    return Windows(
        np.concatenate([x for x, _ in parts]),
        np.concatenate([target for _, target in parts]),
        np.repeat(np.arange(len(parts)), counts),
    )


def _windows_of_text(
    ids: Int[np.ndarray, " tokens"], length: int, stride: int, once: bool
) -> tuple[Float[np.ndarray, "n time"], Int[np.ndarray, "n time"]]:
    n_targets = max(0, len(ids) - 1)
    # The last window is the first one that reaches the last target.
    n_windows = 0 if n_targets == 0 else 1 + max(0, -(-(n_targets - length) // stride))
    positions = np.arange(n_windows)[:, None] * stride + np.arange(length)[None, :]
    is_real = positions < n_targets
    inside = np.minimum(positions, n_targets - 1) if n_targets else positions
    x = np.where(is_real, ids[inside], 0).astype(np.float32)
    target = np.where(is_real, ids[inside + 1], NO_TARGET).astype(np.int32)
    if once:
        target[1:, : max(0, length - stride)] = NO_TARGET
    return x, target
