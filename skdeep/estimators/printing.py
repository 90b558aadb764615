"""Printers of the lines for `verbose`."""

from __future__ import annotations

import math

from skdeep.core import stopping
from skdeep.core.watcher import Course
from skdeep.history import is_score
from skdeep.records import Outcome

_BEST = (("val_score", -1), ("val_loss", 1), ("train_loss", 1))
"""The column by which epochs are compared is the first that has values; scores are better if they are greater."""


def _is_judgement(column: str) -> bool:
    """Return True for losses and scores."""
    return column in ("train_loss", "val_loss") or is_score(column)


def _heading(column: str) -> str:
    kind, _, name = column.partition("_")
    return f"{kind} {name}"


def _width(column: str) -> int:
    return max(13, len(column) + 2)


class EpochPrinter:
    """Prints a table with a line per epoch: losses and scores that are not NaN, a star at the best epoch so far, and seconds.

    Parameters
    ----------
    last_epoch : int
    keeps_latest : bool
        The latest of equally good epochs is the best, else the first.
    """

    def __init__(self, last_epoch: int, *, keeps_latest: bool = False) -> None:
        self._last_epoch, self._keeps_latest = last_epoch, keeps_latest
        self._columns: list[str] = []
        self._best = math.inf

    def goes_on(self, epoch: int) -> None:
        """Print that training continues from a checkpoint."""
        print(f"Continuing after epoch {epoch}/{self._last_epoch} from a checkpoint")

    def __call__(self, line: dict[str, float]) -> None:
        """Print the history of one epoch."""
        width = 2 * len(str(self._last_epoch)) + 1
        is_first = not self._columns
        columns = self._columns_of(line)
        if is_first:
            names = "".join(f"{_heading(name):>{_width(name)}}" for name in columns)
            print(f"{'epoch':>{max(5, width)}}{names}{'seconds':>12}")
        values = "".join(f"{line[name]:>{_width(name)}.6f}" for name in columns)
        epoch = f"{line['epoch']:.0f}/{self._last_epoch}"
        print(f"{epoch:>{max(5, width)}}{values} {self._mark(line)}{line['seconds']:>10.3f}")

    def at(self, course: Course) -> None:
        """Show nothing between two epochs."""

    def _columns_of(self, line: dict[str, float]) -> list[str]:
        """Return the names of the columns, which are those that have a value in the first epoch."""
        if not self._columns:
            judged = [name for name, value in line.items() if _is_judgement(name) and not math.isnan(value)]
            self._columns = judged or ["train_loss"]
        return self._columns

    def _mark(self, line: dict[str, float]) -> str:
        """Return a star if no epoch was better so far."""
        name, sign = next((name, sign) for name, sign in _BEST if name in self._columns)
        if not (sign * line[name] < self._best or (self._keeps_latest and sign * line[name] == self._best)):
            return " "
        self._best = sign * line[name]
        return "*"

    def ended(self, outcome: Outcome) -> None:
        """Print nothing more."""

    def close(self) -> None:
        """Do nothing: there is no display to end."""


class IterationPrinter:
    """Prints one line per iteration of L-BFGS, worded as in scikit-learn."""

    def at(self, course: Course) -> None:
        """Show nothing between two iterations."""

    def close(self) -> None:
        """Do nothing: there is no display to end."""

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
