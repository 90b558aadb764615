"""Valid and invalid y: codes of labels, the kind of a later y, and targets of any size."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import neural_network
from sklearn.metrics import accuracy_score, r2_score

from skdeep import DeepClassifier, DeepRegressor, MLPClassifier, MLPRegressor
from skdeep.losses import SquaredError
from skdeep.perceptron.rules import UnexplainedVariance
from skdeep.records import Task

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(201, 3))
LABELS = (X[:, :2] > 0).astype(int)
DEEP = {"network": "linear", "learning_rate": 0.05, "max_epochs": 30, "tol": None, "random_state": 0}
PERCEPTRON = {"hidden_layer_sizes": (4,), "learning_rate_init": 0.05, "max_iter": 30, "random_state": 0}
FAMILIES = [(DeepClassifier, DEEP), (MLPClassifier, PERCEPTRON)]


def dense(y):
    return y.toarray() if sp.issparse(y) else y


CODES = {
    "-1 and 1": 2 * LABELS - 1,
    "1 and 2": LABELS + 1,
    "0 and 2": 2.0 * LABELS,
    "bool": LABELS.astype(bool),
    "sparse": sp.csr_matrix(LABELS),
    "sparse -1 and 1": sp.csr_array(2 * LABELS - 1),
}


@pytest.mark.parametrize(("family", "params"), FAMILIES)
@pytest.mark.parametrize("target", CODES.values(), ids=CODES.keys())
def test_labels_in_any_codes(family, params, target):
    reference = family(**params).fit(X, LABELS)
    model = family(**params).fit(X, target)
    np.testing.assert_array_equal(model.predict_proba(X), reference.predict_proba(X))
    expected = np.unique(dense(target))[reference.predict(X)]
    np.testing.assert_array_equal(dense(model.predict(X)), expected)
    assert accuracy_score(dense(target), expected) > 0.8
    if not (sp.issparse(target) and target.min() < 0):  # accuracy_score refuses these
        assert model.score(X, target) == accuracy_score(dense(target), expected)
    np.testing.assert_array_equal(model.classes_, [0, 1])


def test_perceptrons_of_labels_equal_those_of_scikit_learn():
    theirs = neural_network.MLPClassifier(**PERCEPTRON).fit(X, 2 * LABELS)  # what is not 0 is present
    ours = MLPClassifier(**PERCEPTRON).fit(X, 2 * LABELS)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)


def test_a_first_part_may_hold_one_code_if_classes_names_both():
    signs = 2 * LABELS - 1
    model = DeepClassifier(**DEEP).partial_fit(X[:1], [[-1, -1]], classes=[-1, 1]).partial_fit(X, signs)
    assert set(np.unique(model.predict(X))) <= {-1, 1}
    with pytest.raises(ValueError, match=r"Got the values \[-1\]. Give rows with both values"):
        DeepClassifier(**DEEP).partial_fit(X[:1], [[-1, -1]])
    model = DeepClassifier(**DEEP).partial_fit(X[:1], [[0, 0]], classes=[0, 2]).partial_fit(X, 2 * LABELS)
    assert set(np.unique(model.predict(X))) <= {0, 2}


def test_codes_hold_for_validation_scorers_weights_and_later_rows():
    signs = 2 * LABELS - 1
    model = DeepClassifier(**DEEP, early_stopping=True, scoring="accuracy")
    model.fit(X, signs, X_val=X[:50], y_val=signs[:50])
    assert model.history_["val_score"].max() > 0.7
    np.testing.assert_allclose(
        model.history_["val_score"].max(), accuracy_score(signs[:50], model.predict(X[:50])), rtol=1e-9
    )
    with pytest.raises(ValueError, match=r"holds the values \[0, 1\], but the labels of the first y were \[-1, 1\]"):
        model.fit(X, signs, X_val=X, y_val=LABELS)
    for family, params in FAMILIES:
        model, known = family(**params), {} if family is DeepClassifier else {"classes": [0, 1]}
        model.partial_fit(X, signs, **known).partial_fit(X[:1], [[-1, -1]])
        with pytest.raises(
            ValueError, match=r"holds the values \[0, 1\], but the labels of the first y were \[-1, 1\]"
        ):
            model.partial_fit(X, LABELS)
        with pytest.raises(ValueError, match=r"y has 3 labels, but \w+ was fitted on 2"):
            model.partial_fit(X, np.sign(X).astype(int))
        with pytest.raises(ValueError, match=r"Got the values \[-1\]. Give rows with both values"):
            family(**params).partial_fit(X[:1], [[-1, -1]], **known)


@pytest.mark.parametrize(("family", "params"), FAMILIES)
def test_the_form_of_a_later_y_is_that_of_the_first(family, params):
    codes = LABELS[:, 0]
    model = family(**params).partial_fit(X, codes, classes=[0, 1])
    message = r"y has multilabel targets, but \w+ was trained on binary ones"
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, LABELS)
    model = family(**params).partial_fit(X, LABELS, classes=[0, 1])
    message = r"y has binary targets, but \w+ was trained on multilabel ones"
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, codes)
    model = family(**params).partial_fit(X, codes, classes=[0, 1])
    with pytest.raises(
        ValueError,
        match=r"holds strings, but the classes are numbers: array\(\[0, 1\]\)|has \[0 1\]. 'y' has \['0' '1'\]",
    ):
        model.partial_fit(X, codes.astype(str))


@pytest.mark.parametrize(
    ("target", "later", "message"),
    [
        (LABELS[:, 0], LABELS, "y has multilabel targets, but DeepClassifier was trained on binary ones"),
        (LABELS, LABELS[:, 0], "y has binary targets, but DeepClassifier was trained on multilabel ones"),
        (LABELS[:, 0], LABELS[:, 0].astype(str), "holds strings, but the classes are numbers"),
        (LABELS[:, 0].astype(str), LABELS[:, 0], "holds numbers, but the classes are strings"),
        (LABELS[:, 0], X[:, 0], "Unknown label type: continuous"),
        (LABELS[:, 0], None, "X_val was given without y_val. Give y_val too"),
    ],
)
def test_the_form_of_validation_targets_is_that_of_y(target, later, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(**DEEP).fit(X, target, X_val=X, y_val=later)


def test_one_hot_targets_get_a_hint():
    one_hot = np.eye(3, dtype=int)[np.digitize(X[:, 0], [-0.6, 0.6])]
    with pytest.warns(UserWarning, match=r"exactly one of its 3 labels.*give y.argmax\(axis=1\)"):
        DeepClassifier(**DEEP).fit(X, one_hot)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DeepClassifier(**DEEP).partial_fit(X[:1], one_hot[:1])
        DeepClassifier(**DEEP).fit(X, LABELS)


def test_one_class_is_named_as_it_is():
    with pytest.raises(ValueError, match=r"Got 1 class: 0\.$"):
        DeepClassifier(**DEEP).fit(X, np.zeros(201, dtype=int))
    with pytest.raises(ValueError, match=r"Got 1 class: 'a'\.$"):
        DeepClassifier(**DEEP).fit(X, np.full(201, "a"))


# Targets of any size.


def target(scale, shift=0.0):
    return scale * (X[:, 0] - 0.5 * X[:, 1]) + shift


SIZES = [(1.0, 1e8), (1e39, 0.0), (1e-200, 0.0), (1e160, 0.0), (1e-170, 1e-170), (1e300, 0.0), (1e-300, 0.0)]


@pytest.mark.parametrize("x_dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("scale", "shift"), SIZES)
def test_predictions_carry_targets_of_any_size(scale, shift, x_dtype):
    y, rows = target(scale, shift), X.astype(x_dtype)
    model = DeepRegressor(**DEEP).fit(rows, y)
    prediction = model.predict(rows)
    assert prediction.dtype == np.float64 or x_dtype == np.float32
    residual = (y - prediction) / scale
    explained = 1 - np.mean(residual**2) / np.var((y - shift) / scale)
    assert explained > 0.99
    if 1e-150 < scale < 1e150:  # r2_score itself squares
        assert model.score(rows, y) == r2_score(y, prediction)


@pytest.mark.parametrize("scale", [1e160, 1e-170])
def test_losses_scaled_by_the_mean_and_deviations_carry_them_too(scale):
    y = scale * np.exp(0.5 * X[:, 0])
    prediction = DeepRegressor(**DEEP, loss="poisson").fit(X, y).predict(X)
    np.testing.assert_allclose(prediction, y, rtol=0.3)
    reference = DeepRegressor(**DEEP, loss="gaussian_nll").fit(X, np.exp(0.5 * X[:, 0])).predict(X, return_std=True)
    scaled = DeepRegressor(**DEEP, loss="gaussian_nll").fit(X, y).predict(X, return_std=True)
    for plain, moved in zip(reference, scaled, strict=True):
        np.testing.assert_allclose(moved / scale, plain, rtol=1e-2, atol=1e-2)


def test_weighted_mean_and_scale_are_those_of_numpy():
    weight = rng.uniform(size=201)
    y = np.column_stack([target(2.0, 5.0), np.full(201, 0.1)])
    scale = DeepRegressor(**{**DEEP, "max_epochs": 1}, coalesce=False).fit(X, y, weight)._encoding.target.scale
    mean = np.average(y, axis=0, weights=weight)
    np.testing.assert_allclose(scale.mean, mean)
    np.testing.assert_allclose(scale.scale, [np.sqrt(np.average((y[:, 0] - mean[0]) ** 2, weights=weight)), 1.0])


@pytest.mark.parametrize(
    ("x_dtype", "scale", "shift", "expected"),
    [
        (np.float32, 1.0, 100.0, np.float32),
        (np.float32, 1.0, 1e8, np.float64),
        (np.float32, 1e38, 0.0, np.float64),
        (np.float32, 1e-38, 0.0, np.float64),
        (np.float64, 1.0, 0.0, np.float64),
    ],
)
def test_the_type_of_predictions_is_that_of_x_unless_y_needs_more(x_dtype, scale, shift, expected):
    model = DeepRegressor(**{**DEEP, "max_epochs": 1}, loss="gaussian_nll").fit(X.astype(x_dtype), target(scale, shift))
    for prediction in model.predict(X.astype(x_dtype), return_std=True):
        assert prediction.dtype == expected


def test_targets_beyond_float64_are_refused():
    with pytest.raises(ValueError, match="y contains values too large for dtype.'float64'"):
        DeepRegressor(**DEEP).fit(X, np.linspace(0, 1.7e308, 201))


def test_perceptrons_predict_no_infinity():
    rows = X.astype(np.float32)
    model = MLPRegressor(**{**PERCEPTRON, "max_iter": 1}, loss="poisson").fit(rows, np.exp(rows[:, 0]))
    model.intercepts_[-1][:] = 100.0
    prediction = model.predict(rows)
    assert np.isfinite(prediction).all()
    with pytest.raises(ValueError, match=r"y contains a value too large for dtype\('float32'\)"):
        MLPRegressor(**PERCEPTRON).fit(rows, target(1e39))
    stopped = MLPRegressor(**PERCEPTRON, early_stopping=True).fit(X, target(1e-200))
    assert max(stopped.validation_scores_) == 0  # their variance is 0 in float64, and R^2 then 0 in scikit-learn
    judge = UnexplainedVariance(SquaredError(), Task("regression", 1), (1e30,))  # its square is beyond float32
    assert judge(np.float32([[3e30]]), np.float32([[1e30]])) == pytest.approx(4.0)
