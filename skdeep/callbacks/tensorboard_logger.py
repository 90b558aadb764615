"""Histories of trainings for TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from skdeep.callbacks.run_logger import RunLogger


class TensorBoardLogger(RunLogger):
    """Writes the columns of `history_` for TensorBoard, as one scalar per column and epoch.

    Each fit has a folder of its own, "<folder>/<estimator>-<fit>", so TensorBoard shows each fit of a search as a run, also if several
    run at the same time. Each epoch is in the file when it ends. Show the runs by `tensorboard --logdir <folder>`.

    Parameters
    ----------
    folder : path-like
        The folder of all runs, which is made if needed.

    Raises
    ------
    ImportError
        If tensorboardX is not installed.
    TypeError
        If `folder` is invalid; in `fit`, if the estimator has no `history_`.
    ValueError
        In `fit`, if the estimator is an ensemble.

    Notes
    -----
    One object can be used for all clones in a search, in threads and in processes: it holds the open files by fit, and a pickled
    copy holds none. A logger stops nothing and changes no number, and a `checkpoint` ignores it. A fit that continues from a checkpoint
    writes only the epochs that it trains. Each call of `partial_fit` is a fit of its own.

    Examples
    --------
    >>> import importlib.util, os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep.callbacks import TensorBoardLogger
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(max_epochs=3, tol=None, random_state=0)
    >>> if hasattr(model, "set_callbacks") and importlib.util.find_spec("tensorboardX"):  # scikit-learn 1.9 and newer
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         model = model.set_callbacks(TensorBoardLogger(folder)).fit(X, y)
    ...         assert len(os.listdir(folder)) == 1
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        if not isinstance(folder, str | os.PathLike) or not os.fspath(folder):
            raise TypeError(f"The folder of TensorBoardLogger must be a path. Got {folder!r} instead.")
        _writer_class()
        self._folder = Path(folder).absolute()

    def _opened(self, estimator: Any, name: str) -> Any:
        return _writer_class()(str(self._folder / name))

    def _log(self, run: Any, epoch: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            run.add_scalar(name, value, epoch)
        run.flush()

    def _close(self, run: Any, is_finished: bool) -> None:
        run.close()


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as err:
        raise ImportError(
            'TensorBoardLogger needs tensorboardX. Install it with `pip install "skdeep-flax[tensorboard]"`.'
        ) from err
    return SummaryWriter
