"""scikit-learn's callbacks (1.9 and newer) on our estimators; without them, nothing here costs anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdeep.core.history import joined_history
from skdeep.core.job import Job
from skdeep.core.watcher import Course, Watcher
from skdeep.records import Outcome

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]  # stands in for scikit-learn's
        """Stands in where scikit-learn has no callbacks yet."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "FitWatcher", "with_callbacks"]


class FitWatcher(Watcher):
    """Tells the callbacks of an estimator about its fit and each epoch, and prints finished epochs.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
    data : dict
        `X`, `y` and `metadata` as callbacks see them.
    job : Job
    printer : callable or None
        Gets each finished epoch's line of the history, and the outcome by its method `ended`.
    """

    def __init__(self, estimator: Any, data: dict[str, Any], job: Job, printer: Any) -> None:
        self._estimator, self._data, self._earlier, self._printer = estimator, data, job.origin.history, printer
        self._epoch: Any = None
        self._root: Any = None
        self.is_epoch_wise = bool(getattr(estimator, "_skl_callbacks", None))
        if hasattr(estimator, "_init_callback_context"):
            self._root = estimator._init_callback_context(max_subtasks=job.last_epoch - int(job.start.epoch))
            self._root.call_on_fit_task_begin(estimator=estimator, **data)

    def begin_epoch(self) -> None:
        """Open the next epoch."""
        if self.is_epoch_wise:
            self._epoch = self._root.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def end_epochs(self, course: Course, n_new: int) -> bool:
        """Print the epochs, and close the last one; True if a callback asks to stop."""
        if self._printer is not None:
            for i in range(-n_new, 0):
                self._printer({name: values[i] for name, values in course.history.items()})
        if self._epoch is None:
            return False
        epoch, self._epoch = self._epoch, None
        return bool(
            epoch.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=lambda: self._attributes(course), **self._data
            )
        )

    def end_training(self, outcome: Outcome) -> None:
        """Print what there is to say of the end."""
        if self._printer is not None:
            self._printer.ended(outcome)

    def end_fit(self, fitted_attributes: Callable[[], dict[str, Any]]) -> None:
        """Close the fit."""
        if self._root is not None:
            self._root.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=fitted_attributes, **self._data
            )

    def _attributes(self, course: Course) -> dict[str, Any]:
        """Return what the estimator would hold if training had stopped here."""
        params, model_state = course.current_params()
        return {
            "params_": params,
            "model_state_": model_state,
            "n_iter_": course.epoch,
            "_history": joined_history(self._earlier, course.history),
        }
