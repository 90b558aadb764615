"""The value of the parameter `checkpoint`: where and how often the state of a training is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skdeep.core.checkpoints import Interval, Store


@dataclass(frozen=True)
class Checkpoint:
    """Keeps the state of trainings, so that a fit that was stopped, or that asks for more epochs, continues instead of starting again.

    Give it to an estimator as `checkpoint`. A training is found by all that decides its numbers: the rows, the parameters, the
    random seed and the versions of packages. `max_epochs` is not part of it (unless the schedule or the optimizer looks at the end), nor
    are `verbose`, `device` and `checkpoint` itself. So a fit continues what another fit with the same training, in this process or
    an earlier one, has reached, and ends with the same bits as if it had done all steps itself.

    Parameters
    ----------
    folder : path-like or None, default=None
        The folder of the files, which is made if needed. Several processes may use it. None keeps the states in the memory of this
        process, at most 512 MiB; the least recently used go first.
    every_epochs : int or None, default=None
        Keep the state after every so many epochs.
    every_seconds : float or None, default=None
        Keep the state after so many seconds, also within an epoch. If this and `every_epochs` are both None, as often as
        it takes 2% of the time.
    keep : int, default=2
        The number of newest files of a training that stay; more than one, so that there is another if one is damaged. The states at
        the ends of fits always stay.

    Raises
    ------
    TypeError, ValueError
        If a parameter is invalid.

    Examples
    --------
    The second fit trains 20 epochs, not 30:

    >>> from sklearn.datasets import load_iris
    >>> from skdeep import Checkpoint, DeepClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(tol=None, random_state=0, checkpoint=Checkpoint())
    >>> model = model.set_params(max_epochs=10).fit(X, y)
    >>> model = model.set_params(max_epochs=30).fit(X, y)
    >>> model.n_iter_, len(model.history_)
    (30, 30)
    """

    folder: str | os.PathLike[str] | None = None
    every_epochs: int | None = None
    every_seconds: float | None = None
    keep: int = 2

    def __post_init__(self) -> None:
        if self.folder is not None and not isinstance(self.folder, str | os.PathLike):
            raise TypeError(f"The folder of Checkpoint must be a path or None. Got {self.folder!r} instead.")
        if self.folder is not None and not os.fspath(self.folder):
            raise ValueError("The folder of Checkpoint must not be empty. Give '.' for the current folder.")
        for name, kind, least in (("every_epochs", Integral, 1), ("every_seconds", Real, 0), ("keep", Integral, 1)):
            value = getattr(self, name)
            if value is None and name != "keep":
                continue
            if isinstance(value, bool) or not isinstance(value, kind) or not float(value) >= least:
                wanted = "a number >= 0" if kind is Real else "an int >= 1"
                raise ValueError(f"The {name} of Checkpoint must be {wanted}. Got {value!r} instead.")

    def clear(self) -> None:
        """Forget all trainings that are kept in the folder, or in the memory of this process. Do not call it during a fit."""
        self._store().clear()

    def _store(self) -> Store:
        from skdeep.core.checkpoints import MEMORY
        from skdeep.persistence.checkpoints import FolderStore

        return MEMORY if self.folder is None else FolderStore(Path(self.folder).absolute(), int(self.keep))

    def _interval(self) -> Interval:
        from skdeep.core.checkpoints import Interval

        epochs = None if self.every_epochs is None else int(self.every_epochs)
        return Interval(epochs, None if self.every_seconds is None else float(self.every_seconds))
