"""A plain function as a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdeep.contract import Schedule


class FunctionSchedule(Schedule):
    """A function of progress in [0, 1] to a factor, as handed to `schedule=`; it must be traceable.

    Examples
    --------
    >>> from skdeep.schedules import FunctionSchedule
    >>> FunctionSchedule(lambda progress: 1 - progress / 2)(0.5)
    0.75
    """

    function: Callable[[Any], Any]

    def __call__(self, progress: Any) -> Any:
        return self.function(progress)
