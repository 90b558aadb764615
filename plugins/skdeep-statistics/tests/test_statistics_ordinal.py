"""Ordered classes: probabilities in closed form, and the maximum of the likelihood as SciPy finds it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import expit
from skdeep_statistics import CumulativeLogit, cut_points

from skdeep import DeepClassifier, MLPClassifier
from skdeep.contract import Task
from skdeep.losses import CrossEntropy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 2))
LATENT = X @ [1.5, -1.0] + RNG.logistic(size=200)
Y = np.digitize(LATENT, [-1.5, 0.0, 2.0])


def raw_of(score, cuts):
    learned = np.concatenate([cuts[:1], np.log(np.diff(cuts))])
    return {"score": score[:, None], "cuts": np.tile(learned, (len(score), 1))}


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_probabilities_are_differences_of_sigmoids(n_classes):
    score, cuts = RNG.normal(size=20), np.sort(RNG.normal(size=n_classes - 1))
    at_most = expit(cuts[None, :] - score[:, None])
    at_most = np.column_stack([np.zeros(20), at_most, np.ones(20)])
    expected = np.diff(at_most, axis=1)
    raw, loss = raw_of(score, cuts), CumulativeLogit()
    task = Task("binary" if n_classes == 2 else "multiclass", n_classes)
    assert_allclose(loss.link(raw, task, np), expected, rtol=1e-10)
    target = np.arange(20) % n_classes
    values = jax.jit(loss)(jax.tree.map(np.float32, raw), target)
    assert_allclose(values, -np.log(expected[np.arange(20), target]), rtol=1e-4)


def test_two_classes_are_logistic_regression():
    raw = jax.tree.map(np.float32, raw_of(RNG.normal(size=20), np.array([0.3])))
    target = np.arange(20) % 2
    expected = jax.jit(CrossEntropy())(raw["score"] - np.float32(0.3), target)
    assert_allclose(jax.jit(CumulativeLogit())(raw, target), expected, rtol=1e-5)


@pytest.mark.parametrize("score", [-200.0, 200.0])
def test_far_from_all_cut_points_the_loss_is_linear_and_probabilities_sum_to_1(score):
    raw = jax.tree.map(np.float32, raw_of(np.full(4, score), np.array([-1.0, 0.0, 1.0])))
    loss = CumulativeLogit()
    values, grad = jax.jit(jax.value_and_grad(lambda raw: loss(raw, jnp.arange(4)).sum()))(raw)
    # Of the farthest class, and of the two in between, whose probabilities have the factor 1 - 1/e: 201 + 200 + 199.
    expected = 3 * abs(score) - 2 * np.log(1 - np.exp(-1.0))
    assert_allclose(values, expected, rtol=1e-4)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grad))
    assert_allclose(np.sum(loss.link(raw, Task("multiclass", 4), np), axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(("kind", "n_classes"), [("binary", 1), ("binary", 2), ("multiclass", 5)])
def test_classes_are_equally_probable_at_first(kind, n_classes):
    learned = CumulativeLogit().parameters(Task(kind, n_classes))["cuts"]
    n_classes = max(2, n_classes)
    assert_allclose(expit(cut_points(learned)), np.arange(1, n_classes) / n_classes)


def test_a_linear_fit_is_the_maximum_of_the_likelihood():
    """The same likelihood, written out with SciPy's sigmoid and minimised by SciPy's BFGS."""

    def negative_log_likelihood(theta):
        cuts = np.concatenate([[-np.inf], theta[2], theta[2] + np.cumsum(np.exp(theta[3:])), [np.inf]], axis=None)
        score = X @ theta[:2]
        return -np.mean(np.log(expit(cuts[Y + 1] - score) - expit(cuts[Y] - score)))

    best = minimize(negative_log_likelihood, np.array([0.0, 0.0, -1.0, 0.0, 0.0]), method="BFGS")
    model = DeepClassifier(network="linear", loss=CumulativeLogit(), optimizer="lbfgs", max_epochs=200, tol=None)
    model.fit(X, Y)
    output = model.params_["network"]["output"]
    assert_allclose(output["kernel"][:, 0], best.x[:2], rtol=5e-3)
    cuts = cut_points(model.params_["loss"]["cuts"]) - output["bias"]  # a constant in both changes nothing
    assert_allclose(cuts, best.x[2] + np.concatenate([[0.0], np.cumsum(np.exp(best.x[3:]))]), rtol=5e-3, atol=5e-3)
    probability = model.predict_proba(X)
    assert_allclose(-np.mean(np.log(probability[np.arange(200), Y])), best.fun, rtol=1e-4)
    assert_array_equal(model.predict(X), probability.argmax(axis=1))


def test_any_labels_in_their_order():
    """Levels 10, 20, 30, 50 are predicted, and a larger score is a higher level."""
    levels = np.array([10, 20, 30, 50])[Y]
    model = DeepClassifier(loss=CumulativeLogit(), early_stopping=True, learning_rate=0.01, max_epochs=30, tol=None)
    model.set_params(random_state=0).fit(X, levels)
    assert set(model.predict(X)) <= {10, 20, 30, 50}
    assert np.corrcoef(model.predict(X), LATENT)[0, 1] > 0.6
    assert model.n_outputs_ == 1


def test_the_perceptrons_refuse_it():
    with pytest.raises(ValueError, match="CumulativeLogit has parameters of its own, which MLPClassifier cannot train"):
        MLPClassifier(loss=CumulativeLogit()).fit(X, Y)
