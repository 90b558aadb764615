"""Probabilities, scores and classes by the link of a loss, compared with NumPy and SciPy."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax

import skdeep
from skdeep.core.link import (
    check_link,
    class_probabilities,
    cut_logits,
    decision_scores,
    linked,
    log_probabilities,
    predicted_classes,
    predicted_point,
)
from skdeep.losses import CrossEntropy, Hinge, SquaredError
from skdeep.records import Task

BINARY, MULTICLASS, MULTILABEL = Task("binary", 2), Task("multiclass", 4), Task("multilabel", 3)
REGRESSION = Task("regression", 2)
rng = np.random.default_rng(0)


class Linked(skdeep.Loss):
    """A loss whose link is a function `f(raw, xp)`."""

    function: object
    n_outputs: int = skdeep.static(1)

    probabilistic = True

    def n_raw(self, task):
        return self.n_outputs

    def link(self, raw, task, xp):
        return self.function(raw, xp)


class Scored(Linked):
    probabilistic = False


def cumulative(raw, xp):
    """Probabilities of ordered classes: sigmoids of falling thresholds, and their differences."""
    thresholds = xp.concatenate([raw[:, :1], raw[:, :1] - xp.cumsum(xp.exp(raw[:, 1:]), axis=1)], axis=1)
    beyond = 1 / (1 + xp.exp(-thresholds))
    edge = xp.ones_like(beyond[:, :1])
    return xp.concatenate([edge, beyond], axis=1) - xp.concatenate([beyond, 0 * edge], axis=1)


def normalised_squares(raw, xp):
    return raw**2 / xp.sum(raw**2, axis=1, keepdims=True)


def without_the_last(raw, xp):
    rest = xp.exp(raw[:, :-1])
    return rest / xp.sum(rest, axis=1, keepdims=True)


OWN = {
    "cumulative logits": (cumulative, 3, MULTICLASS),
    "K + 1 raw outputs": (without_the_last, 5, MULTICLASS),
    "not monotone": (normalised_squares, 4, MULTICLASS),
    "two raw outputs": (without_the_last, 3, BINARY),
    "other sign": (lambda raw, xp: 1 / (1 + xp.exp(raw)), 1, BINARY),
    "one axis": (lambda raw, xp: 1 / (1 + xp.exp(raw[:, 0])), 1, BINARY),
    "tail only": (lambda raw, xp: xp.exp(-(raw**2)), 3, MULTILABEL),
}


@pytest.mark.parametrize(("function", "n_outputs", "task"), OWN.values(), ids=OWN.keys())
def test_predictions_follow_from_a_custom_link(function, n_outputs, task):
    loss, raw = Linked(function, n_outputs), rng.normal(size=(500, n_outputs))
    given = function(raw, np)
    if task.kind == "binary" and given.size == 500:
        given = np.column_stack([1 - given.ravel(), given.ravel()])
    np.testing.assert_array_equal(class_probabilities(loss, raw, task, np), given)
    np.testing.assert_array_equal(log_probabilities(loss, raw, task, given), np.log(given))
    expected = given > 0.5 if task.kind == "multilabel" else given.argmax(axis=1)
    predicted = predicted_classes(loss, raw, task, np)
    np.testing.assert_array_equal(predicted, expected)
    np.testing.assert_array_equal(predicted_classes(loss, jnp.asarray(raw, "float32"), task, jnp), expected)
    scores = decision_scores(loss, raw, task, np.float64)
    assert np.isfinite(scores).all()
    of_scores = scores.argmax(axis=1) if task.kind == "multiclass" else scores > 0
    np.testing.assert_array_equal(of_scores, expected)
    if task.kind == "multiclass":
        np.testing.assert_allclose(softmax(scores, axis=1), given, rtol=1e-9, atol=1e-300)
    else:
        np.testing.assert_allclose(expit(scores), given[:, 1] if task.kind == "binary" else given, rtol=1e-6)
    # Raw outputs are clipped for built-in links only.
    assert cut_logits(loss, raw, task, 1.0) is raw


def logged(raw, task):
    probability = class_probabilities(CrossEntropy(), raw, task, np)
    return log_probabilities(CrossEntropy(), raw, task, probability)


def test_log_probabilities_of_large_raw_outputs():
    raw = np.array([[-2000.0], [-5.0], [0.0], [5.0], [2000.0]])
    expected = np.hstack([log_expit(-raw), log_expit(raw)])
    np.testing.assert_allclose(logged(raw, BINARY), expected)
    raw = np.array([[2000.0, 0.0, -1.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(logged(raw, MULTICLASS), log_softmax(raw, axis=1))
    raw = np.array([[2000.0, 0.0, -900.0]])
    np.testing.assert_allclose(logged(raw, MULTILABEL), log_expit(raw))


def test_a_binary_task_with_two_raw_outputs_uses_the_softmax():
    raw = rng.normal(size=(50, 2))
    np.testing.assert_allclose(class_probabilities(CrossEntropy(), raw, BINARY, np), softmax(raw, axis=1))
    np.testing.assert_allclose(logged(raw, BINARY), log_softmax(raw, axis=1))
    np.testing.assert_array_equal(predicted_classes(CrossEntropy(), raw, BINARY, np), raw.argmax(axis=1))
    np.testing.assert_allclose(cut_logits(CrossEntropy(), 100 * raw[:1], BINARY, 20.0), [[20.0 * np.sign(raw[0, 1])]])


def test_losses_without_probabilities_predict_by_the_sign_or_the_largest_score():
    raw = rng.normal(size=(50, 4))
    np.testing.assert_array_equal(predicted_classes(Hinge(), raw, MULTICLASS, np), raw.argmax(axis=1))
    np.testing.assert_array_equal(predicted_classes(Hinge(), raw[:, :1], BINARY, np), raw[:, 0] > 0)
    np.testing.assert_array_equal(decision_scores(Hinge(), raw[:, :1], BINARY, np.float64), raw[:, 0])
    loss = Scored(lambda raw, xp: -raw, 1)
    np.testing.assert_array_equal(predicted_classes(loss, raw[:, :1], BINARY, np), raw[:, 0] < 0)
    np.testing.assert_array_equal(decision_scores(loss, raw[:, :1], BINARY, np.float64), -raw[:, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL], ids=lambda task: task.kind)
def test_classes_and_scores_agree_with_rounded_probabilities(task, dtype):
    raw = (1e-8 if dtype == np.float32 else 1e-16) * rng.normal(size=(500, CrossEntropy().n_raw(task)))
    probability = class_probabilities(CrossEntropy(), raw, task, np).astype(dtype)
    predicted = predicted_classes(CrossEntropy(), raw, task, np, dtype)
    expected = probability > 0.5 if task.kind == "multilabel" else probability.argmax(axis=1)
    np.testing.assert_array_equal(predicted, expected)
    scores = decision_scores(CrossEntropy(), raw, task, dtype)
    assert scores.dtype == dtype
    np.testing.assert_array_equal(scores.argmax(axis=1) if task.kind == "multiclass" else scores > 0, expected)


WRONG = [
    (
        BINARY,
        lambda raw, xp: raw[:, :3],
        r"\(3,\) or \(3, 1\) \(the second class\) or \(3, 2\).*a binary task.*\(3, 3\)",
    ),
    (MULTICLASS, lambda raw, xp: raw[:, :3], r"shape \(3, 4\) for 3 rows of a multiclass task. Got shape \(3, 3\)"),
    (MULTILABEL, lambda raw, xp: raw[:, 0], r"shape \(4, 3\) for 4 rows of a multilabel task. Got shape \(4,\)"),
    (REGRESSION, lambda raw, xp: raw[:, :3], r"shape \(3, 2\) or \(3, 2, k\) .*regression task. Got shape \(3, 3\)"),
    (REGRESSION, lambda raw, xp: raw[:, 0], r"shape \(3, 2\) or \(3, 2, k\) .*regression task. Got shape \(3,\)"),
    (REGRESSION, lambda raw, xp: raw.reshape(-1, 2, 2), r"'point'.*must return shape \(3, 2\).*Got shape \(3, 2, 2\)"),
]


@pytest.mark.parametrize(("task", "function", "message"), WRONG)
def test_links_with_a_wrong_shape_raise(task, function, message):
    with pytest.raises(ValueError, match=message):
        check_link(Linked(function, 4), task)


def test_regression_links_may_return_one_or_several_numbers_per_output():
    raw = rng.normal(size=(5, 6))
    loss = Linked(lambda raw, xp: raw.reshape(-1, 2, 3), 6)
    np.testing.assert_array_equal(linked(loss, raw, REGRESSION, np), raw.reshape(5, 2, 3))
    np.testing.assert_array_equal(predicted_point(SquaredError(), raw[:, :2], REGRESSION, np), raw[:, :2])
