"""The price of keeping a training: seconds of fits with a checkpoint per epoch, and of a grid over `max_epochs`, against those without."""

from __future__ import annotations

import tempfile
import warnings
from functools import partial
from typing import Any

from benchmarks import data, peers
from benchmarks.cases.fashion_dense import SETUP
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

EPOCHS = 5
GRID = tuple(range(100, 1001, 100))


def prepare(options: Options, *, keeps: bool) -> Prepared:
    """Warm up by a fit of one epoch, and by the longest fit of the grid."""
    from skdeep import Checkpoint

    x, y = data.fashion_mnist(options.rows)
    folder = tempfile.TemporaryDirectory()
    in_folder, in_memory = Checkpoint(folder.name, every_epochs=1), Checkpoint()
    model = peers.skdeep_classifier(SETUP).set_params(random_state=0)
    model.fit(x, y)
    model.set_params(max_epochs=options.epochs or EPOCHS, checkpoint=in_folder if keeps else None)
    search = partial(_grid, in_memory if keeps else None)
    search()

    def measure() -> dict[str, float]:
        in_folder.clear()
        in_memory.clear()
        fit_seconds = timed(lambda: model.fit(x, y))
        identity_seconds = _identity_seconds(model, x, y) if keeps else 0.0
        return {
            "fit_seconds": fit_seconds,
            "identity_seconds": identity_seconds,
            "epochs_seconds": fit_seconds - identity_seconds,
            "grid_seconds": timed(search),
        }

    return Prepared(measure)


def _identity_seconds(model: Any, x: Any, y: Any) -> float:
    """Return the seconds of the digest by which a training is found: once per fit, whatever its number of epochs."""
    from skdeep.estimators.prepare import prepare as job_of
    from skdeep.estimators.training import FitData

    return timed(job_of(model, FitData(x, y)).identity)


def prepare_longest(options: Options) -> Prepared:
    """Measure the fits of the grid with the most epochs, without checkpoints."""
    _grid(None, GRID[-1:])
    return Prepared(lambda: {"grid_seconds": timed(partial(_grid, None, GRID[-1:]))})


def _grid(checkpoint: Any, values: tuple[int, ...] = GRID) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV

    from skdeep import DeepClassifier

    x, y = data.digits()
    model = DeepClassifier(tol=None, random_state=0, checkpoint=checkpoint)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GridSearchCV(model, {"max_epochs": list(values)}, cv=3, refit=False).fit(x, y)


CASE = Case(
    name="checkpoints",
    summary="fits of 784-512-512-10 on Fashion-MNIST with a checkpoint per epoch, and a grid over ten max_epochs on the digits",
    contenders=(
        Contender("without", partial(prepare, keeps=False)),
        Contender("with", partial(prepare, keeps=True), notes="a folder for the fit, memory for the grid"),
        Contender("longest", prepare_longest, notes="the grid's fits with the most epochs only, without checkpoints"),
    ),
    headline="fit_seconds",
    targets=(
        Target(
            "epochs with a checkpoint each, ratio to those without",
            ratio(("with", "epochs_seconds"), ("without", "epochs_seconds")),
            1.03,
        ),
        Target("whole fit, with the digest of the rows", ratio(("with", "fit_seconds"), ("without", "fit_seconds"))),
        Target(
            "grid over max_epochs in memory, ratio to its longest fits",
            ratio(("with", "grid_seconds"), ("longest", "grid_seconds")),
            1.2,
        ),
        Target("the same without checkpoints", ratio(("without", "grid_seconds"), ("longest", "grid_seconds"))),
    ),
)
