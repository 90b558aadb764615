"""From token ids to windows of one length, with the next token at each step as target, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

NO_TARGET = -1
"""The target at a step that has no token to predict. Losses leave these steps out."""


class Windows(NamedTuple):
    """Windows of texts: ids `x`, the ids one step later as `target`, and the number `source` of each window's text."""

    x: Int[np.ndarray, "n time"]
    target: Int[np.ndarray, "n time"]
    source: Int[np.ndarray, " n"]

    @property
    def n_targets(self) -> Int[np.ndarray, " n"]:
        """Number of targets in each window."""
        counts: Int[np.ndarray, " n"] = (self.target != NO_TARGET).sum(axis=1)
        return counts


def windows_of(texts: Sequence[Shaped[np.ndarray, "..."]], length: int, stride: int, once: bool = False) -> Windows:
    """Return windows of `length` steps of each text. They begin every `stride` steps; the last is padded to `length`.

    `stride` is at most `length`. With `once`, a token is a target in the first of its windows only; in later windows it is
    context.

    Examples
    --------
    >>> import numpy as np
    >>> windows_of([np.array([5, 6, 7, 8])], length=2, stride=2).target
    array([[ 6,  7],
           [ 8, -1]], dtype=int32)
    """
    counts = [_n_windows(len(ids), length, stride) for ids in texts]
    x = np.empty((sum(counts), length), np.int32)
    target = np.empty((sum(counts), length), np.int32)
    end = 0
    for ids, count in zip(texts, counts, strict=True):
        start, end = end, end + count
        x[start:end] = _cut(ids[:-1], count, length, stride, filler=0)
        target[start:end] = _cut(ids[1:], count, length, stride, filler=NO_TARGET)
        if once:
            target[start + 1 : end, : length - stride] = NO_TARGET
    return Windows(x, target, np.repeat(np.arange(len(counts)), counts))


def _n_windows(n_tokens: int, length: int, stride: int) -> int:
    """Return the number of windows up to the first one that holds the last target."""
    n_targets = n_tokens - 1
    return 0 if n_targets < 1 else 1 + max(0, -(-(n_targets - length) // stride))


def _cut(
    ids: Int[np.ndarray, " tokens"], count: int, length: int, stride: int, filler: int
) -> Int[np.ndarray, "n length"]:
    if count == 0:
        return np.empty((0, length), ids.dtype)
    needed = (count - 1) * stride + length
    padded = np.concatenate([ids, np.full(needed - len(ids), filler, ids.dtype)])
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::stride]
