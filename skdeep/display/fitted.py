"""The estimators of skdeep inside pipelines, searches and ensembles."""

from __future__ import annotations

from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def fitted_network(owner: str, estimator: Any) -> Any:
    """Return the fitted estimator of skdeep that an object holds.

    Parameters
    ----------
    owner : str
        Name of the display, for messages.
    estimator : object
        An estimator of skdeep, a Pipeline with one as its last step, a search with one as `best_estimator_`, a
        `TransformedTargetRegressor` or a `FrozenEstimator` around one, or any of these inside each other.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If the innermost estimator is not one of skdeep.
    ValueError
        If a search was fitted with `refit=False`.
    """
    inner = _inside(owner, estimator)
    while inner is not estimator:
        estimator, inner = inner, _inside(owner, inner)
    check_is_fitted(estimator)
    if not hasattr(type(estimator), "history_"):
        raise TypeError(
            f"{owner} needs an estimator of skdeep, alone, as the last step of a Pipeline, or in a search. "
            f"Got {type(estimator).__name__} instead."
        )
    return estimator


def _inside(owner: str, estimator: Any) -> Any:
    """Return the estimator one level inside, or the same object if there is none."""
    if isinstance(estimator, Pipeline):
        return estimator.steps[-1][1]
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    if isinstance(estimator, TransformedTargetRegressor):
        check_is_fitted(estimator)
        return estimator.regressor_
    if hasattr(estimator, "cv_results_"):
        if not hasattr(estimator, "best_estimator_"):
            raise ValueError(
                f"{owner} needs the best estimator of {type(estimator).__name__}, which was fitted with refit=False. "
                "Set refit to True, or give a fitted estimator."
            )
        return estimator.best_estimator_
    return estimator


def members_of(estimator: Any) -> list[Any]:
    """Return the networks of an estimator of skdeep: the members of an ensemble, or the estimator itself."""
    members = vars(estimator).get("estimators_")
    return [estimator] if members is None else [inner for member in members for inner in members_of(member)]
