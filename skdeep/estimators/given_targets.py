"""Check y: the kind of its targets, and that later calls give the same classes, labels and outputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from skdeep.core.encode import is_sparse

# For these kinds `check_classification_targets` neither raises nor warns. It computes the kind a second time.
_NEEDS_NO_CHECK = ("binary", "multilabel-indicator")


class GivenLabels(NamedTuple):
    """y as a dense array, scikit-learn's `type_of_target` of it, and whether it came as a sparse matrix."""

    values: np.ndarray
    kind: str
    were_sparse: bool

    @property
    def is_indicator(self) -> bool:
        """Whether y is an indicator matrix `(n, labels)`; else it is `(n,)`."""
        return self.kind == "multilabel-indicator"


def labels_given(y: Any) -> GivenLabels:
    """Return y as a dense array with its kind.

    Raises
    ------
    ValueError
        If y has missing values, is continuous, or has several columns of classes.
    """
    were_sparse = is_sparse(y)
    y = y.toarray() if were_sparse else y
    _check_no_missing(y)
    kind = kind_of_labels(y)
    values = np.asarray(y) if kind == "multilabel-indicator" else column_or_1d(y, warn=True)
    return GivenLabels(values, kind, were_sparse)


def _check_no_missing(y: Any) -> None:
    """Raise ValueError if labels of Python objects have missing values; scikit-learn has checked numbers."""
    if np.asarray(y).dtype.kind != "O":
        return
    missing = pd.isna(y)
    if missing.any():
        raise ValueError(
            f"Input y contains missing values: {int(missing.sum())} of {len(y)}, the first in row {int(np.argmax(missing))}. Drop these rows."
        )


def kind_of_labels(y: Any) -> str:
    """Return scikit-learn's `type_of_target`: "binary", "multiclass" or "multilabel-indicator".

    Raises
    ------
    ValueError
        If y is continuous, or has several columns of classes.

    Examples
    --------
    >>> kind_of_labels(["no", "yes", "no"])
    'binary'
    """
    kind: str = type_of_target(y, input_name="y")
    if kind not in _NEEDS_NO_CHECK:
        check_classification_targets(y)
    if kind == "multiclass-multioutput":
        raise ValueError(
            "y has several columns of classes, which is not supported. Give 0/1 labels, or use MultiOutputClassifier."
        )
    return kind


def columns_of(y: Any) -> Any:
    """Return a structured array as its fields side by side `(n, fields)` in float64, and anything else as it is.

    Examples
    --------
    >>> import numpy as np
    >>> columns_of(np.array([(2.5, True), (1.0, False)], dtype=[("time", float), ("event", bool)]))
    array([[2.5, 1. ],
           [1. , 0. ]])
    """
    if not isinstance(y, np.ndarray) or y.dtype.names is None:
        return y
    if y.ndim != 1:
        raise ValueError(f"A structured y must have one dimension, one record per row. Got shape {y.shape}.")
    return np.column_stack([y[name].astype(np.float64) for name in y.dtype.names])


def check_same_classes(announced: Any, known: np.ndarray) -> None:
    """Raise ValueError if the `classes` of a later `partial_fit` differ from those of the first call."""
    if announced is not None and not np.array_equal(announced, known):
        raise ValueError(f"`classes={announced!r}` is not the same as on last call to partial_fit, was: {known!r}")


def check_found_classes(found: np.ndarray, known: np.ndarray, *, must_be_same: bool) -> None:
    """Raise ValueError if y has unknown classes or, with `must_be_same` (a warm start), lacks a known class."""
    if must_be_same and set(found) != set(known):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
            f"Previously got {known}, `y` has {found}"
        )
    if len(np.setdiff1d(found, known)):
        raise ValueError(f"`y` has classes not in `self.classes_`. `self.classes_` has {known}. 'y' has {found}.")


def check_n_labels(owner: str, n_labels: int, known: int) -> None:
    """Raise ValueError if y has another number of labels than in the earlier fit."""
    if n_labels != known:
        raise ValueError(f"y has {n_labels} labels, but {owner} was fitted on {known}.")


def check_n_outputs(owner: str, n_outputs: int, known: int) -> None:
    """Raise ValueError if y has another number of outputs than in the earlier fit."""
    if n_outputs != known:
        raise ValueError(f"y has {n_outputs} outputs, but {owner} was fitted on {known}.")
