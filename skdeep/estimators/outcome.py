"""Errors and warnings after training: divergence, no convergence, Ctrl-C."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import ConvergenceWarning

from skdeep.core import stopping
from skdeep.errors import NonFiniteLossError
from skdeep.estimators.warn import warn_caller
from skdeep.records import Outcome


def check_outcome(estimator: Any, result: Outcome) -> None:
    """Raise NonFiniteLossError if the loss became NaN or infinite and no best parameters were kept."""
    if result.status != stopping.NON_FINITE or result.has_best:
        return
    raise NonFiniteLossError(
        f"The loss became NaN or infinite in epoch {result.n_epochs} at learning rate {_last_rate(estimator, result):.3g}. "
        "Lower the learning_rate, set clip_norm, or scale the columns of X (for example with StandardScaler)."
    )


def raise_or_warn(estimator: Any, result: Outcome, hint: str | None = None) -> None:
    """Raise KeyboardInterrupt after Ctrl-C; warn if training diverged or did not converge.

    Call it after the parameters are stored. A `hint` at the cause of a bad training replaces the warning that it did not
    converge.
    """
    if result.status == stopping.INTERRUPTED:
        raise KeyboardInterrupt
    message = None
    if result.status == stopping.NON_FINITE:
        message = (
            f"The loss became NaN or infinite in epoch {result.n_epochs} at learning rate {_last_rate(estimator, result):.3g}; "
            f"training stopped and the parameters of the best epoch ({result.best_epoch}) were kept. "
            "Lower the learning_rate or set clip_norm."
        )
    elif hint is not None:
        message = hint
    elif result.status == stopping.OUT_OF_EPOCHS and estimator.tol is not None:
        message = (
            f"Reached max_epochs={estimator.max_epochs} and training has not converged yet. Raise max_epochs or tol, "
            "or set tol=None to train for exactly max_epochs."
        )
    if message:
        warn_caller(message, ConvergenceWarning)


def _last_rate(estimator: Any, result: Outcome) -> float:
    rates = result.history["learning_rate"]
    return rates[-1] if rates else float(estimator.learning_rate)
