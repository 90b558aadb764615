"""Digests of seeded fits, to check that two commits give the same results to the bit.

Run it on both checkouts, and compare the output::

    python -m benchmarks.same_bits > before.txt        # in a checkout of the earlier commit
    python -m benchmarks.same_bits > after.txt
    diff before.txt after.txt

Each line has a digest of parameters, history (without seconds) and predictions of one setting. Compare on the same machine
only: another processor may round differently.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from skdeep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    MLPClassifier,
    MLPRegressor,
    SequenceGenerator,
)
from skdeep.layers import BatchNorm, Dense, Dropout

RNG = np.random.RandomState(0)
X = RNG.randn(230, 12).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + X[:, 2] + 0.3 * RNG.randn(230) > 0).astype(int)
Y3 = np.digitize(X[:, 0] + X[:, 1], [-0.7, 0.7])
LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 0.5], axis=1).astype(int)
VALUES = 5 + 3 * X[:, 0] - X[:, 1] ** 2
TWO_VALUES = np.stack([VALUES, X[:, 3]], axis=1)
COUNTS = RNG.poisson(np.exp(0.5 * X[:, 0])).astype(float)
WEIGHT = RNG.uniform(0, 3, 230).round(1)
SPARSE = sp.random(230, 400, density=0.02, format="csr", random_state=0, dtype=np.float32)
DENSER = sp.random(230, 30, density=0.3, format="csr", random_state=0, dtype=np.float32)
IMAGES = RNG.rand(230, 6, 6, 1).astype(np.float32)
TEXTS = ["to be, or not to be, that is the question", "whether it is nobler in the mind", "to suffer or to act"]
DEEP = {"max_epochs": 6, "tol": None, "random_state": 0, "batch_size": 32}
STOPS = {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 12, "random_state": 0, "batch_size": 32}
MLP = {"max_iter": 6, "random_state": 0, "hidden_layer_sizes": (9,), "batch_size": 32}


def settings() -> Iterator[tuple[str, Callable[[], tuple[Any, Any]]]]:
    """Yield, per setting, its name and a function that returns a fitted estimator and rows to predict."""
    norms = [Dense(16), BatchNorm(), "relu", Dropout(0.3)]
    rows: list[tuple[str, Any, Any, Any, dict[str, Any]]] = [
        ("deep", DeepClassifier(**DEEP), X, Y, {}),
        ("deep weights", DeepClassifier(**DEEP), X, Y, {"sample_weight": WEIGHT}),
        ("deep whole weights", DeepClassifier(**DEEP), X.round(), Y, {"sample_weight": WEIGHT.round()}),
        ("deep class weights", DeepClassifier(class_weight="balanced", **DEEP), X, Y3, {}),
        ("deep strings", DeepClassifier(**DEEP), X, np.array(["a", "b", "c"])[Y3], {}),
        ("deep multilabel", DeepClassifier(class_weight="balanced", **DEEP), X, LABELS, {}),
        ("deep float64", DeepClassifier(**DEEP), X.astype(np.float64), Y, {}),
        ("deep early stopping", DeepClassifier(**STOPS), X, Y3, {}),
        ("deep early stopping weights", DeepClassifier(**STOPS), X, Y3, {"sample_weight": WEIGHT}),
        ("deep early stopping no shuffle", DeepClassifier(shuffle=False, **STOPS), X, Y3, {}),
        ("deep scoring", DeepClassifier(scoring="accuracy", **STOPS), X, Y3, {"sample_weight": WEIGHT}),
        ("deep validation", DeepClassifier(**STOPS), X[50:], Y3[50:], {"X_val": X[:50], "y_val": Y3[:50]}),
        ("deep norms", DeepClassifier(network=norms, **DEEP), X, Y, {}),
        ("deep norms early stopping", DeepClassifier(network=norms, **STOPS), X, Y, {}),
        ("deep sparse entries", DeepClassifier(**DEEP), SPARSE, Y, {}),
        ("deep sparse blocks", DeepClassifier(**DEEP), DENSER, Y, {}),
        ("deep sparse early stopping", DeepClassifier(**STOPS), SPARSE, Y, {}),
        ("deep sparse norms", DeepClassifier(network=norms, **STOPS), DENSER, Y, {}),
        ("deep images", DeepClassifier(network="cnn", **DEEP), IMAGES, Y, {}),
        ("deep penalties", DeepClassifier(l1=1e-3, l2=1e-3, clip_norm=0.1, **DEEP), X, Y, {}),
        ("deep schedule", DeepClassifier(schedule="warmup_cosine", optimizer="adamw", **DEEP), X, Y, {}),
        ("deep mixing", DeepClassifier(augmentation="mixup", **DEEP), X, Y, {}),
        ("deep lbfgs", DeepClassifier(optimizer="lbfgs", max_epochs=5, random_state=0), X, Y, {}),
        ("deep schedule-free", DeepClassifier(optimizer="schedule_free_adamw", **DEEP), X, Y, {}),
        ("deep patience", DeepClassifier(max_epochs=40, tol=1e-2, n_iter_no_change=3, random_state=0), X, Y, {}),
        ("regressor", DeepRegressor(**DEEP), X, VALUES, {"sample_weight": WEIGHT}),
        ("regressor two", DeepRegressor(**STOPS), X, TWO_VALUES, {}),
        ("regressor nll", DeepRegressor(loss="gaussian_nll", **DEEP), X, VALUES, {}),
        ("regressor poisson", DeepRegressor(loss="poisson", **DEEP), X, COUNTS, {}),
        ("autoencoder", DeepAutoencoder(n_components=3, noise=0.1, **DEEP), X, None, {}),
        ("autoencoder early stopping", DeepAutoencoder(n_components=3, **STOPS), X, None, {}),
        ("autoencoder variational", DeepAutoencoder(n_components=3, variational=True, **DEEP), X, None, {}),
        ("generator", SequenceGenerator(context_length=8, max_epochs=4, tol=None, random_state=0), TEXTS, None, {}),
        (
            "generator early stopping",
            SequenceGenerator(network="gru", context_length=4, early_stopping=True, max_epochs=4, random_state=0),
            TEXTS,
            None,
            {},
        ),
        ("perceptron", MLPClassifier(**MLP), X, Y, {}),
        ("perceptron float64", MLPClassifier(**MLP), X.astype(np.float64), Y3, {"sample_weight": WEIGHT}),
        ("perceptron multilabel", MLPClassifier(**MLP), X, LABELS, {}),
        ("perceptron class weights", MLPClassifier(class_weight="balanced", **MLP), X, Y3, {}),
        ("perceptron early stopping", MLPClassifier(early_stopping=True, n_iter_no_change=2, **MLP), X, Y3, {}),
        ("perceptron sparse", MLPClassifier(early_stopping=True, **MLP), DENSER, Y, {}),
        ("perceptron sgd", MLPClassifier(solver="sgd", learning_rate="adaptive", tol=0.1, **MLP), X, Y, {}),
        ("perceptron invscaling", MLPClassifier(solver="sgd", learning_rate="invscaling", **MLP), X, Y, {}),
        ("perceptron lbfgs", MLPClassifier(solver="lbfgs", **MLP), X, Y3, {}),
        ("perceptron no shuffle", MLPClassifier(shuffle=False, **MLP), X, Y3, {}),
        ("perceptron named solver", MLPClassifier(solver="adamw", **MLP), X, Y3, {}),
        ("perceptron norms", MLPClassifier(dropout=0.2, normalization="batch", **MLP), X, Y3, {}),
        ("perceptron regressor", MLPRegressor(early_stopping=True, **MLP), X, VALUES, {}),
        ("perceptron regressor two", MLPRegressor(**MLP), X, TWO_VALUES, {"sample_weight": WEIGHT}),
        ("perceptron regressor lbfgs", MLPRegressor(solver="lbfgs", **MLP), X.astype(np.float64), VALUES, {}),
        ("perceptron poisson", MLPRegressor(loss="poisson", **MLP), X, COUNTS, {}),
    ]
    for name, estimator, x, y, given in rows:
        yield name, lambda estimator=estimator, x=x, y=y, given=given: (estimator.fit(x, y, **given), x)
    yield "pretrained", _pretrained
    for name, estimator, y in (
        ("parts deep", DeepClassifier(network=norms, **DEEP), Y3),
        ("parts regressor", DeepRegressor(optimizer="schedule_free_adamw", **DEEP), VALUES),
        ("parts perceptron", MLPClassifier(solver="sgd", **MLP), Y3),
        ("parts perceptron regressor", MLPRegressor(normalization="layer", **MLP), VALUES),
        ("parts autoencoder", DeepAutoencoder(n_components=2, **DEEP), None),
    ):
        yield name, lambda estimator=estimator, y=y: (_in_parts(estimator, y), X)
    yield "warm deep", lambda: (_twice(DeepClassifier(warm_start=True, **STOPS)), X)
    yield "warm perceptron", lambda: (_twice(MLPClassifier(warm_start=True, early_stopping=True, **MLP)), X)
    yield "warm perceptron lbfgs", lambda: (_twice(MLPClassifier(warm_start=True, solver="lbfgs", **MLP)), X)


def _pretrained() -> tuple[Any, Any]:
    from sklearn.frozen import FrozenEstimator

    encoder = DeepAutoencoder(n_components=4, **DEEP).fit(X)
    return DeepClassifier(pretrain=FrozenEstimator(encoder), freeze_pretrained=True, **DEEP).fit(X, Y), X


def _in_parts(estimator: Any, y: Any) -> Any:
    for part in (slice(0, 100), slice(100, 200), slice(200, 230)):
        classes = {"classes": np.unique(Y3)} if part.start == 0 and hasattr(estimator, "predict_proba") else {}
        estimator.partial_fit(X[part], None if y is None else y[part], **classes)
    return estimator


def _twice(estimator: Any) -> Any:
    return estimator.fit(X, Y3).fit(X[::-1], Y3[::-1])


def digest(estimator: Any, x: Any) -> str:
    """Return a digest of the fitted attributes and the predictions of an estimator."""
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, dict):
            for name in sorted(value):
                found.update(str(name).encode())
                add(value[name])
        elif isinstance(value, list | tuple):
            for item in value:
                add(item)
        else:
            array = np.ascontiguousarray(value)
            found.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())

    history = estimator.history_.drop(columns="seconds")
    add([estimator.params_, getattr(estimator, "model_state_", {}), history.to_numpy(), estimator.n_iter_])
    for name in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(estimator, name):
            predicted = getattr(estimator, name)(x)
            add(predicted.toarray() if sp.issparse(predicted) else predicted)
    if hasattr(estimator, "generate"):
        found.update(repr(estimator.generate("to ", n=20, random_state=0)).encode())
        add(estimator.score(x))
    return found.hexdigest()[:16]


def main(wanted: list[str]) -> None:
    """Print one line per setting whose name contains one of the wanted words; without words, all settings."""
    for name, fit in settings():
        if wanted and not any(word in name for word in wanted):
            continue
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            estimator, x = fit()
        print(f"{name:35}{digest(estimator, x)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
