"""X of several inputs, `skdeep.Inputs`, as scikit-learn would check it if it were one array."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_y, check_array, check_consistent_length

from skdeep.core.inputs import InShape, hashable_specs
from skdeep.inputs import Inputs, is_table
from skdeep.records import InputSpec
from skdeep.tables.frames import as_frame


def validated_inputs(X: Inputs) -> Inputs:
    """Return inputs as arrays of finite numbers, integers as they are and others as float32 or float64; tables as narwhals sees them.

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
    """Return the specs of validated inputs."""
    return hashable_specs(specs_of_arrays(X))


def specs_of_arrays(X: Inputs) -> dict[str, InputSpec]:
    """Return the specs of those validated inputs that are no tables: integer arrays hold ids, others numbers."""
    return {
        name: InputSpec(array.shape[1:], "int32" if _holds_ids(array) else "float")
        for name, array in X.items()
        if not is_table(array)
    }


def forget_columns(estimator: Any) -> None:
    """Remove what an earlier fit on one array said of its columns."""
    for name in ("n_features_in_", "feature_names_in_"):
        estimator.__dict__.pop(name, None)


def _holds_ids(array: np.ndarray) -> bool:
    return array.dtype.kind in "iu"


def table_names(X: Any) -> list[str]:
    """Return the names of the inputs that are tables."""
    return [name for name, array in X.items() if is_table(array)] if isinstance(X, Inputs) else []


def _validated(name: str, array: Any) -> Any:
    if is_table(array):
        return as_frame(array)
    dtype = None if _holds_ids(array) else (np.float64, np.float32)
    checked: np.ndarray = check_array(array, dtype=dtype, allow_nd=True, input_name=f"X[{name!r}]")
    return checked
