"""Seconds to predict one row and many rows, warm, with a hidden layer of 100 units."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Any

from benchmarks import data, peers
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

SETUP = peers.Setup(widths=(100,), n_features=64, n_classes=10, batch_size=64, max_epochs=5)
MAKERS = {"skdeep": peers.skdeep_classifier, "sklearn": peers.sklearn_classifier}
MANY_ROWS = 100_000
CALLS = 300


def prepare(library: str, options: Options) -> Prepared:
    """Fit on the digits, and predict once at both sizes."""
    import numpy as np

    model = MAKERS[library](SETUP)
    _fit_quietly(model)
    one = data.digits()[0][:1]
    many = np.random.default_rng(0).random((options.rows or MANY_ROWS, SETUP.n_features), dtype=np.float32)
    once = {
        "first_one_row_seconds": timed(lambda: model.predict(one)),
        "first_many_rows_seconds": timed(lambda: model.predict(many)),
    }

    def measure() -> dict[str, float]:
        return {
            "one_row_seconds": median(timed(lambda: model.predict(one)) for _ in range(CALLS)),
            "many_rows_seconds": timed(lambda: model.predict(many)),
        }

    return Prepared(measure, once)


def _fit_quietly(model: Any) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*data.digits())


CASE = Case(
    name="predict",
    summary="predict of one row (median of 300 calls) and of 100,000 rows of 64 float32 values, 64-100-10",
    contenders=(
        Contender("skdeep", partial(prepare, "skdeep")),
        Contender("sklearn", partial(prepare, "sklearn"), notes="MLPClassifier"),
    ),
    headline="one_row_seconds",
    targets=(
        Target(
            "one row, ratio to MLPClassifier (aim 1)",
            ratio(("skdeep", "one_row_seconds"), ("sklearn", "one_row_seconds")),
            2.0,
        ),
        Target(
            "100,000 rows, ratio to MLPClassifier",
            ratio(("skdeep", "many_rows_seconds"), ("sklearn", "many_rows_seconds")),
            1.0,
        ),
    ),
)
