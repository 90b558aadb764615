"""GridSearchCV over 16 learning rates x 5 folds on digits: 80 fits of 64-100-10, in fresh processes."""

from __future__ import annotations

import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from benchmarks import data, peers
from benchmarks.compiling import compile_clock
from benchmarks.processes import run_child
from benchmarks.runner import Case, Contender, Options, Prepared, Target, Values, ratio

SETUP = peers.Setup(widths=(100,), n_features=64, n_classes=10, batch_size=64, max_epochs=50)
MAKERS = {
    "skdeep": peers.skdeep_classifier,
    "skdeep_mlp": peers.skdeep_mlp,
    "sklearn": peers.sklearn_classifier,
    "skorch": peers.skorch_classifier,
}
RATE_NAMES = {
    "skdeep": "learning_rate",
    "skdeep_mlp": "learning_rate_init",
    "sklearn": "learning_rate_init",
    "skorch": "lr",
}
N_RATES, N_FOLDS = 16, 5


def child(library: str, backend: str | None, n_measured: int, epochs: int) -> dict[str, float]:
    """Run one search in this process; with only `n_measured` of the rates, scale its time up to all rates."""
    start = time.perf_counter()
    import joblib
    import numpy as np
    from sklearn.model_selection import GridSearchCV

    model = MAKERS[library](replace(SETUP, max_epochs=epochs))
    import_seconds = time.perf_counter() - start
    x, y = data.digits()
    rates = np.geomspace(1e-4, 3e-2, N_RATES)[:: N_RATES // n_measured]
    search = GridSearchCV(model, {RATE_NAMES[library]: rates}, cv=N_FOLDS, refit=False, error_score="raise")
    begin = time.perf_counter()
    jobs = joblib.parallel_config(backend, n_jobs=None if backend == "skdeep" else 2) if backend else nullcontext()
    with jobs, compile_clock() if library.startswith("skdeep") else nullcontext() as compiling:
        search.fit(x, y)
    measured = time.perf_counter() - begin
    result = {
        "import_seconds": import_seconds,
        "search_seconds": measured * N_RATES / len(rates),
        "unmeasured_seconds": measured * (N_RATES / len(rates) - 1),
        "total_seconds": time.perf_counter() - start,
        "best_score": float(search.cv_results_["mean_test_score"].max()),
    }
    if compiling is not None:
        result |= {"compile_seconds": sum(compiling), "train_block_compiles": _train_block_compiles()}
    return result


def _backend_to_sequential(values: Values) -> float | None:
    """Return the ratio of the searches' times without compiling."""
    times = []
    for contender in ("skdeep_backend", "skdeep"):
        parts = [values.get((contender, name)) for name in ("search_seconds", "compile_seconds")]
        if None in parts:
            return None
        times.append(parts[0] - parts[1])
    return times[0] / times[1]


def _train_block_compiles() -> int:
    import skdeep

    counts = skdeep.compile_counts().get("train_block")  # None if it was loaded from disk
    return 0 if counts is None else counts.compiles


def prepare(
    options: Options,
    *,
    library: str,
    backend: str | None = None,
    n_measured: int = N_RATES,
    threads: int | None = None,
    on_disk: bool = False,
) -> Prepared:
    """Every measurement is a whole process, so there is no warm-up. `threads` is the number of BLAS threads.

    With `on_disk`, compiled programs are in a folder that an earlier process filled.
    """
    epochs = options.epochs or SETUP.max_epochs
    arguments = {"library": library, "backend": backend, "n_measured": n_measured, "epochs": epochs}
    environment = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")} if threads else {}
    if on_disk:
        environment["SKDEEP_COMPILE_CACHE"] = tempfile.mkdtemp()
        run_child(CASE.name, arguments, environment)

    def measure() -> dict[str, float]:
        result = run_child(CASE.name, arguments, environment)
        unmeasured = result.pop("unmeasured_seconds")
        result["total_seconds"] += unmeasured
        result["process_seconds"] += unmeasured
        return result

    return Prepared(measure)


CASE = Case(
    name="digits_grid",
    summary="GridSearchCV of 16 learning rates x 5 folds on digits, 64-100-10, 50 epochs, batch 64, fresh processes",
    contenders=(
        Contender("skdeep", partial(prepare, library="skdeep"), notes="n_jobs=1, one process"),
        Contender("skdeep_mlp", partial(prepare, library="skdeep_mlp"), notes="MLPClassifier of skdeep"),
        Contender("sklearn_1_thread", partial(prepare, library="sklearn", threads=1), notes="1 BLAS thread"),
        Contender("sklearn_2_threads", partial(prepare, library="sklearn", threads=2), notes="2 BLAS threads"),
        Contender(
            "skorch",
            partial(prepare, library="skorch", n_measured=2),
            ("torch", "skorch"),
            "2 of the 16 rates measured, the search's time multiplied by 8",
        ),
        Contender(
            "skdeep_threading",
            partial(prepare, library="skdeep", backend="threading"),
            notes="parallel_config('threading', n_jobs=2)",
        ),
        Contender(
            "skdeep_backend",
            partial(prepare, library="skdeep", backend="skdeep"),
            notes="parallel_config('skdeep')",
        ),
        Contender(
            "skdeep_backend_disk",
            partial(prepare, library="skdeep", backend="skdeep", on_disk=True),
            notes="the same with SKDEEP_COMPILE_CACHE, filled by an earlier process",
        ),
        Contender(
            "sklearn_loky",
            partial(prepare, library="sklearn", backend="loky"),
            notes="parallel_config('loky', n_jobs=2)",
        ),
    ),
    headline="process_seconds",
    targets=(
        Target(
            "whole process, ratio to MLPClassifier with the better number of threads",
            ratio(
                ("skdeep", "process_seconds"),
                ("sklearn_1_thread", "process_seconds"),
                ("sklearn_2_threads", "process_seconds"),
            ),
            1 / 3,
        ),
        Target(
            "the same for skdeep's MLPClassifier",
            ratio(
                ("skdeep_mlp", "process_seconds"),
                ("sklearn_1_thread", "process_seconds"),
                ("sklearn_2_threads", "process_seconds"),
            ),
            1 / 3,
        ),
        Target(
            "whole process, ratio to skorch (scaled)",
            ratio(("skdeep", "process_seconds"), ("skorch", "process_seconds")),
            1 / 30,
        ),
        Target(
            "two jobs: threads of skdeep, ratio to processes of MLPClassifier",
            ratio(("skdeep_threading", "process_seconds"), ("sklearn_loky", "process_seconds")),
            1 / 3,
        ),
        Target(
            "search after compiling: joblib's backend of skdeep, ratio to one fit after the other",
            _backend_to_sequential,
            1 / 1.7,
        ),
        Target(
            "the backend of skdeep, whole process, ratio to processes of MLPClassifier",
            ratio(("skdeep_backend", "process_seconds"), ("sklearn_loky", "process_seconds")),
            1 / 4,
        ),
        Target(
            "the same with compiled programs on disk",
            ratio(("skdeep_backend_disk", "process_seconds"), ("sklearn_loky", "process_seconds")),
            1 / 6,
        ),
        Target("compiles of the training program", lambda values: values.get(("skdeep", "train_block_compiles")), 1),
    ),
)
