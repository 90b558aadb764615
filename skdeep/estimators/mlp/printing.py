"""The lines that `verbose` prints, in scikit-learn's words."""

from __future__ import annotations

import math


class IterationPrinter:
    """Prints a line an epoch, and why training ends or goes on at a lower rate.

    Parameters
    ----------
    tol : float
    n_iter_no_change : float
    early_stopping, adaptive : bool
    """

    def __init__(self, tol: float, n_iter_no_change: float, *, early_stopping: bool, adaptive: bool) -> None:
        what = "Validation score" if early_stopping else "Training loss"
        self._no_gain = f"{what} did not improve more than tol={tol:f} for {n_iter_no_change:.0f} consecutive epochs."
        self._adaptive = adaptive
        self._rate = math.inf

    def __call__(self, line: dict[str, float]) -> None:
        """Print one epoch's line of the history."""
        rate = line["learning_rate"]
        self._tell_of_lower(rate)
        print(f"Iteration {line['epoch']:.0f}, loss = {line['train_loss']:.8f}")
        if not math.isnan(line["val_loss"]):
            print(f"Validation score: {1 - line['val_loss']:f}")

    def ended(self, rate: float, *, has_converged: bool) -> None:
        """Say why training ends here, or at which rate a later call would go on."""
        if has_converged:
            print(f"{self._no_gain} {'Learning rate too small. ' if self._adaptive else ''}Stopping.")
        else:
            self._tell_of_lower(rate)

    def _tell_of_lower(self, rate: float) -> None:
        if self._adaptive and rate < self._rate < math.inf:
            print(f"{self._no_gain} Setting learning rate to {rate:f}")
        self._rate = rate
