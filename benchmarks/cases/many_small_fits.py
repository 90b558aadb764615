"""GridSearchCV over 200 candidates x 5 folds of a small network: what a fit costs beyond its arithmetic."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise
from typing import Any

from benchmarks import peers
from benchmarks.processes import run_child
from benchmarks.runner import Case, Contender, Options, Prepared, Target, Values

N_ROWS, N_FOLDS, N_CANDIDATES, EPOCHS = 1000, 5, 200, 50
SETUP = peers.Setup(widths=(16,), n_features=20, n_classes=2, batch_size=200, max_epochs=EPOCHS)
SECONDS_PER_STEP = 20e-6


def child(library: str, backend: str, n_candidates: int) -> dict[str, float]:
    """Search once for two candidates, so that programs are compiled, and then measure a search for all."""
    import joblib
    import numpy as np
    from sklearn.model_selection import GridSearchCV

    rng = np.random.default_rng(0)
    x = rng.normal(size=(N_ROWS, SETUP.n_features)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    model, name = _model(library)

    def seconds(n: int) -> float:
        search = GridSearchCV(model, {name: np.geomspace(1e-4, 1e-2, n)}, cv=N_FOLDS, refit=False, error_score="raise")
        start = time.perf_counter()
        with joblib.parallel_config(backend):
            search.fit(x, y)
        return time.perf_counter() - start

    seconds(2)
    return {"search_seconds": seconds(n_candidates), "floor_seconds": floor_seconds(n_candidates)}


def _model(library: str) -> tuple[Any, str]:
    if library == "skdeep":
        return peers.skdeep_classifier(SETUP), "learning_rate"
    from sklearn.dummy import DummyClassifier

    class Nothing(DummyClassifier):  # type: ignore[misc]  # scikit-learn has no types
        """Takes a learning rate, and does nothing with it."""

        def __init__(self, learning_rate: float = 0.1) -> None:
            super().__init__()
            self.learning_rate = learning_rate

    return Nothing(), "learning_rate"


def floor_seconds(n_candidates: int) -> float:
    """Return the time of the arithmetic at the measured rate of matrix products, plus 20 microseconds a step, on one core."""
    import numpy as np

    a = np.ones((1024, 1024), np.float32)
    rates = []
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        rates.append(2 * 1024**3 / (time.perf_counter() - start))
    steps_per_epoch = -(-N_ROWS * (N_FOLDS - 1) // N_FOLDS // SETUP.batch_size)
    n_steps = n_candidates * N_FOLDS * EPOCHS * steps_per_epoch
    widths = (SETUP.n_features, *SETUP.widths, 1)
    flops = 6 * SETUP.batch_size * sum(n * m for n, m in pairwise(widths))
    return n_steps * (flops / max(rates) + SECONDS_PER_STEP)


def prepare(options: Options, *, library: str, backend: str = "sequential") -> Prepared:
    """Every measurement is a process of its own."""
    arguments = {"library": library, "backend": backend, "n_candidates": options.rows or N_CANDIDATES}
    return Prepared(partial(run_child, CASE.name, arguments))


def _over_floor(contender: str, values: Values) -> float | None:
    names = (contender, "search_seconds"), ("nothing", "search_seconds"), (contender, "floor_seconds")
    search, nothing, floor = (values.get(name) for name in names)
    return None if search is None or nothing is None or floor is None else (search - nothing) / floor


CASE = Case(
    name="many_small_fits",
    summary="GridSearchCV of 200 learning rates x 5 folds, 20-16-2, 1,000 rows, 50 epochs, batch 200, warm; --rows sets the candidates",
    contenders=(
        Contender("skdeep", partial(prepare, library="skdeep"), notes="n_jobs=1"),
        Contender(
            "skdeep_backend", partial(prepare, library="skdeep", backend="skdeep"), notes="parallel_config('skdeep')"
        ),
        Contender("nothing", partial(prepare, library="nothing"), notes="an estimator that does nothing, n_jobs=1"),
    ),
    headline="search_seconds",
    targets=(
        Target("search less that of doing nothing, ratio to the arithmetic's", partial(_over_floor, "skdeep"), 3),
        Target("the same with joblib's backend of skdeep", partial(_over_floor, "skdeep_backend"), 3),
    ),
    repeats=3,
)
