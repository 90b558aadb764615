"""Printers of the lines for `verbose`."""

from __future__ import annotations

import math

from skdeep.core import stopping
from skdeep.records import Outcome


class EpochPrinter:
    """Prints one line per epoch: its number, the last epoch's number, and the losses and the score that are not NaN."""

    def __init__(self, last_epoch: int) -> None:
        self._last_epoch = last_epoch

    def goes_on(self, epoch: int) -> None:
        """Print that training continues from a checkpoint."""
        print(f"Continuing after epoch {epoch}/{self._last_epoch} from a checkpoint")

    def __call__(self, line: dict[str, float]) -> None:
        """Print the history of one epoch."""
        shown = [name for name in ("train_loss", "val_loss", "val_score") if not math.isnan(line[name])]
        print(f"Epoch {line['epoch']}/{self._last_epoch}", *(f"{name} = {line[name]:.6f}" for name in shown), sep="  ")

    def ended(self, outcome: Outcome) -> None:
        """Print nothing more."""


class IterationPrinter:
    """Prints one line per iteration of L-BFGS, worded as in scikit-learn."""

    def __call__(self, line: dict[str, float]) -> None:
        """Print the history of one iteration."""
        print(f"Iteration {line['epoch']:.0f}, loss = {line['train_loss']:.8f}")

    def ended(self, outcome: Outcome) -> None:
        """Print nothing more."""


class SolverPrinter(IterationPrinter):
    """Prints one line per epoch of a stochastic solver, worded as in scikit-learn.

    It also prints why training ends, and when the learning rate is reduced.

    Parameters
    ----------
    tol : float
    n_iter_no_change : float
    learning_rate : float
        The initial learning rate.
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
        """Print the history of one epoch."""
        self._print_if_reduced(line["learning_rate"])
        super().__call__(line)
        if not math.isnan(line["val_loss"]):
            print(f"Validation score: {1 - line['val_loss']:f}")

    def ended(self, outcome: Outcome) -> None:
        """Print why training ends, or the learning rate with which a later call would continue."""
        if outcome.status == stopping.CONVERGED:
            print(f"{self._no_gain} {'Learning rate too small. ' if self._adaptive else ''}Stopping.")
        else:
            self._print_if_reduced(self._learning_rate * float(outcome.state.stopping.rate_factor))

    def _print_if_reduced(self, rate: float) -> None:
        if self._adaptive and rate < self._rate < math.inf:
            print(f"{self._no_gain} Setting learning rate to {rate:f}")
        self._rate = rate
