"""`summary`: the layers of an estimator's network, before and after fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import check_cv

from skdeep.estimators.prepare import begin
from skdeep.estimators.training import FitData
from skdeep.inputs import Inputs

if TYPE_CHECKING:
    from skdeep.view.layers import Layers
    from skdeep.view.summary import NetworkSummary

MOST_VALUES = 2**28
"""The most values of a row that `input_shape` may ask for."""


def summarised(estimator: Any, X: Any, y: Any, input_shape: Any, n_targets: Any) -> NetworkSummary:
    """Return the summary of an estimator, for the arguments of its method `summary`."""
    from skdeep.view.summary import NetworkSummary

    owner = type(estimator).__name__
    if X is not None and (input_shape is not None or n_targets is not None):
        raise ValueError(
            f"summary of {owner} takes X and y, or input_shape and n_targets. Got both. Leave out one pair."
        )
    if X is None and input_shape is None:
        if y is not None or n_targets is not None:
            given, missing = ("y", "X") if y is not None else ("n_targets", "input_shape")
            raise ValueError(f"summary of {owner} got {given} without {missing}. Give {missing} too.")
        return NetworkSummary(owner, networks_of_fitted(estimator))
    data = FitData(X, y) if X is not None else estimator._example_data(input_shape, n_targets)
    return NetworkSummary(owner, _networks_before_fit(estimator, data))


def networks_of_fitted(estimator: Any) -> tuple[tuple[Layers, int], ...]:
    """Return the different networks of a fitted estimator, and how many members have each; raise NotFittedError."""
    from skdeep.view.layers import layers_of

    members = vars(estimator).get("estimators_", [estimator])
    if not all(hasattr(member, "params_") and "_model" in vars(member) for member in members):
        raise NotFittedError(
            f"This {type(estimator).__name__} is not fitted, so the shapes of its network are unknown. Give data or shapes, as in "
            f"{estimator._summary_calls}."
        )
    counts: dict[Layers, int] = {}
    for member in members:
        trained = member.params_, member.model_state_
        layers = layers_of(member._model, member._dtype_of_params(member._encoding), trained)
        counts[layers] = counts.get(layers, 0) + 1
    return tuple(counts.items())


def _networks_before_fit(estimator: Any, data: FitData) -> tuple[tuple[Layers, int], ...]:
    """Return the network that `fit` would train on this data, and the number of members."""
    from skdeep.view.layers import layers_of

    if getattr(estimator, "preset", None) == "portfolio":
        raise ValueError(
            f"preset='portfolio' of {type(estimator).__name__} selects its networks by training them. Call summary after fit, or set one "
            "preset, such as 'tabm'."
        )
    new = clone(estimator)
    draft, _ = begin(new, new._given_data(data))
    count = int(getattr(new, "n_estimators", 1))
    if getattr(new, "cv", None) is not None:
        count *= check_cv(new.cv).get_n_splits(data.X, data.y, data.groups)
    return ((layers_of(draft.model, new._dtype_of_params(draft.encoding)), count),)


def example_data(estimator: Any, input_shape: Any, n_targets: Any) -> FitData:
    """Return data of these shapes; the values are zeros, and the classes 0, 1, ....

    Raises
    ------
    ValueError
        If a shape is invalid, or `n_targets` is missing for an estimator with y, or given for one without.
    """
    owner, has_y = type(estimator).__name__, is_classifier(estimator) or is_regressor(estimator)
    if has_y != (n_targets is not None):
        cure = "Give the number of classes, or of columns of y." if has_y else "Leave it out: there is no y."
        raise ValueError(
            f"summary of {owner} {'needs n_targets beside' if has_y else 'takes no n_targets, only'} input_shape. {cure}"
        )
    if has_y and not _is_count(n_targets):
        raise ValueError(f"The 'n_targets' parameter of summary must be an int in [1, inf). Got {n_targets!r} instead.")
    n = max(2, int(n_targets)) if is_classifier(estimator) else 2
    named = isinstance(input_shape, Mapping)
    shapes = {name: _checked_shape(shape) for name, shape in (input_shape if named else {"": input_shape}).items()}
    arrays = {name: np.zeros((n, *shape), np.float32) for name, shape in shapes.items()}
    X = Inputs(arrays) if named else arrays[""]
    if is_classifier(estimator):
        return FitData(X, np.arange(n) % int(n_targets))
    return FitData(
        X, np.ones((n, int(n_targets)), np.float32)[:, 0 if n_targets == 1 else slice(None)] if has_y else None
    )


def _checked_shape(shape: Any) -> tuple[int, ...]:
    axes = shape if isinstance(shape, tuple | list) else (shape,)
    if not axes or not all(map(_is_count, axes)) or math.prod(axes) > MOST_VALUES:
        raise ValueError(
            "The 'input_shape' parameter of summary must be the shape of one row, a tuple of ints in [1, inf), or a dict of such shapes by "
            f"the name of the input. Got {shape!r} instead."
        )
    return tuple(map(int, axes))


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
