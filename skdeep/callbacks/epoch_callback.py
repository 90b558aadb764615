"""The base of callbacks that act at the end of each epoch."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar


class EpochCallback:
    """Calls `_after_epoch` at the end of each epoch. Subclasses write this method.

    It gets the estimator, the context of the fit and the history so far, and returns True to stop training.
    """

    is_part_of_training: ClassVar[bool] = True
    """Whether the epoch at which a training ends follows from this callback; else checkpoints ignore the callback."""

    def setup(self, estimator: Any, context: Any) -> None:
        """Raise TypeError if the estimator has no `history_`, and ValueError if it is an ensemble."""
        owner, name = type(self).__name__, type(estimator).__name__
        if not hasattr(type(estimator), "history_"):
            raise TypeError(f"{owner} reads history_, which {name} does not have. Set it on an estimator of skdeep.")
        if context.max_subtasks == 0:
            raise ValueError(
                f"{owner} acts at the end of epochs, but the members of an ensemble have no callbacks. Set n_estimators=1 and cv=None "
                f"in {name}."
            )

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing: there is no state."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing: the history is read at the end of an epoch."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        """Return True to stop training after the epoch that ends here."""
        if context.task_name != "epoch":
            return False
        return self._after_epoch(estimator, context.parent, fitted_estimator.history_)

    def _after_epoch(self, estimator: Any, fit: Any, history: Any) -> bool:
        raise NotImplementedError


def id_of_fit(fit: Any) -> str:
    """Return 8 hexadecimal digits that are equal for all epochs of a fit, and differ between fits, in any process.

    The fits of one search share the UUID of their root and differ in the ids of the tasks below it.
    """
    path, context = [str(fit.root_uuid)], fit
    while context is not None:
        path.append(f"{context.task_name}/{context.task_id}/{context.source_task_name}")
        context = context.parent
    return hashlib.blake2b("\n".join(path).encode(), digest_size=4).hexdigest()
