"""Lanes on JAX's default device end as single fits do, and `parallel_config("skdeep")` takes them on an accelerator."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import skdeep
from skdeep import DeepClassifier
from skdeep.networks import CNN, GRU, MLP, Transformer

X, Y = load_digits(return_X_y=True)
X, Y = (X[:400] / 16).astype(np.float32), Y[:400]
RATES = (0.001, 0.003, 0.01)
SMALL = {"batch_size": 50, "max_epochs": 3, "tol": None, "random_state": 0}
SEQUENCES = {"input_shape": (8, 8)}
NETWORKS = {
    "mlp": {"network": MLP((32,))},
    "cnn": {"network": CNN((4,)), "input_shape": (8, 8, 1)},
    "gru": {"network": GRU(8), **SEQUENCES},
    "transformer": {"network": Transformer(1, 8, 2, dropout_rate=None), **SEQUENCES},
}
# In float32, lanes and single fits differ by the order of sums, about 1e-6 per step; Adam divides small gradients by
# their size, which enlarges the difference. TF32 keeps 10 bits, so a product differs by up to 1e-3.
EXACT, ROUNDED = 5e-4, 5e-2


def models(params, rates=RATES):
    return [DeepClassifier(**SMALL | params, learning_rate=rate) for rate in rates]


def assert_equal_training(found, expected, tolerance):
    assert_allclose(found.history_["train_loss"], expected.history_["train_loss"], rtol=tolerance)
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=tolerance)


def test_two_lanes_of_a_small_network(exact_products):
    """Cheap, so it also runs without a marker."""
    params = {"network": MLP((4,)), "max_epochs": 1}
    for model in skdeep.fit_many(models(params, RATES[:2]), (X[:100], Y[:100]), mode="lanes"):
        assert_equal_training(model, clone(model).fit(X[:100], Y[:100]), EXACT)


@pytest.mark.accelerator
@pytest.mark.parametrize("name", NETWORKS)
def test_lanes_equal_single_fits(name, exact_products):
    for model in skdeep.fit_many(models(NETWORKS[name]), (X, Y), mode="lanes"):
        assert_equal_training(model, clone(model).fit(X, Y), EXACT)


@pytest.mark.accelerator
def test_lanes_equal_single_fits_in_the_default_precision():
    for model in skdeep.fit_many(models(NETWORKS["mlp"]), (X, Y), mode="lanes"):
        assert_equal_training(model, clone(model).fit(X, Y), ROUNDED)


@pytest.mark.accelerator
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_lanes_with_early_stopping_end_at_their_own_epochs(exact_products):
    params = {"network": MLP((32,)), "early_stopping": True, "max_epochs": 40, "n_iter_no_change": 2, "tol": 1e-3}
    found = skdeep.fit_many(models(params, (0.3, 0.03, 0.003)), (X, Y), mode="lanes")
    assert all(0 < model.n_iter_ <= 40 for model in found)
    assert len({model.n_iter_ for model in found}) > 1


@pytest.mark.accelerator
def test_a_search_takes_lanes_on_an_accelerator_only(exact_products):
    """The program of lanes is compiled if and only if the default device is an accelerator."""
    skdeep.clear_cache()
    search = GridSearchCV(DeepClassifier(**SMALL | NETWORKS["mlp"]), {"learning_rate": list(RATES)}, cv=3)
    alone = clone(search).fit(X, Y).cv_results_["mean_test_score"]
    assert "lanes_block" not in skdeep.compile_counts()
    with parallel_config("skdeep"):
        together = clone(search).fit(X, Y).cv_results_["mean_test_score"]
    assert ("lanes_block" in skdeep.compile_counts()) == (jax.devices()[0].platform != "cpu")
    # 133 rows per fold: one row that is classified otherwise in one fold is 0.0025 of the mean.
    assert_allclose(together, alone, atol=0.01)
