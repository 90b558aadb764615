"""Losses that override `link`: all predictions and scores of the estimators follow from the link."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax
from sklearn.metrics import accuracy_score, r2_score

import skdeep
from skdeep import DeepClassifier, DeepRegressor, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(201, 3))
GRADES = np.digitize(X[:, 0], [-0.6, 0.6])
DEEP = {"network": "linear", "learning_rate": 0.2, "max_epochs": 40, "tol": None, "random_state": 0}
PERCEPTRON = {"hidden_layer_sizes": (), "learning_rate_init": 0.2, "max_iter": 40, "tol": 0.0, "random_state": 0}


def at_truth(probability, target):
    return jnp.sum(jnp.where(jnp.arange(probability.shape[1])[None, :] == target[:, None], probability, 0.0), axis=1)


class CumulativeLogits(skdeep.Loss):
    """Ordered classes by K - 1 raw outputs: a threshold, and the logarithms of the gaps to the next ones."""

    tasks = ("multiclass",)
    probabilistic = True

    def n_raw(self, task):
        return task.n_targets - 1

    def __call__(self, raw, target):
        return -jnp.log(at_truth(self._probabilities(raw, jnp), target) + 1e-7)

    def link(self, raw, task, xp):
        return self._probabilities(raw, xp)

    def _probabilities(self, raw, xp):
        gaps = xp.cumsum(xp.logaddexp(0.0, raw[:, 1:]), axis=1)
        logits = xp.concatenate([raw[:, :1], raw[:, :1] - gaps], axis=1)
        beyond = xp.exp(-xp.logaddexp(0.0, -logits))
        one = xp.ones_like(raw[:, :1])
        return xp.concatenate([one, beyond], axis=1) - xp.concatenate([beyond, 0 * one], axis=1)


class OtherSign(skdeep.Loss):
    """A logistic loss whose raw output is the logit of the first class."""

    tasks = ("binary", "multilabel")
    probabilistic = True

    def __call__(self, raw, target):
        return jnp.mean(jnp.logaddexp(0.0, raw) - (1 - target.reshape(raw.shape).astype(raw.dtype)) * raw, axis=1)

    def link(self, raw, task, xp):
        p = xp.exp(-xp.logaddexp(0.0, raw))
        return p[:, 0] if task.kind == "binary" else p


class OfBothClasses(skdeep.Loss):
    """A softmax over two raw outputs for two classes."""

    tasks = ("binary",)
    probabilistic = True

    def n_raw(self, task):
        return 2

    def __call__(self, raw, target):
        return -at_truth(jax.nn.log_softmax(raw, axis=1), target)


CASES = {
    "cumulative logits": (CumulativeLogits(), GRADES),
    "other sign": (OtherSign(), np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]),
    "two raw outputs": (OfBothClasses(), (X[:, 0] > 0).astype(int)),
    "labels of the other sign": (OtherSign(), (X[:, :2] > 0).astype(int)),
}


# One case shows that MLPClassifier uses the link; the others in the campaign.
@pytest.mark.parametrize(
    ("loss", "target", "family"),
    [
        *(pytest.param(*case, DeepClassifier, id=f"{name}-deep") for name, case in CASES.items()),
        *(
            pytest.param(*case, MLPClassifier, id=name, marks=() if name == "other sign" else pytest.mark.campaign)
            for name, case in CASES.items()
        ),
    ],
)
def test_predictions_and_scores_follow_from_the_link(loss, target, family):
    if family is DeepClassifier:
        model = DeepClassifier(**DEEP, loss=loss, early_stopping=True, scoring="accuracy").fit(X, target)
        scores = model.history_["val_score"]
    else:
        model = MLPClassifier(**PERCEPTRON, loss=loss, early_stopping=True).fit(X, target)
        scores = model.validation_scores_
    probability, predicted, decision = model.predict_proba(X), model.predict(X), model.decision_function(X)
    if target.ndim == 2:
        expected = (probability > 0.5).astype(int)
        np.testing.assert_array_equal(decision > 0, expected)
    else:
        np.testing.assert_allclose(probability.sum(axis=1), 1)
        expected = model.classes_[probability.argmax(axis=1)]
        of_decision = decision > 0 if decision.ndim == 1 else decision.argmax(axis=1)
        np.testing.assert_array_equal(model.classes_[of_decision.astype(int)], predicted)
    np.testing.assert_array_equal(predicted, expected)
    assert model.score(X, target) == accuracy_score(target, expected) > 0.85
    assert max(scores) > 0.75  # of the rows held out, by the same classes


def test_probabilities_of_an_own_link_are_not_cut():
    model = DeepClassifier(**DEEP, loss=OtherSign()).fit(X, X[:, 0] > 0)
    output = model.params_["output"]
    raw = (300 * X) @ output["kernel"][:, 0] + output["bias"][0]
    assert np.abs(raw).max() > 300
    np.testing.assert_allclose(model.predict_proba(300 * X)[:, 1], expit(-raw), rtol=1e-3, atol=1e-300)


@pytest.mark.parametrize(
    ("target", "log_of_raw"),
    [
        (GRADES, lambda raw: log_softmax(raw, axis=1)),
        (GRADES > 1, lambda raw: np.hstack([log_expit(-raw), log_expit(raw)])),
        (np.eye(3, dtype=int)[GRADES][:, :2], log_expit),
    ],
    ids=["multiclass", "binary", "multilabel"],
)
def test_log_probabilities_of_large_raw_outputs_agree_with_scipy(target, log_of_raw):
    model = DeepClassifier(**DEEP).fit(X, target)
    far = 1e5 * X
    raw = far @ model.params_["output"]["kernel"] + model.params_["output"]["bias"]
    assert np.abs(raw).max() > 1000
    np.testing.assert_allclose(model.predict_log_proba(far), log_of_raw(raw), rtol=1e-3, atol=1e-2)


class TwoNumbers(skdeep.Loss):
    """A squared error whose link gives two numbers for each output, in one of two shapes."""

    shape: str = skdeep.static("n outputs k")

    tasks = ("regression",)
    scaling = "standard"

    def n_raw(self, task):
        return 2 * task.n_targets

    def __call__(self, raw, target):
        return jnp.mean((raw.reshape(*target.shape, 2) - target[:, :, None]) ** 2, axis=(1, 2))

    def link(self, raw, task, xp):
        return raw.reshape(-1, task.n_targets, 2) if self.shape == "n outputs k" else raw

    def point(self, prediction):
        return prediction.mean(axis=2)


@pytest.mark.parametrize("family", [DeepRegressor, MLPRegressor])
def test_regression_links_of_several_numbers_are_kept_whole(family):
    params = DEEP if family is DeepRegressor else PERCEPTRON
    model = family(**params, loss=TwoNumbers()).fit(X, X[:, 0])
    prediction = model.predict(X)
    assert prediction.shape == (201, 2)
    assert model.score(X, X[:, 0]) == pytest.approx(r2_score(X[:, 0], prediction.mean(axis=1)))
    with pytest.raises(ValueError, match=r"link of the loss TwoNumbers must return shape \(3, 1\) or \(3, 1, k\)"):
        family(**params, loss=TwoNumbers(shape="n k")).fit(X, X[:, 0])


@pytest.mark.parametrize("family", [DeepClassifier, MLPClassifier])
def test_classification_links_of_a_wrong_shape_are_refused_before_training(family):
    class OneTooMany(OfBothClasses):
        tasks = ("multiclass",)

        def link(self, raw, task, xp):
            return raw

    params = DEEP if family is DeepClassifier else PERCEPTRON
    with pytest.raises(
        ValueError, match=r"OneTooMany must return shape \(4, 3\) .*multiclass task. Got shape \(4, 2\)"
    ):
        family(**params, loss=OneTooMany()).fit(X, GRADES)


def test_another_fit_checks_the_link_again_if_the_task_changed():
    class FirstColumn(skdeep.Loss):
        probabilistic = True

        def __call__(self, raw, target):
            return (raw[:, 0] - target.astype(raw.dtype)) ** 2

        def link(self, raw, task, xp):
            return xp.exp(-xp.logaddexp(0.0, -raw[:, 0]))

    rows = np.random.RandomState(0).randn(30, 2)
    model = DeepClassifier(loss=FirstColumn(), max_epochs=1, tol=None).fit(rows, rows[:, 0] > 0)
    with pytest.raises(ValueError, match="The link of the loss FirstColumn must return shape"):
        model.fit(rows, np.arange(30) % 3)
