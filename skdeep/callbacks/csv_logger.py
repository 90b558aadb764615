"""Histories of trainings in a CSV file."""

from __future__ import annotations

import csv
import math
import os
import uuid
from pathlib import Path
from typing import Any, ClassVar

from skdeep.callbacks.epoch_callback import EpochCallback, id_of_fit


class CSVLogger(EpochCallback):
    """Writes the columns of `history_` to a CSV file, with one line per epoch.

    The first column, "fit", is a text that is equal for the epochs of one fit. So all fits of a search, or of several calls of `fit`
    and `partial_fit`, write to one file, also at the same time from several threads and processes. Each line is in the file when
    its epoch ends. A missing value, such as the validation loss of a training without validation rows, is an empty cell.

    Parameters
    ----------
    path : path-like
        The file. Its folder is made if needed. A lock file, "<path>.lock", stays beside it.
    append : bool, default=False
        Whether to keep the lines of other loggers. If False, a logger that writes its first line replaces a file with lines of
        others; its own lines stay, in any case.

    Raises
    ------
    TypeError
        If a parameter is invalid; in `fit`, if the estimator has no `history_`.
    ValueError
        In `fit`, if the estimator is an ensemble, or if lines cannot be appended to a file with other columns.

    Notes
    -----
    One object, with its clones and its pickled copies, is one logger. Two loggers with one path must not run at the same time, unless
    both append. A logger stops nothing and changes no number, and a `checkpoint` ignores it. A fit that continues from a checkpoint
    writes only the epochs that it trains.

    Examples
    --------
    >>> import os, tempfile
    >>> import pandas as pd
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep.callbacks import CSVLogger
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(max_epochs=3, tol=None, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "history.csv")
    ...     if hasattr(model, "set_callbacks"):  # scikit-learn 1.9 and newer
    ...         model = model.set_callbacks(CSVLogger(path)).fit(X, y)
    ...         assert list(pd.read_csv(path).epoch) == [1, 2, 3]
    """

    is_part_of_training: ClassVar[bool] = False

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise TypeError(f"The path of CSVLogger must be the path of a file. Got {path!r} instead.")
        if not isinstance(append, bool):
            raise TypeError(f"The append of CSVLogger must be a bool. Got {append!r} instead.")
        self._path, self._append = Path(path).absolute(), append
        self._id = uuid.uuid4().hex[:8]

    def _after_epoch(self, estimator: Any, fit: Any, history: Any) -> bool:
        from filelock import FileLock  # an import of 50 ms

        self._path.parent.mkdir(parents=True, exist_ok=True)
        header = ["fit", *history.columns]
        cells = [f"{self._id}-{id_of_fit(fit)}", *(_cell(value) for value in history.iloc[-1])]
        cells[1] = str(int(history["epoch"].iloc[-1]))
        with FileLock(f"{self._path}.lock"):
            continues = self._continues(header)
            with self._path.open("a" if continues else "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([cells] if continues else [header, cells])
        return False

    def _continues(self, header: list[str]) -> bool:
        """Return True if a line goes to the end of the file, and False if the file begins anew."""
        if not self._path.exists():
            return False
        with self._path.open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            found, first = next(lines, []), next(lines, [])
        is_mine = bool(first) and first[0].startswith(f"{self._id}-")
        if not found or not (self._append or is_mine):
            return False
        if found != header:
            raise ValueError(
                f"CSVLogger cannot append to {self._path}, whose columns are {found} and not {header}. Give another path, or append=False."
            )
        return True


def _cell(value: Any) -> str:
    """Return a number such that reading it gives the same bits; an empty text for NaN."""
    return "" if math.isnan(value) else repr(float(value))
