"""Effects of components in fits: networks, penalties, clipping, users' modules (contract checks: test_testing.py)."""

from __future__ import annotations

import pickle

import flax.linen as nn
import jax
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification, make_regression

import skdeep
from skdeep import DeepClassifier, DeepRegressor, registry
from skdeep.networks import MLP, Linear

X, y = make_classification(n_samples=64, n_features=6, n_informative=4, n_classes=3, random_state=0)
XR, yr = make_regression(n_samples=64, n_features=6, random_state=0)
SMALL = {"network": MLP(widths=(8, 8)), "learning_rate": 0.01, "max_epochs": 8, "tol": None, "random_state": 0}


def check_fit(model, X, y):
    model.fit(X, y)
    losses = model.history_["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize(
    "schedule",
    [
        name if name in ("constant", "one_cycle") else pytest.param(name, marks=pytest.mark.campaign)
        for name in sorted(registry.builtin_names("schedule"))
    ],
)
def test_schedule(schedule):
    rates = DeepClassifier(**SMALL, schedule=schedule).fit(X, y).history_["learning_rate"]
    assert rates.iloc[-1] <= 0.0101
    assert (rates.nunique() == 1) == (schedule == "constant")


def test_batch_norm_ignores_the_padding_of_a_batch():
    """With 45 rows in a batch that is padded to 64, the statistics are those of the 45 rows."""
    network = ["batch_norm"]
    params = {**SMALL, "network": network, "learning_rate": 1e-12, "max_epochs": 300}
    model = DeepClassifier(**params).fit(X[:45], y[:45])
    statistics = jax.tree.leaves(model.model_state_)
    np.testing.assert_allclose(
        sorted(map(float, statistics[0])), sorted(X[:45].astype(np.float32).mean(axis=0)), rtol=1e-4
    )
    np.testing.assert_allclose(
        sorted(map(float, statistics[1])), sorted(X[:45].astype(np.float32).var(axis=0)), rtol=1e-4
    )


def test_lbfgs_uses_all_rows_and_ignores_the_learning_rate():
    left, right = (
        DeepRegressor(**SMALL | {"learning_rate": rate}, optimizer="lbfgs").fit(XR, yr) for rate in (1e-5, 1.0)
    )
    np.testing.assert_array_equal(left.predict(XR), right.predict(XR))


def test_schedule_free_predicts_with_its_average():
    model = DeepClassifier(**SMALL, optimizer="schedule_free_adamw")
    for _ in range(3):
        model.partial_fit(X, y)
    training_params = model._memory.optimizer.trained
    assert any(not np.allclose(a, b) for a, b in zip(training_params, jax.tree.leaves(model.params_), strict=True))


@pytest.mark.parametrize(("penalty", "norm", "share"), [("l1", 1, 0.3), ("l2", 2, 0.8)])
def test_penalties_shrink_kernels_and_leave_biases(penalty, norm, share):
    plain = DeepRegressor(**SMALL | {"network": "linear", "max_epochs": 100}).fit(XR, yr + 1000)
    penalised = DeepRegressor(**SMALL | {"network": "linear", "max_epochs": 100}, **{penalty: 1.0}).fit(XR, yr + 1000)
    sizes = [np.linalg.norm(model.params_["output"]["kernel"].ravel(), norm) for model in (penalised, plain)]
    assert sizes[0] < share * sizes[1]
    np.testing.assert_allclose(penalised.predict(XR).mean(), (yr + 1000).mean(), rtol=1e-2)


class WithPenalty(Linear):
    def auto_l2(self, n_values):
        return 100 / n_values


def predicted(**params):
    return DeepRegressor(**SMALL | params).fit(XR, yr).predict(XR)


def test_an_automatic_penalty_is_that_of_the_network():
    np.testing.assert_array_equal(predicted(), predicted(l2=0.01))  # 5 / 500: there are 64 rows
    np.testing.assert_array_equal(predicted(network=WithPenalty()), predicted(network="linear", l2=100 / 64))
    np.testing.assert_array_equal(predicted(network="linear"), predicted(network="linear", l2=None))
    assert MLP().auto_l2(30_000) == 5 / 30_000


