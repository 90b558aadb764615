"""Seconds and memory with sparse rows of many columns, and with many classes, against scikit-learn."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks import peers
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

MAKERS = {"skdeep": peers.skdeep_classifier, "sklearn": peers.sklearn_classifier}
WIDTHS = (128, 128)
METRICS = (
    "tfidf_fit_seconds",
    "tfidf_predict_seconds",
    "hashed_fit_seconds",
    "hashed_predict_seconds",
    "classes_predict_proba_seconds",
)


def prepare(library: str, options: Options) -> Prepared:
    """Fit each data set once, so that all programs are compiled."""
    tables = {"tfidf": _sparse(1500, 12541, 0.006), "hashed": _sparse(400, 131072, 0.001)}
    models = {name: _model(library, x.shape[1], 4, 5) for name, (x, _) in tables.items()}
    for name, model in models.items():
        model.fit(*tables[name])
    x, y = _many_classes()
    classifier = _model(library, x.shape[1], 2000, 1).fit(x, y)

    def measure() -> dict[str, float]:
        seconds = {}
        for name, model in models.items():
            seconds[f"{name}_fit_seconds"] = timed(partial(model.fit, *tables[name]))
            model.predict(tables[name][0])
            seconds[f"{name}_predict_seconds"] = timed(partial(model.predict, tables[name][0]))
        seconds["classes_predict_proba_seconds"] = timed(lambda: classifier.predict_proba(x))
        return seconds

    _silence()
    measure()
    return Prepared(measure)


def _model(library: str, n_features: int, n_classes: int, epochs: int) -> Any:
    _silence()
    setup = peers.Setup(WIDTHS, n_features, n_classes, batch_size=200, max_epochs=epochs)
    return MAKERS[library](setup)


def _silence() -> None:
    """Ignore convergence warnings: the number of epochs is small on purpose."""
    import warnings

    warnings.simplefilter("ignore")


def _sparse(n: int, columns: int, density: float) -> tuple[Any, Any]:
    import numpy as np
    import scipy.sparse

    rng = np.random.default_rng(0)
    x = scipy.sparse.random(n, columns, density=density, format="csr", random_state=0)
    return x, rng.integers(0, 4, n)


def _many_classes() -> tuple[Any, Any]:
    import numpy as np

    return np.random.default_rng(0).normal(size=(5000, 20)), np.arange(5000) % 2000


CASE = Case(
    name="wide_data",
    summary="TF-IDF (1,500 x 12,541, .6% stored) and hashed (400 x 131,072, .1%), 5 epochs; probabilities of 2,000 classes, 5,000 rows",
    contenders=(
        Contender("skdeep", partial(prepare, "skdeep")),
        Contender("sklearn", partial(prepare, "sklearn"), notes="MLPClassifier"),
    ),
    headline="tfidf_predict_seconds",
    targets=tuple(
        Target(
            f"{metric.removesuffix('_seconds')}, ratio to MLPClassifier",
            ratio(("skdeep", metric), ("sklearn", metric)),
            2.0,
        )
        for metric in METRICS
    ),
)
