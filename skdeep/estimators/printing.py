"""The lines that `verbose` prints."""

from __future__ import annotations

import math

from skdeep.core import stopping
from skdeep.records import Outcome


class EpochPrinter:
    """Prints a line per epoch: its number of how many, and the losses and score that there are."""

    def __init__(self, last_epoch: int) -> None:
        self._last_epoch = last_epoch

    def __call__(self, line: dict[str, float]) -> None:
        """Print one epoch's line of the history."""
        shown = [name for name in ("train_loss", "val_loss", "val_score") if not math.isnan(line[name])]
        print(f"Epoch {line['epoch']}/{self._last_epoch}", *(f"{name} = {line[name]:.6f}" for name in shown), sep="  ")

    def ended(self, outcome: Outcome) -> None:
        """Print nothing more."""


class IterationPrinter:
    """Prints a line per iteration of L-BFGS, in scikit-learn's words."""

    def __call__(self, line: dict[str, float]) -> None:
        """Print one iteration's line of the history."""
        print(f"Iteration {line['epoch']:.0f}, loss = {line['train_loss']:.8f}")

    def ended(self, outcome: Outcome) -> None:
        """Print nothing more."""


class SolverPrinter(IterationPrinter):
    """Prints a line per epoch of a stochastic solver in scikit-learn's words, and why training ends or slows down.

    Parameters
    ----------
    tol : float
    n_iter_no_change : float
    learning_rate : float
        The initial one.
    early_stopping, adaptive : bool
    """

    def __init__(
        self, tol: float, n_iter_no_change: float, learning_rate: float, *, early_stopping: bool, adaptive: bool
    ) -> None:
        what = "Validation score" if early_stopping else "Training loss"
        self._no_gain = f"{what} did not improve more than tol={tol:f} for {n_iter_no_change:.0f} consecutive epochs."
        self._adaptive, self._learning_rate = adaptive, learning_rate
        self._rate = math.inf

    def __call__(self, line: dict[str, float]) -> None:
        """Print one epoch's line of the history."""
        self._tell_of_lower(line["learning_rate"])
        super().__call__(line)
        if not math.isnan(line["val_loss"]):
            print(f"Validation score: {1 - line['val_loss']:f}")

    def ended(self, outcome: Outcome) -> None:
        """Say why training ends here, or at which learning rate a later call would go on."""
        if outcome.status == stopping.CONVERGED:
            print(f"{self._no_gain} {'Learning rate too small. ' if self._adaptive else ''}Stopping.")
        else:
            self._tell_of_lower(self._learning_rate * float(outcome.state.stopping.rate_factor))

    def _tell_of_lower(self, rate: float) -> None:
        if self._adaptive and rate < self._rate < math.inf:
            print(f"{self._no_gain} Setting learning rate to {rate:f}")
        self._rate = rate
