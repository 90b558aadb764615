"""X of several inputs, `skdeep.Inputs`, as scikit-learn would check it if it were one array."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_y, check_array, check_consistent_length

from skdeep.core.inputs import InShape, hashable_specs
from skdeep.inputs import Inputs
from skdeep.records import InputSpec


def validated_inputs(X: Inputs) -> Inputs:
    """Return inputs as arrays of finite numbers: integers as they are, others as float32 or float64.

    Raises
    ------
    ValueError
        If an array holds NaN, infinity or no numbers, or there are no rows.
    """
    return X.map(_validated)


def validated_target(owner: Any, X: Inputs, y: Any) -> np.ndarray:
    """Return y as scikit-learn checks it beside an X of one array."""
    y = _check_y(y, multi_output=True, y_numeric=False, estimator=owner)
    check_consistent_length(X, y)
    return np.asarray(y)


def specs_of_inputs(X: Inputs) -> InShape:
    """Return the specs of validated inputs: integer arrays hold ids, others numbers."""
    return hashable_specs(
        {name: InputSpec(array.shape[1:], "int32" if _holds_ids(array) else "float") for name, array in X.items()}
    )


def forget_columns(estimator: Any) -> None:
    """Remove what an earlier fit on one array said of its columns."""
    for name in ("n_features_in_", "feature_names_in_"):
        estimator.__dict__.pop(name, None)


def _holds_ids(array: np.ndarray) -> bool:
    return array.dtype.kind in "iu"


def _validated(name: str, array: np.ndarray) -> np.ndarray:
    dtype = None if _holds_ids(array) else (np.float64, np.float32)
    checked: np.ndarray = check_array(array, dtype=dtype, allow_nd=True, input_name=f"X[{name!r}]")
    return checked
