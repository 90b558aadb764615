"""Functions as schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdeep.arguments import arguments_after
from skdeep.contract import Schedule


class FunctionSchedule(Schedule):
    """A function from progress in [0, 1] to a factor as a schedule; an estimator makes one of a function given as `schedule=`.

    JAX must be able to trace it: no `if` on progress.

    Parameters
    ----------
    function : callable
        Takes progress, one number in [0, 1], and returns the factor, one number of at least 0. It may also take `step`, the number
        of steps done, and `n_steps`, the number of steps in `max_epochs` epochs, by these names. `count` is Optax's name for
        `step`, so Optax's schedules work: give them an initial value of 1, since the factor multiplies the learning rate.

    Examples
    --------
    >>> from skdeep.schedules import FunctionSchedule
    >>> FunctionSchedule(lambda progress: 1 - progress / 2)(0.5)
    0.75
    >>> import optax, skdeep
    >>> model = skdeep.DeepClassifier(schedule=optax.linear_schedule(1.0, 0.1, transition_steps=100))
    """

    function: Callable[..., Any]

    def __call__(self, progress: Any, **more: Any) -> Any:
        if "step" in more:
            more["count"] = more["step"]
        positional, named = arguments_after(progress, self.function, **more)
        return self.function(*positional, **named)
