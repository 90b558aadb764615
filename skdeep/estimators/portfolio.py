"""The preset "portfolio": several presets on the same folds, weighted by a greedy selection of out-of-fold predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
    zero_one_loss,
)
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from skdeep.core.greedy import greedy_counts
from skdeep.estimators.members import copy_shared, folds
from skdeep.estimators.validation_split import checked_groups
from skdeep.tables.presets import PORTFOLIO

N_FOLDS = 3
_SMALLEST_PROBABILITY = 1e-7


def train_portfolio(estimator: Any, data: Any) -> Any:
    """Train the presets of the portfolio on the same folds, and store the members of those that are selected.

    The estimator does not change until all have trained.

    Parameters
    ----------
    estimator : TabularClassifier or TabularRegressor
    data : FitData
    """
    with estimator._replaced_when_fitted() as new:
        estimator._check_parameters(
            is_partial=False
        )  # the presets get seeds of their own, so they do not warn of a missing one
        rng = check_random_state(estimator.random_state)
        splits = _splits(estimator, data, rng)
        models = {}
        for name in PORTFOLIO:
            seed = int(rng.randint(2**31 - 1))
            model = clone(estimator).set_params(preset=name, cv=splits, random_state=seed)
            models[name] = model.fit(data.X, data.y, data.sample_weight, **_validation_of(data))
            _check_has_probabilities(models[name])
        oof = np.stack([model.oof_predictions_ for model in models.values()])
        known = ~np.isnan(oof.reshape(len(oof), oof.shape[1], -1)).any(axis=(0, 2))
        y, weight = _target(estimator, next(iter(models.values())), data, known)
        counts = greedy_counts(oof[:, known], lambda p: _loss(estimator, p, y, weight))
        _store(new, models, counts, oof)
        new.oof_score_ = _score(estimator, new.oof_predictions_[known], y, weight)
    return estimator


def _splits(estimator: Any, data: Any, rng: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds that all presets share."""
    stratifies = is_classifier(estimator) and type_of_target(data.y) in ("binary", "multiclass")
    cv = N_FOLDS if estimator.cv is None else estimator.cv
    return list(folds(cv, np.asarray(data.y), checked_groups(data), stratifies, rng))


def _check_has_probabilities(model: Any) -> None:
    if is_classifier(model) and not model.loss_.probabilistic:
        raise ValueError(
            f"preset='portfolio' of {type(model).__name__} averages probabilities, which the loss {type(model.loss_).__name__} does not give. "
            "Leave loss at 'auto', or choose another preset."
        )


def _validation_of(data: Any) -> dict[str, Any]:
    names = ("groups", "X_val", "y_val", "sample_weight_val")
    return {name: getattr(data, name) for name in names if getattr(data, name) is not None}


def _target(estimator: Any, model: Any, data: Any, known: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return y of the rows with out-of-fold predictions, as class codes for a classifier, and their weights."""
    y = np.asarray(data.y)[known]
    if is_classifier(estimator) and y.ndim == 1:
        y = np.searchsorted(model.classes_, y)
    return y, None if data.sample_weight is None else np.asarray(data.sample_weight, float)[known]


def _loss(estimator: Any, p: np.ndarray, y: np.ndarray, weight: Any) -> float:
    """Return the loss of the metric that the estimator is asked for; the smallest is the best."""
    if not is_classifier(estimator):
        error = mean_absolute_error if estimator.metric == "mae" else mean_squared_error
        return float(error(y, p, sample_weight=weight))
    if estimator.metric == "roc_auc":
        scores = p[:, 1] if p.shape[1] == 2 and y.ndim == 1 else p
        return 1 - float(roc_auc_score(y, scores, multi_class="ovr", sample_weight=weight))
    if y.ndim == 2:
        return float(
            np.average(
                -np.log(np.clip(np.where(y > 0, p, 1 - p), _SMALLEST_PROBABILITY, 1)).mean(axis=1), weights=weight
            )
        )
    p = np.clip(p, _SMALLEST_PROBABILITY, 1)
    p = p / p.sum(axis=1, keepdims=True)
    of_probabilities = float(log_loss(y, p, sample_weight=weight, labels=np.arange(p.shape[1])))
    if estimator.metric == "log_loss":
        return of_probabilities
    # Shares of wrong classes are often equal: the log loss decides between those.
    return float(zero_one_loss(y, p.argmax(axis=1), sample_weight=weight)) + 1e-6 * of_probabilities


def _score(estimator: Any, p: np.ndarray, y: np.ndarray, weight: Any) -> float:
    if not is_classifier(estimator):
        return float(r2_score(y, p, sample_weight=weight))
    predicted = (p > 0.5).astype(int) if y.ndim == 2 else p.argmax(axis=1)
    return float(accuracy_score(y, predicted, sample_weight=weight))


def _store(new: Any, models: dict[str, Any], counts: np.ndarray, oof: np.ndarray) -> None:
    """Set the attributes of the fitted portfolio: members with a positive weight, and their weights."""
    share = counts / counts.sum()
    members, weights = [], []
    for model, part in zip(models.values(), share, strict=True):
        if part > 0:
            members += model.estimators_
            weights += [part / len(model.estimators_)] * len(model.estimators_)
    copy_shared(new, next(iter(models.values())), members)
    new.weights_ = np.array(weights)
    new.portfolio_ = dict(zip(models, share.tolist(), strict=True))
    new.oof_predictions_ = np.average(oof, axis=0, weights=share)
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(members[0], name):
            setattr(new, name, getattr(members[0], name))
