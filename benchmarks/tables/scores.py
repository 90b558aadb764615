"""Scores of predictions, and the fit of one contender on one fold."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, roc_auc_score


def scores_of(prediction: np.ndarray, y: np.ndarray, classes: np.ndarray | None) -> dict[str, float]:
    """Return error, log loss and 1 - AUC of probabilities; or the root mean squared error, in units of the spread of y."""
    if classes is None:
        rmse = float(np.sqrt(mean_squared_error(y, prediction)))
        return {"error": rmse / float(np.std(y)), "rmse": rmse}
    known = np.clip(prediction, 1e-7, 1)
    known = known / known.sum(axis=1, keepdims=True)
    found = {
        "error": 1 - accuracy_score(y, classes[prediction.argmax(axis=1)]),
        "log_loss": log_loss(y, known, labels=classes),
    }
    if len(classes) == 2:
        found["one_minus_auc"] = 1 - roc_auc_score(y, prediction[:, 1])
    return {name: float(value) for name, value in found.items()}


def fit_and_score(model: Any, train: tuple[Any, Any], test: tuple[Any, Any], is_regression: bool) -> dict[str, float]:
    """Return the scores of a contender on a fold, and the seconds of its fit, compiling included."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        model.fit(*train)
        seconds = time.perf_counter() - start
        prediction = model.predict(test[0]) if is_regression else model.predict_proba(test[0])
    y = np.asarray(test[1])
    return {**scores_of(prediction, y, None if is_regression else model.classes_), "fit_seconds": seconds}
