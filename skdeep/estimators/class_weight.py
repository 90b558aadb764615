"""Turn `class_weight` of the classifiers into weights of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from skdeep.core.rows import WeightedRows
from skdeep.core.target import balanced_weights, decode_labels
from skdeep.records import Task


def weights_of_classes(class_weight: Any, rows: WeightedRows, classes: np.ndarray, task: Task) -> np.ndarray:
    """Return the weight of each class, from "balanced" or a dict from label to weight.

    As in `sklearn.utils.class_weight.compute_class_weight`, a class that is not in the dict has weight 1. The dict may
    have labels that are not in y (labels of another fold) if it has all labels that are.

    Raises
    ------
    ValueError
        If the dict leaves out a class and names a label that is not in y, or a weight is negative or not finite.
    """
    if isinstance(class_weight, str) and class_weight == "balanced":
        return balanced_weights(rows.weight, rows.target, task)
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"The 'class_weight' parameter must be None, 'balanced' or a dict from label to weight (a list of dicts is for "
            f"multilabel y only). Got {class_weight!r} instead."
        )
    labels = classes.tolist()
    absent = [label for label in labels if label not in class_weight]
    unknown = [label for label in class_weight if label not in labels]
    if absent and unknown:
        raise ValueError(
            f"The classes {unknown} of class_weight are not in y, and the classes {absent} of y are not in class_weight. "
            f"Give class_weight a weight for each of the classes {labels}."
        )
    return _checked([class_weight.get(label, 1.0) for label in labels], class_weight)


def class_weigher(class_weight: Any, train: WeightedRows, target: Any) -> Callable[[WeightedRows], WeightedRows]:
    """Return a function that multiplies the weights of rows by class weights.

    Parameters
    ----------
    class_weight : dict, list, "balanced" or None
    train : WeightedRows
        The rows whose classes "balanced" counts. For multilabel y, "balanced" counts the rows that the function gets.
    target : Classes or Labels
    """
    if class_weight is None:
        return lambda rows: rows
    if target.task.kind == "multilabel":
        return lambda rows: weighted_by_labels(class_weight, rows, target.codes)
    of_class = weights_of_classes(class_weight, train, target.classes, target.task)
    return lambda rows: rows._replace(weight=rows.weight * of_class[rows.target])


def weighted_by_labels(class_weight: Any, rows: WeightedRows, codes: np.ndarray) -> WeightedRows:
    """Return multilabel rows with their weights multiplied by the weights of their labels; `codes` are absent and present.

    Raises
    ------
    ValueError
        If `class_weight` is neither "balanced" nor a list with a dict for each label, or a weight is negative or
        not finite.
    """
    if isinstance(class_weight, dict):
        example = "{" + ", ".join(f"{code!r}: weight" for code in codes.tolist()) + "}"
        raise ValueError(
            f"y has {rows.target.shape[1]} labels: give class_weight a list with a dict {example} for each of them, "
            f"or 'balanced'. Got {class_weight!r}."
        )
    for weights in class_weight if isinstance(class_weight, list) else ():
        _checked(list(weights.values()) if isinstance(weights, dict) else [], class_weight)
    factors = _checked(compute_sample_weight(class_weight, decode_labels(rows.target, codes)), class_weight)
    return rows._replace(weight=rows.weight * factors)


def check_some_class_weight(owner: str, weight: np.ndarray, use: str) -> None:
    """Raise ValueError if `class_weight` has left no row a positive weight; `use` is "trains on" or "validates on"."""
    if not (weight > 0).any():
        raise ValueError(
            f"With this class_weight, all rows that {owner} {use} have weight 0. Give a positive weight to one of their classes."
        )


def _checked(weights: Any, class_weight: Any) -> np.ndarray:
    """Return weights as an array; raise ValueError if one is not a number, negative or not finite."""
    try:
        array = np.array(weights, np.float64)
    except (TypeError, ValueError) as err:
        raise ValueError(f"The weights of class_weight must be numbers. Got {class_weight!r}.") from err
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"The weights of class_weight must be finite and at least 0. Got {class_weight!r}.")
    return array
