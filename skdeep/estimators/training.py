"""The path of every `fit` and `partial_fit`: prepare a job, run it, absorb its outcome."""

from __future__ import annotations

import dataclasses
from typing import Any

from skdeep.core import stopping
from skdeep.estimators.callbacks import EnsembleCallbacks, FitWatcher
from skdeep.estimators.checkpointing import run_job
from skdeep.estimators.diagnose import traced_fields_named
from skdeep.estimators.members import forget_members, train_members
from skdeep.estimators.prepare import prepare
from skdeep.estimators.several_processes import check_same_parameters, failing_together_of, prints, spans_processes


@dataclasses.dataclass(frozen=True)
class FitData:
    """The arguments of `fit` or `partial_fit`.

    `classes` are all labels that later `partial_fit` calls may have. `more_come` is True in `partial_fit` of estimators
    that read the first call in another way than `fit`, because later calls may bring other tokens or classes.
    """

    X: Any
    y: Any = None
    sample_weight: Any = None
    X_val: Any = None
    y_val: Any = None
    sample_weight_val: Any = None
    groups: Any = None
    classes: Any = None
    more_come: bool = False

    def seen_by_callbacks(self) -> dict[str, Any]:
        """Return the data as scikit-learn's callbacks see it."""
        return {"X": self.X, "y": self.y, "metadata": {"sample_weight": self.sample_weight}}


def train(estimator: Any, data: FitData, *, is_partial: bool = False) -> Any:
    """Train an estimator, and return it.

    The estimator does not change until training has succeeded, so other threads may predict with it meanwhile.

    Parameters
    ----------
    estimator : TrainedEstimator
    data : FitData
    is_partial : bool, default=False
        Train one epoch, continuing from the last call.
    """
    with estimator._replaced_when_fitted() as new, traced_fields_named(), failing_together_of(new):
        forget_members(new)
        if spans_processes(new):
            check_same_parameters(new, is_partial)
        job = prepare(new, data, is_partial=is_partial)
        watcher = FitWatcher(new, data.seen_by_callbacks(), job, new._printer(job) if prints(new) else None)
        try:
            outcome = run_job(new, job, watcher)
            watcher.end_training(outcome)
        finally:
            watcher.close()
        new._absorb(job, outcome)
    watcher.end_fit(estimator._fitted_attributes)
    if is_partial and outcome.status != stopping.INTERRUPTED:
        return estimator
    new._report(job, outcome)
    return estimator


def train_ensemble(estimator: Any, data: FitData) -> Any:
    """Train the members of an ensemble, and return the estimator. It calls the callbacks for the whole fit only."""
    with estimator._replaced_when_fitted() as new, traced_fields_named():
        callbacks = EnsembleCallbacks(new, data.seen_by_callbacks())
        trained = train_members(new, data)
    callbacks.end_fit(lambda: {"estimators_": new.estimators_})
    for member, job, outcome in trained:
        member._report(job, outcome)
    return estimator
