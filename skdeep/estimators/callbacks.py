"""Support for scikit-learn's callbacks (scikit-learn 1.9 and newer). Without callbacks it adds no work per epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdeep.core.job import Job
from skdeep.core.watcher import Course, Watcher
from skdeep.history import joined_history
from skdeep.records import Outcome, Snapshot

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]  # stands in for scikit-learn's
        """Replaces scikit-learn's class of this name, which older versions lack."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method unchanged."""
        return method


__all__ = ["CallbackSupportMixin", "EnsembleCallbacks", "FitWatcher", "with_callbacks"]


class EnsembleCallbacks:
    """Calls the callbacks of an estimator at the beginning and the end of the fit of an ensemble."""

    def __init__(self, estimator: Any, data: dict[str, Any]) -> None:
        self._estimator, self._data, self._root = estimator, data, None
        if hasattr(estimator, "_init_callback_context"):
            self._root = estimator._init_callback_context(max_subtasks=0)
            self._root.call_on_fit_task_begin(estimator=estimator, **data)

    def end_fit(self, fitted_attributes: Callable[[], dict[str, Any]]) -> None:
        """Call the callbacks at the end of the fit."""
        if self._root is not None:
            self._root.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=fitted_attributes, **self._data
            )


class FitWatcher(Watcher):
    """Calls the callbacks of an estimator for the fit and for each epoch, and prints finished epochs.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
    data : dict
        The keyword arguments `X`, `y` and `metadata` of callbacks.
    job : Job
    printer : callable or None
        Called with the history of each finished epoch, a dict; its method `ended` gets the outcome.
    """

    def __init__(self, estimator: Any, data: dict[str, Any], job: Job, printer: Any) -> None:
        self._estimator, self._data, self._earlier, self._printer = estimator, data, job.origin.history, printer
        self._epoch: Any = None
        self._root: Any = None
        self.is_epoch_wise = bool(getattr(estimator, "_skl_callbacks", None))
        if hasattr(estimator, "_init_callback_context"):
            self._root = estimator._init_callback_context(max_subtasks=job.last_epoch - int(job.start.epoch))
            self._root.call_on_fit_task_begin(estimator=estimator, **data)

    def go_on(self, snapshot: Snapshot) -> None:
        """Print after which epoch training continues."""
        if self._printer is not None:
            self._printer.goes_on(int(snapshot.state.epoch))

    def begin_epoch(self) -> None:
        """Call the callbacks at the beginning of an epoch."""
        if self.is_epoch_wise:
            self._epoch = self._root.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def end_epochs(self, course: Course, n_new: int) -> bool:
        """Print the new epochs and call the callbacks; return True if a callback asks to stop."""
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

    def end_block(self, course: Course) -> bool:
        """Show how far training is."""
        if self._printer is not None:
            self._printer.at(course)
        return False

    def close(self) -> None:
        """End what the printer shows, also after an error."""
        if self._printer is not None:
            self._printer.close()

    def end_training(self, outcome: Outcome) -> None:
        """Print why training ended, if the printer does."""
        if self._printer is not None:
            self._printer.ended(outcome)

    def end_fit(self, fitted_attributes: Callable[[], dict[str, Any]]) -> None:
        """Call the callbacks at the end of the fit."""
        if self._root is not None:
            self._root.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=fitted_attributes, **self._data
            )

    def _attributes(self, course: Course) -> dict[str, Any]:
        """Return the fitted attributes that the estimator would have if training ended now."""
        params, model_state = course.current_params()
        return {
            "params_": params,
            "model_state_": model_state,
            "n_iter_": course.epoch,
            "_history": joined_history(self._earlier, course.history),
        }
