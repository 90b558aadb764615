"""Stage 1 for texts, on the host: token ids -> windows of one length, with the token after each step as target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

NO_TARGET = -1
"""Stands where a window has no token to predict; losses leave it out."""


class Windows(NamedTuple):
    """Windows of texts: ids, the ids one step later, and the number of the text that each window is from."""

    x: Int[np.ndarray, "n time"]
    target: Int[np.ndarray, "n time"]
    source: Int[np.ndarray, " n"]

    @property
    def n_targets(self) -> Int[np.ndarray, " n"]:
        """How many tokens each window has to predict."""
        counts: Int[np.ndarray, " n"] = (self.target != NO_TARGET).sum(axis=1)
        return counts


def windows_of(texts: Sequence[Shaped[np.ndarray, "..."]], length: int, stride: int, once: bool = False) -> Windows:
    """Cut each text into windows of `length` steps that begin `stride` (at most `length`) apart; the last is filled up.

    With `once`, a token that an earlier window has as a target is none in later ones, which have it as context only.

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
    """Return how many windows there are up to the first one that reaches the last target."""
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
