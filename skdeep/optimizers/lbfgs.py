"""Limited-memory BFGS."""

from __future__ import annotations

from typing import Any

from skdeep.contract import Optimizer
from skdeep.records import OptimizerState, Params


class LBFGS(Optimizer):
    """Limited-memory BFGS with a zoom line search; each step uses all rows.

    For small data and smooth losses. One epoch is one step. Estimators raise ValueError for an integer `batch_size`:
    leave it at `"auto"`. The line search finds the length of each step, starting from the full quasi-Newton step, so
    `learning_rate` and `schedule` have no effect.

    Parameters
    ----------
    memory_size : int, default=10
        Number of past steps from which the curvature is estimated.
    max_linesearch_steps : int, default=20
        Largest number of line-search iterations per step.

    References
    ----------
    Liu and Nocedal, "On the Limited Memory BFGS Method", Mathematical Programming 45, 1989.

    Examples
    --------
    >>> from skdeep.optimizers import LBFGS
    >>> LBFGS(memory_size=5)
    LBFGS(memory_size=5, max_linesearch_steps=20)
    """

    memory_size: int = 10
    max_linesearch_steps: int = 20

    full_batch = True

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        search = optax.scale_by_zoom_linesearch(
            max_linesearch_steps=self.max_linesearch_steps, initial_guess_strategy="one"
        )
        return optax.lbfgs(memory_size=self.memory_size, linesearch=search)

    def update(
        self, grad: Params, state: OptimizerState, params: Params, learning_rate: Any, value: Any, objective: Any
    ) -> tuple[OptimizerState, Params]:
        updates, state = self.transformation(learning_rate).update(
            grad, state, params, value=value, grad=grad, value_fn=objective
        )
        return state, updates
