"""`class_weight` of the classifiers -> weights of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from skdeep.contract import Task
from skdeep.core.rows import WeightedRows
from skdeep.core.target import balanced_weights


def weights_of_classes(class_weight: Any, rows: WeightedRows, classes: np.ndarray, task: Task) -> np.ndarray:
    """Return the weight of each class, from "balanced" or a dict by label.

    Raises
    ------
    ValueError
        If the dict names a class that does not exist, or a weight is negative or not finite.
    """
    if isinstance(class_weight, str) and class_weight == "balanced":
        return balanced_weights(rows.weight, rows.target, task)
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"The 'class_weight' parameter must be None, 'balanced' or a dict of labels (a list of dicts serves several labels only). "
            f"Got {class_weight!r} instead."
        )
    unknown = [label for label in class_weight if label not in classes]
    if unknown:
        raise ValueError(f"The classes {unknown} of class_weight are not in y. The classes are {classes.tolist()}.")
    weights = np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"The weights of class_weight must be finite and at least 0. Got {class_weight!r}.")
    return weights


def weighted_by_labels(class_weight: Any, rows: WeightedRows) -> WeightedRows:
    """Return multilabel rows with their weights multiplied by those of their labels.

    Raises
    ------
    ValueError
        If `class_weight` is neither "balanced" nor a list with a dict for each label.
    """
    if isinstance(class_weight, dict):
        raise ValueError(
            f"y has {rows.target.shape[1]} labels: give class_weight a list with a dict {{0: weight, 1: weight}} for each of them, "
            f"or 'balanced'. Got {class_weight!r}."
        )
    return rows._replace(weight=rows.weight * compute_sample_weight(class_weight, rows.target))
