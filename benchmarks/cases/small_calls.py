"""Seconds of `predict` and `partial_fit` on few rows, warm, with two hidden layers of 128 units."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Any

from benchmarks import peers
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

SETUP = peers.Setup(widths=(128, 128), n_features=20, n_classes=2, batch_size=200, max_epochs=3)
MAKERS = {
    "skdeep": peers.skdeep_classifier,
    "skdeep_mlp": peers.skdeep_mlp,
    "sklearn": peers.sklearn_classifier,
}
PREDICTED = (1, 129, 512, 1000)
TRAINED = (1, 10, 200)
CALLS = 200
METRICS = [f"predict_{n}_seconds" for n in PREDICTED] + [f"partial_fit_{n}_seconds" for n in TRAINED]


def prepare(library: str, options: Options) -> Prepared:
    """Fit one model, and another one by `partial_fit`, so that all programs are compiled."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(max(PREDICTED), SETUP.n_features))
    y = (x[:, 0] > 0).astype(int)
    fitted, growing = MAKERS[library](SETUP), MAKERS[library](SETUP)
    _quietly(fitted.fit, x, y)
    _quietly(growing.partial_fit, x[:200], y[:200], classes=[0, 1])

    def measure() -> dict[str, float]:
        calls = [partial(fitted.predict, x[:n]) for n in PREDICTED]
        calls += [partial(_quietly, growing.partial_fit, x[:n], y[:n]) for n in TRAINED]
        return {metric: _median_seconds(call) for metric, call in zip(METRICS, calls, strict=True)}

    measure()
    return Prepared(measure)


def _median_seconds(call: Any) -> float:
    return median(timed(call) for _ in range(CALLS))


def _quietly(call: Any, *args: Any, **kwargs: Any) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(*args, **kwargs)


CASE = Case(
    name="small_calls",
    summary="predict of 1 to 1,000 rows and partial_fit of 1 to 200 rows of 20 values, 20-128-128-2, medians of 200 calls",
    contenders=(
        Contender("skdeep", partial(prepare, "skdeep")),
        Contender("skdeep_mlp", partial(prepare, "skdeep_mlp"), notes="our MLPClassifier"),
        Contender("sklearn", partial(prepare, "sklearn"), notes="MLPClassifier"),
    ),
    headline="predict_1_seconds",
    targets=tuple(
        Target(
            f"{metric.removesuffix('_seconds')}, ratio to MLPClassifier",
            ratio(("skdeep", metric), ("sklearn", metric)),
            2.0,
        )
        for metric in METRICS
    ),
)