def test_an_automatic_penalty_counts_distinct_training_rows_also_of_tables():
    frame = pd.DataFrame(np.repeat(XR, 2, axis=0)).assign(colour=np.repeat(["red", "blue"], 64))
    frame.columns = frame.columns.astype(str)
    params = {"early_stopping": True, "network": WithPenalty(), "validation_fraction": 14}
    model = DeepRegressor(**SMALL | params).fit(frame, np.repeat(yr, 2))
    again = DeepRegressor(**SMALL | params, l2=100 / 50).fit(frame, np.repeat(yr, 2))
    np.testing.assert_array_equal(model.predict(frame), again.predict(frame))


def test_an_automatic_penalty_counts_the_values_of_y():
    several = np.column_stack([yr, -yr, yr**2])
    params = SMALL | {"network": WithPenalty()}
    pair = [DeepRegressor(**params, l2=l2).fit(XR, several).predict(XR) for l2 in ("auto", 100 / (3 * 64))]
    np.testing.assert_array_equal(*pair)
    labels = (several > several.mean(axis=0)).astype(int)
    pair = [DeepClassifier(**params, l2=l2).fit(XR, labels).predict_proba(XR) for l2 in ("auto", 100 / (3 * 64))]
    np.testing.assert_array_equal(*pair)
    pair = [DeepClassifier(**params, l2=l2).fit(X, y).predict_proba(X) for l2 in ("auto", 100 / 64)]
    np.testing.assert_array_equal(*pair)


def test_no_automatic_penalty_beside_a_decay_for_other_losses_and_in_partial_fit():
    np.testing.assert_array_equal(predicted(loss="quantile"), predicted(loss="quantile", l2=None))
    np.testing.assert_array_equal(predicted(optimizer="adamw"), predicted(optimizer="adamw", l2=None))
    parts = [DeepRegressor(**SMALL, l2=l2).partial_fit(XR, yr).predict(XR) for l2 in ("auto", None)]
    np.testing.assert_array_equal(*parts)


def test_clip_norm_bounds_the_step():
    model = DeepRegressor(
        **SMALL | {"network": "linear", "max_epochs": 1, "learning_rate": 1.0}, optimizer="sgd", clip_norm=1e-3
    )
    start = DeepRegressor(
        **SMALL | {"network": "linear", "max_epochs": 1, "learning_rate": 1e-12}, optimizer="sgd"
    ).fit(XR, yr)
    model.fit(XR, yr)
    steps = [a - b for a, b in zip(jax.tree.leaves(model.params_), jax.tree.leaves(start.params_), strict=True)]
    assert np.sqrt(sum((s**2).sum() for s in steps)) == pytest.approx(1e-3, rel=1e-2)


def test_flax_sequential_as_a_network():
    model = DeepClassifier(**SMALL | {"network": nn.Sequential([nn.Dense(8), nn.relu, nn.Dense(3)])}).fit(X, y)
    assert model.history_["train_loss"].is_monotonic_decreasing


def test_a_residual_block_takes_names():
    check_fit(
        DeepClassifier(**SMALL | {"network": [("residual", {"layers": [("dense", {"features": 6}), "relu"]})]}), X, y
    )


def test_a_list_with_functions_of_jax_pickles():
    model = DeepClassifier(**SMALL | {"network": [("dense", {"features": 8}), nn.relu]}).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.network == model.network
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


class OwnNet(skdeep.Module):
    act: object = nn.relu
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(self.act(nn.Dense(8)(x)))


ALIKE = (nn.tanh, nn.gelu, jax.nn.selu)  # jitted as silu is


@pytest.mark.parametrize(
    "activation", [nn.relu, nn.silu, *(pytest.param(function, marks=pytest.mark.campaign) for function in ALIKE)]
)
def test_functions_of_jax_as_activations_pickle(activation):
    for network in (MLP(widths=(8,), activation=activation), OwnNet(act=activation)):
        model = DeepClassifier(**SMALL | {"network": network}).fit(X, y)
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert joblib.hash(model.network) == joblib.hash(again.network)
