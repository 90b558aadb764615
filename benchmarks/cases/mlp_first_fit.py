"""Seconds of one fit at the defaults in a fresh process, of skdeep's and scikit-learn's perceptrons, on small data."""

from __future__ import annotations

import importlib
import time
from functools import partial

from benchmarks.processes import run_child
from benchmarks.runner import Case, Contender, Options, Prepared, Target, Values

DATA = ("iris", "wine", "breast_cancer", "digits", "diabetes")
SOLVERS = ("adam", "sgd", "lbfgs")
HOMES = {"skdeep": "skdeep", "sklearn": "sklearn.neural_network"}


def child(library: str | None, data: str, solver: str) -> dict[str, float]:
    """Import, load the data (float64) and fit; without a library, import jax and scikit-learn only."""
    start = time.perf_counter()
    if library is None:
        import jax  # noqa: F401  # the measured import
        import sklearn  # noqa: F401  # as above

        return {"inside_seconds": time.perf_counter() - start}
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{data}")(return_X_y=True)
    name = "MLPRegressor" if data == "diabetes" else "MLPClassifier"
    model = getattr(importlib.import_module(HOMES[library]), name)(solver=solver, random_state=0)
    model.fit(x, y)
    return {"inside_seconds": time.perf_counter() - start}


def prepare(options: Options, *, library: str) -> Prepared:
    """Measure all data sets and solvers in one process each; one run before, without measuring, caches the files."""
    run_child(CASE.name, {"library": library, "data": "iris", "solver": "adam"})

    def measure() -> dict[str, float]:
        return {f"{data}_{solver}_seconds": _seconds(library, data, solver) for data in DATA for solver in SOLVERS}

    return Prepared(measure)


def prepare_imports(options: Options) -> Prepared:
    """Measure `import jax, sklearn` in a fresh process."""
    return Prepared(lambda: {"import_seconds": _seconds(None, "", "")})


def _seconds(library: str | None, data: str, solver: str) -> float:
    return float(run_child(CASE.name, {"library": library, "data": data, "solver": solver})["inside_seconds"])


def _delay(data: str, solver: str, values: Values) -> float | None:
    """Return skdeep's seconds minus scikit-learn's, in units of the import's."""
    metric = f"{data}_{solver}_seconds"
    known = {key: values.get(key) for key in [("skdeep", metric), ("sklearn", metric), ("imports", "import_seconds")]}
    ours, theirs, imports = known.values()
    return None if ours is None or theirs is None or imports is None else (ours - theirs) / imports


CASE = Case(
    name="mlp_first_fit",
    summary="seconds from the start of Python to the end of one fit, fresh processes, 5 data sets x 3 solvers",
    contenders=(
        Contender("skdeep", partial(prepare, library="skdeep"), notes="compile included"),
        Contender("sklearn", partial(prepare, library="sklearn")),
        Contender("imports", prepare_imports, notes="import jax, sklearn"),
    ),
    headline="iris_adam_seconds",
    targets=tuple(
        Target(f"{data}, {solver}: delay in units of `import jax, sklearn`", partial(_delay, data, solver), 1.0)
        for data in DATA
        for solver in SOLVERS
    ),
)
