"""Scores of an estimator on validation rows by scikit-learn's scorers, as a function of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils._param_validation import InvalidParameterError

from skdeep.contract import Loss
from skdeep.core.rows import WeightedRows
from skdeep.errors import nearest

_WITHOUT_EFFECT_ON_SCORES = (
    *("max_epochs", "verbose", "device", "checkpoint", "random_state", "warm_start", "scoring", "metrics"),
    *("pretrain", "cv", "validation_fraction"),  # they decide the first parameters and the rows, which are read anyway
)
"""Parameters of estimators that are not read for the identity; so are components, which the configuration holds."""

WATCHED = "val_score"
"""The column of the score by `scoring`, which early stopping watches."""


class ScoredRows(NamedTuple):
    """Validation rows for scorers, without merging and class weights; `is_weighted` if the user gave sample weights."""

    rows: WeightedRows
    is_weighted: bool


def has_scorer(estimator: Any) -> bool:
    """Return True if a scorer judges epochs on the host; else a loss does, in the program."""
    return not isinstance(estimator.scoring, Loss) and estimator.scoring != "loss"


def has_scores(estimator: Any) -> bool:
    """Return True if validation rows are scored after each epoch, by `scoring` or by `metrics`."""
    return has_scorer(estimator) or bool(estimator.metrics)


def check_metrics(owner: str, metrics: Any) -> None:
    """Raise InvalidParameterError (a ValueError) if `metrics` is not None, a list of scorers' names, or a mapping from names to scorers.

    Raises
    ------
    InvalidParameterError
        Also if a name is unknown, occurs twice, or would be the column of another loss or score.
    """
    if metrics is None:
        return
    where = f"The 'metrics' parameter of {owner} must"
    if not isinstance(metrics, list | tuple | Mapping):
        cure = f" Write metrics=[{metrics!r}]." if isinstance(metrics, str) else ""
        raise InvalidParameterError(
            f"{where} be None, a list of names of scorers, or a dict of scorers by name. Got {metrics!r} instead.{cure}"
        )
    for name in metrics:
        if not isinstance(name, str) or not name:
            raise InvalidParameterError(
                f"{where} hold names. Got {name!r} instead. Give scorers by name, such as metrics={{'f1_macro': scorer}}."
            )
        if name in ("loss", "score"):
            raise InvalidParameterError(
                f"{where} not hold the name {name!r}, because 'val_{name}' is the column of another value. Choose another name."
            )
    if isinstance(metrics, list | tuple) and len(set(metrics)) < len(metrics):
        raise InvalidParameterError(f"{where} hold each name once. Got {list(metrics)!r} instead.")
    for scorer in _by_name(metrics).values():
        if not (callable(scorer) or scorer in get_scorer_names()):
            hint = nearest(str(scorer), get_scorer_names())
            raise InvalidParameterError(
                f"{where} hold scorers. Got {scorer!r} instead.{hint} sklearn.metrics.get_scorer_names() lists all names."
            )


def check_has_validation_rows(estimator: Any, scored: ScoredRows | None, is_partial: bool) -> None:
    """Raise ValueError if `metrics` are asked for in a `fit` without validation rows; `partial_fit` never has any."""
    if estimator.metrics and scored is None and not is_partial:
        raise ValueError(
            f"metrics={estimator.metrics!r} of {type(estimator).__name__} needs validation rows. Set early_stopping=True, or give X_val and "
            "y_val to fit."
        )


class EstimatorScores:
    """The estimator's scores on validation rows as a function `f(params, model_state)`; greater is better.

    Scorers are called as `scorer(estimator, X, y)`, with `sample_weight` only if the user gave weights. That of `scoring` is the
    column "val_score", the metric "accuracy" the column "val_accuracy".

    Parameters
    ----------
    estimator : DeepEstimator
        Its encoding and its model must be set before the first call.
    scored : ScoredRows
    y : array
        The targets of the rows in the user's form.
    must_be_number : bool
        Raise ValueError if the score by `scoring` is NaN, since early stopping compares it.
    """

    def __init__(self, estimator: Any, scored: ScoredRows, y: Any, must_be_number: bool) -> None:
        self._estimator, self._y, self._must_be_number = estimator, y, must_be_number
        self._scorers = _scorers_of(estimator)
        self._rows = scored.rows
        self._weights = {"sample_weight": scored.rows.weight} if scored.is_weighted else {}

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the history."""
        return tuple(self._scorers)

    def __call__(self, params: Any, model_state: Any) -> dict[str, float]:
        """Return the scores with these parameters by name."""
        view = _with_one_pass(self._estimator._view(params, model_state))
        x, y = self._rows.x, self._y
        scores = {name: float(scorer(view, x, y, **self._weights)) for name, scorer in self._scorers.items()}
        if self._must_be_number and math.isnan(scores.get(WATCHED, 0.0)):
            raise ValueError(_not_a_number(self._estimator, y))
        return scores

    def identity_parts(self) -> list[Any]:
        """Return the values that determine the scores, for `Job.identity`.

        Two trainings with equal rows and encoded targets may have other labels, or other parameters of `predict`, and then other scores.
        """
        from skdeep.core.content import array_digest
        from skdeep.core.fingerprint import atoms_of
        from skdeep.core.identity import content_of

        estimator = self._estimator
        known = {*_WITHOUT_EFFECT_ON_SCORES, *estimator._components}
        params = {name: value for name, value in estimator.get_params(deep=False).items() if name not in known}
        classes = getattr(estimator, "classes_", [])
        labels = [np.asarray(labels) for labels in (classes if isinstance(classes, list) else [classes])]
        metrics = _by_name(estimator.metrics or ())
        read = [list(atoms_of(value)) for value in (estimator.scoring, metrics, type(estimator), params)]
        return [
            *read,
            [array_digest(each) for each in (self._y, *labels)],
            content_of(self._rows),
            sorted(self._weights),
        ]


def _by_name(metrics: Any) -> dict[str, Any]:
    return dict(metrics) if isinstance(metrics, Mapping) else {name: name for name in metrics}


def _scorers_of(estimator: Any) -> dict[str, Callable[..., float]]:
    """Return scikit-learn's scorers by the columns of the history that they fill."""
    given = {WATCHED: estimator.scoring} if has_scorer(estimator) else {}
    given |= {f"val_{name}": scorer for name, scorer in _by_name(estimator.metrics or ()).items()}
    return {name: check_scoring(estimator, scoring=scorer) for name, scorer in given.items()}


def _with_one_pass(view: Any) -> Any:
    """Make a view of an estimator compute the raw outputs of the same rows once, for all scorers; return the view."""
    compute = view._raw
    known: list[Any] = []

    def raw(X: Any) -> Any:
        if not known or known[0][0] is not X:
            known[:] = [(X, compute(X))]
        return known[0][1]

    view._raw = raw
    return view


def _not_a_number(estimator: Any, y: np.ndarray) -> str:
    rows = f"the {len(y)} row{'s' if len(y) > 1 else ''} held out for early stopping"
    if is_classifier(estimator) and y.ndim == 1:
        rows += f", with the classes {np.unique(y).tolist()} of {estimator.classes_.tolist()},"
    return (
        f"scoring={estimator.scoring!r} of {type(estimator).__name__} gave nan for {rows} so that early stopping cannot find the "
        "best epoch. Raise validation_fraction, give validation rows as X_val, or choose another scoring, such as 'loss'."
    )
