"""Fit several estimators at the same time."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from skdeep.core.together import MODES, Mode, together


def fit_many(estimators: Sequence[Any], datasets: Any, *, mode: Mode = "auto") -> list[Any]:
    """Fit several estimators at the same time, and return them.

    On a CPU, they are fitted in as many threads as there are cores, which share compiled programs; each result equals that of `fit`
    to the bit. On an accelerator, trainings that differ in numbers, seeds and rows only become lanes of one program: parameters are then
    equal to those of `fit` within float tolerance. Trainings with callbacks, `verbose`, a scorer, checkpoints with an interval, or sparse
    rows run alone.

    Parameters
    ----------
    estimators : sequence of k estimators
        Different objects, of skdeep or any with a `fit`, such as pipelines that end in one of skdeep.
    datasets : tuple, dict, or list of k of them
        The arguments of `fit`: a tuple `(X, y)` or `(X, y, sample_weight)` with the shapes that `fit` takes, or a dict of keyword
        arguments. One tuple or dict serves all estimators; a list has one for each.
    mode : {"auto", "threads", "lanes"}, default="auto"
        "auto" takes lanes on accelerators and threads on CPUs.

    Returns
    -------
    list of k estimators
        The given ones, fitted.

    Raises
    ------
    ValueError
        If there are not as many datasets as estimators, or an estimator is given twice.
    Exception
        The first one, in order, that a `fit` raised. The other estimators are fitted.

    Examples
    --------
    >>> import skdeep
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [skdeep.DeepClassifier(learning_rate=rate, max_epochs=50, tol=None, random_state=0) for rate in (0.003, 0.01)]
    >>> [model.score(X, y) > 0.8 for model in skdeep.fit_many(models, (X, y))]
    [True, True]
    """
    if mode not in MODES:
        raise ValueError(f"The 'mode' parameter of fit_many must be one of {list(MODES)}. Got {mode!r} instead.")
    models = list(estimators)
    given = [datasets] * len(models) if isinstance(datasets, tuple | Mapping) else list(datasets)
    if len(given) != len(models):
        raise ValueError(
            f"fit_many takes one dataset for each estimator, or one tuple or dict for all. Got {len(models)} estimators and "
            f"{len(given)} datasets."
        )
    if len({id(model) for model in models}) < len(models):
        raise ValueError("fit_many was given an estimator twice. Give clones: `sklearn.base.clone(estimator)`.")
    return together([_fit(model, data) for model, data in zip(models, given, strict=True)], mode)


def _fit(model: Any, data: Any) -> Any:
    if isinstance(data, Mapping):
        return functools.partial(model.fit, **data)
    if isinstance(data, tuple):
        return functools.partial(model.fit, *data)
    raise TypeError(
        f"A dataset of fit_many must be a tuple, such as (X, y), or a dict of arguments of fit. Got {type(data).__name__} instead."
    )
