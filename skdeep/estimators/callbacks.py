"""scikit-learn's callbacks (1.9 and newer) on our estimators; without them, nothing here costs anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]  # stands in for scikit-learn's
        """Stands in where scikit-learn has no callbacks yet."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "EpochReporter", "with_callbacks"]


class EpochReporter:
    """Tells the callbacks of an estimator about the fit and each of its epochs.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
    data : dict
        `X`, `y` and `metadata` as callbacks see them.
    max_epochs : int
    """

    def __init__(self, estimator: Any, data: dict[str, Any], max_epochs: int) -> None:
        self._estimator, self._data = estimator, data
        self._epoch: Any = None
        self._root: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self._root = estimator._init_callback_context(max_subtasks=max_epochs)
            self._root.call_on_fit_task_begin(estimator=estimator, **data)

    @property
    def is_active(self) -> bool:
        """Whether any callback listens, so that control must return after each epoch."""
        return bool(getattr(self._estimator, "_skl_callbacks", None))

    def begin_epoch(self) -> None:
        """Open the next epoch."""
        if self.is_active:
            self._epoch = self._root.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def end_epoch(self, fitted_attributes: Callable[[], dict[str, Any]]) -> bool:
        """Close the epoch; True if a callback asks to stop."""
        if self._epoch is None:
            return False
        epoch, self._epoch = self._epoch, None
        return bool(
            epoch.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=fitted_attributes, **self._data
            )
        )

    def end_fit(self, fitted_attributes: Callable[[], dict[str, Any]]) -> None:
        """Close the fit."""
        if self._root is not None:
            self._root.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=fitted_attributes, **self._data
            )
