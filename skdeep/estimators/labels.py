"""What kind of labels y holds, for both families of classifiers."""

from __future__ import annotations

from typing import Any

from sklearn.utils.multiclass import check_classification_targets, type_of_target

_WITHOUT_REMARK = ("binary", "multilabel-indicator")


def kind_of_labels(y: Any) -> str:
    """Return scikit-learn's `type_of_target`: "binary", "multiclass" or "multilabel-indicator".

    Raises
    ------
    ValueError
        If y holds numbers, or several columns of classes.

    Examples
    --------
    >>> kind_of_labels(["no", "yes", "no"])
    'binary'
    """
    kind: str = type_of_target(y, input_name="y")
    if kind not in _WITHOUT_REMARK:  # scikit-learn finds the kind again, and what to remark
        check_classification_targets(y)
    if kind == "multiclass-multioutput":
        raise ValueError(
            "y has several columns of classes, which is not supported. Give 0/1 labels, or use MultiOutputClassifier."
        )
    return kind
