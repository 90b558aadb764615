"""The score of an estimator on validation rows by a scikit-learn scorer, as a function of parameters."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring

from skdeep.core.rows import WeightedRows

_WITHOUT_EFFECT_ON_SCORES = (
    *("max_epochs", "verbose", "device", "checkpoint", "random_state", "warm_start", "scoring"),
    *("pretrain", "cv", "validation_fraction"),  # they decide the first parameters and the rows, which are read anyway
)
"""Parameters of estimators that are not read for the identity; so are components, which the configuration holds."""


class ScoredRows(NamedTuple):
    """Validation rows for a scorer, without merging and class weights; `is_weighted` if the user gave sample weights."""

    rows: WeightedRows
    is_weighted: bool


class EstimatorScore:
    """The estimator's score on validation rows as a function `f(params, model_state)`; greater is better.

    The scorer is called as `scorer(estimator, X, y)`, with `sample_weight` only if the user gave weights.

    Parameters
    ----------
    estimator : DeepEstimator
        Its encoding and its model must be set before the first call.
    scored : ScoredRows
    y : array
        The targets of the rows in the user's form.
    must_be_number : bool
        Raise ValueError if the score is NaN, since early stopping compares it.
    """

    def __init__(self, estimator: Any, scored: ScoredRows, y: Any, must_be_number: bool) -> None:
        self._estimator, self._y, self._must_be_number = estimator, y, must_be_number
        self._scorer = check_scoring(estimator, scoring=estimator.scoring)
        self._rows = scored.rows
        self._weights = {"sample_weight": scored.rows.weight} if scored.is_weighted else {}

    def __call__(self, params: Any, model_state: Any) -> float:
        """Return the score with these parameters."""
        view = self._estimator._view(params, model_state)
        value = float(self._scorer(view, self._rows.x, self._y, **self._weights))
        if self._must_be_number and math.isnan(value):
            raise ValueError(_not_a_number(self._estimator, self._y))
        return value

    def identity_parts(self) -> list[Any]:
        """Return the values that determine the score, for `Job.identity`.

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
        read = [list(atoms_of(value)) for value in (estimator.scoring, type(estimator), params)]
        return [
            *read,
            [array_digest(each) for each in (self._y, *labels)],
            content_of(self._rows),
            sorted(self._weights),
        ]


def _not_a_number(estimator: Any, y: np.ndarray) -> str:
    rows = f"the {len(y)} row{'s' if len(y) > 1 else ''} held out for early stopping"
    if is_classifier(estimator) and y.ndim == 1:
        rows += f", with the classes {np.unique(y).tolist()} of {estimator.classes_.tolist()},"
    return (
        f"scoring={estimator.scoring!r} of {type(estimator).__name__} gave nan for {rows} so that early stopping cannot find the "
        "best epoch. Raise validation_fraction, give validation rows as X_val, or choose another scoring, such as 'loss'."
    )
