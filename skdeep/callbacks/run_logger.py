"""The base of loggers that open a run per fit in a tracking tool."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from skdeep.callbacks.epoch_callback import EpochCallback, id_of_fit


class RunLogger(EpochCallback):
    """Opens a run per fit, logs the numbers of each epoch, and closes the run at the end of the fit.

    Subclasses write `_opened`, `_log` and `_close`. Open runs are kept by the id of their fit, and do not travel in pickles.
    """

    is_part_of_training: ClassVar[bool] = False

    def __init__(self) -> None:
        self._runs: dict[str, Any] = {}
        self._finished: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_runs": {}, "_finished": set()}

    def setup(self, estimator: Any, context: Any) -> None:
        """Open the run of a fit; raise TypeError if the estimator has no `history_`, and ValueError if it is an ensemble."""
        super().setup(estimator, context)
        fit = id_of_fit(context)
        self._runs[fit] = self._opened(estimator, f"{type(estimator).__name__}-{fit}")

    def teardown(self, estimator: Any, context: Any) -> None:
        """Close the run, whether the fit succeeded or not."""
        fit = id_of_fit(context)
        is_finished = fit in self._finished
        self._finished.discard(fit)
        run = self._runs.pop(fit, None)  # None if opening it failed
        if run is not None:
            self._close(run, is_finished)

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        """Log the epoch that ends here; never stop training."""
        if context.task_name != "epoch":
            self._finished.add(id_of_fit(context))
        return super().on_fit_task_end(estimator, context, fitted_estimator=fitted_estimator)

    def _after_epoch(self, estimator: Any, fit: Any, history: Any) -> bool:
        last = {name: float(value) for name, value in history.iloc[-1].items()}
        epoch = int(last.pop("epoch"))
        known = {name: value for name, value in last.items() if not math.isnan(value)}
        self._log(self._runs[id_of_fit(fit)], epoch, known)
        return False

    def _opened(self, estimator: Any, name: str) -> Any:
        """Return a new run."""
        raise NotImplementedError

    def _log(self, run: Any, epoch: int, values: dict[str, float]) -> None:
        """Log the numbers of an epoch; NaN is left out."""
        raise NotImplementedError

    def _close(self, run: Any, is_finished: bool) -> None:
        """Close a run; `is_finished` is False if the fit raised."""
        raise NotImplementedError
