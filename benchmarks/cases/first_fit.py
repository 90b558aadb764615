"""Seconds of the first fit in a fresh process, against those of importing jax and scikit-learn in the same process."""

from __future__ import annotations

import tempfile
import time
from functools import partial

from benchmarks.processes import run_child
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio

EPOCHS = 50


def child(epochs: int) -> dict[str, float]:
    """Import, load iris, and fit. The lazy imports of `fit` are part of its time."""
    start = time.perf_counter()
    import jax  # noqa: F401  # the measured import
    import sklearn  # noqa: F401  # as above

    imported = time.perf_counter()
    from sklearn.datasets import load_iris

    from skdeep import DeepClassifier

    x, y = load_iris(return_X_y=True)
    ready = time.perf_counter()
    model = DeepClassifier(max_epochs=epochs, random_state=0).fit(x, y)
    first = time.perf_counter()
    model.fit(x, y)
    second = time.perf_counter()
    return {
        "jax_sklearn_import_seconds": imported - start,
        "skdeep_import_seconds": ready - imported,
        "first_fit_seconds": first - ready,
        "second_fit_seconds": second - first,
    }


def prepare(options: Options) -> Prepared:
    """Run once without measuring, so that files are cached in memory and compiled to bytecode."""
    return _prepared(options, {"SKDEEP_COMPILE_CACHE": "0"})


def prepare_on_disk(options: Options) -> Prepared:
    """Fill a new folder of compiled programs by a run that is not measured."""
    return _prepared(options, {"SKDEEP_COMPILE_CACHE": tempfile.mkdtemp()})


def _prepared(options: Options, environment: dict[str, str]) -> Prepared:
    measure = partial(run_child, CASE.name, {"epochs": options.epochs or EPOCHS}, environment)
    measure()
    return Prepared(measure)


IMPORT = "jax_sklearn_import_seconds"

CASE = Case(
    name="first_fit",
    summary="first fit of DeepClassifier(max_epochs=50) on iris in a fresh process, data loaded before",
    contenders=(
        Contender("skdeep", prepare, notes="skdeep_import_seconds includes loading iris"),
        Contender(
            "skdeep, programs on disk", prepare_on_disk, notes="SKDEEP_COMPILE_CACHE, filled by an earlier process"
        ),
    ),
    headline="first_fit_seconds",
    targets=(
        Target(
            "first fit, ratio to importing jax and scikit-learn",
            ratio(("skdeep", "first_fit_seconds"), ("skdeep", IMPORT)),
            0.6,
        ),
        Target(
            "first fit with compiled programs on disk, ratio to importing jax and scikit-learn",
            ratio(("skdeep, programs on disk", "first_fit_seconds"), ("skdeep, programs on disk", IMPORT)),
            0.15,
        ),
    ),
)
