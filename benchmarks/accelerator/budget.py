"""How much of the time each part of the command may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OUT, DEADLINE = "SKDEEP_ACCELERATOR_OUT", "SKDEEP_ACCELERATOR_DEADLINE"
"""Variables for the process of the tests: the file of results, and the end of the time in seconds since 1970."""


@dataclass(frozen=True)
class Part:
    """A part of the command: the tests, or a case.

    Parameters
    ----------
    name : str
    weight : float
        Its share of the time that is left, against the weights of the parts after it.
    least_seconds : float
        With less time left, it is skipped.
    largest_share : float
        It gets at most this share of the whole budget.
    """

    name: str
    weight: float
    least_seconds: float
    largest_share: float = 1.0


class Budget:
    """A number of seconds that parts share, which run one after the other; time that a part leaves is for the later ones."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self._end - self._clock()

    def limit_of(self, part: Part, later: Sequence[Part]) -> float | None:
        """Return the seconds after which a part is stopped, or None if it must be skipped."""
        most = min(self.left, part.largest_share * self.seconds)
        if most < part.least_seconds:
            return None
        share = self.left * part.weight / (part.weight + sum(each.weight for each in later))
        return min(most, max(share, part.least_seconds))


class Pace:
    """Tells whether another repeat fits into a number of seconds, if it takes as long as the longest one before it."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._last: float | None = None
        self._longest = 0.0

    def has_time(self) -> bool:
        """Return True if the next repeat fits; call it before each repeat, the first one included."""
        now = self._clock()
        if self._last is not None:
            self._longest = max(self._longest, now - self._last)
        self._last = now
        return now + self._longest <= self._end
