"""`class_weight` gives the weights of scikit-learn, also if a fold lacks a class."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from skdeep import DeepClassifier, MLPClassifier
from skdeep.core.rows import WeightedRows
from skdeep.estimators.class_weight import weighted_by_labels, weights_of_classes
from skdeep.records import Task

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
y = np.arange(120) % 3
DEEP = {"network": "linear", "learning_rate": 0.05, "max_epochs": 3, "tol": None, "random_state": 0}
PERCEPTRON = {"hidden_layer_sizes": (), "learning_rate_init": 0.05, "max_iter": 3, "random_state": 0}
FAMILIES = [(DeepClassifier, DEEP), (MLPClassifier, PERCEPTRON)]


def ours(class_weight, labels):
    classes, codes = np.unique(labels, return_inverse=True)
    rows = WeightedRows(np.zeros((len(codes), 1)), codes.astype(np.int32), np.ones(len(codes)))
    return weights_of_classes(class_weight, rows, classes, Task("multiclass", max(2, len(classes))))


def theirs(class_weight, labels):
    return compute_class_weight(class_weight, classes=np.unique(labels), y=labels)


CASES = [
    ("balanced", y),
    ({0: 1.0, 1: 50.0, 2: 3.0}, y),
    ({0: 1.0, 1: 50.0, 2: 3.0}, y[y != 2]),  # a fold without a class
    ({np.int64(0): 2, np.int32(1): 3}, y),
    ({1: 3}, y),
    ({0: 1.0, 1: 50.0, 7: 3.0}, y % 2),
    ({"a": 2.0, "b": 3.0, "c": 4.0}, np.array(["a", "b"])[y % 2]),
    ({np.str_("a"): 2.0, "b": 3.0}, np.array(["a", "b"], dtype=object)[y % 2]),
    ({False: 2.0, True: 3.0}, y > 0),
    ({-1: 2.0, 1: 3.0}, np.where(y > 0, 1.0, -1.0)),
    ({}, y),
]


@pytest.mark.parametrize(("class_weight", "labels"), CASES)
def test_weights_of_classes_are_those_of_scikit_learn(class_weight, labels):
    np.testing.assert_allclose(ours(class_weight, labels), theirs(class_weight, labels))


@pytest.mark.parametrize(("class_weight", "labels"), [({0: 1, 7: 2}, y), ({7: 2}, y), ({"0": 1.0}, y)])
def test_class_weights_that_scikit_learn_refuses_are_refused(class_weight, labels):
    with pytest.raises(ValueError, match="not in class_weight"):
        theirs(class_weight, labels)
    with pytest.raises(
        ValueError, match=r"classes .* of class_weight are not in y, and the classes .* are not in class_w"
    ):
        ours(class_weight, labels)


@pytest.mark.parametrize("codes", [[0, 1], [-1, 1], [1, 2]])
def test_weights_of_labels_are_those_of_scikit_learn(codes):
    labels = (X[:, :2] > 0).astype(np.float32)
    named = np.array(codes)[labels.astype(int)]
    for class_weight in ("balanced", [{codes[0]: 1.0, codes[1]: 5.0}, {codes[1]: 2.0}]):
        rows = weighted_by_labels(class_weight, WeightedRows(X, labels, np.full(120, 2.0)), np.array(codes))
        np.testing.assert_allclose(rows.weight, 2 * compute_sample_weight(class_weight, named))


@pytest.mark.parametrize(("family", "params"), FAMILIES)
def test_a_fold_without_a_class_trains_as_with_the_weights_of_the_others(family, params):
    fold = y != 2
    given = family(**params, class_weight={0: 1.0, 1: 50.0, 2: 3.0}).fit(X[fold], y[fold])
    needed = family(**params, class_weight={0: 1.0, 1: 50.0}).fit(X[fold], y[fold])
    np.testing.assert_array_equal(given.predict_proba(X), needed.predict_proba(X))


@pytest.mark.parametrize(("family", "params"), FAMILIES)
@pytest.mark.parametrize("target", [y, (X[:, :2] > 0).astype(int)], ids=["classes", "labels"])
def test_weights_that_are_all_zero_are_refused(family, params, target):
    zeros = {0: 0.0, 1: 0.0, 2: 0.0} if target.ndim == 1 else [{0: 0.0, 1: 0.0}, {0: 1.0}]
    with pytest.raises(ValueError, match="With this class_weight, all rows that .*Classifier trains on have weight 0"):
        family(**params, class_weight=zeros).fit(X, target)


@pytest.mark.parametrize("weight", [None, "a", [1.0, 2.0]])
@pytest.mark.parametrize(("family", "params"), FAMILIES)
@pytest.mark.parametrize("several", [False, True])
def test_weights_that_are_no_numbers_are_refused(family, params, several, weight):
    target = (X[:, :2] > 0).astype(int) if several else (X[:, 0] > 0).astype(int)
    given = [{0: weight, 1: 1}, {0: 1, 1: 1}] if several else {0: weight, 1: 1}
    with pytest.raises(ValueError, match="The weights of class_weight must be .* Got .*0: "):
        family(class_weight=given, **params).fit(X, target)


def test_balanced_weights_in_partial_fit_leave_later_classes_their_weight():
    few = y != 2
    model = DeepClassifier(**DEEP, class_weight="balanced").partial_fit(X[few], y[few], classes=[0, 1, 2])
    for _ in range(30):
        model.partial_fit(X[~few], y[~few])
    assert (model.predict(X) == 2).mean() > 0.9
