"""Rows for parameter initialisation: which, how many, and that they reach the layers of every estimator."""

from collections import Counter

import flax.linen as nn
import jax
import numpy as np
import pytest
import scipy.sparse as sp

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, Inputs
from skdeep.core.initial_rows import initial_rows, n_initial_rows
from skdeep.core.rows import WeightedRows
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.layers import Dense, NTKDense, PiecewiseLinearEmbedding, Residual
from skdeep.networks import Sequential

KEY = np.array([0, 7], np.uint32)
X = np.random.RandomState(0).randn(40, 3).astype(np.float32)
Y = X[:, 0] + X[:, 1] ** 2
ROWS = WeightedRows(X, Y, np.ones(40))
NTK = Sequential((NTKDense(4),))


def drawn(weight, network=NTK):
    x = np.arange(len(weight), dtype=np.float32)[:, None]
    rows = WeightedRows(x, np.zeros(len(weight)), np.asarray(weight, float))
    return Counter(initial_rows(network, rows, (1,), KEY)[:, 0].astype(int).tolist())


def test_the_most_rows_that_any_part_wants():
    assert n_initial_rows(Sequential((Dense(4),))) == 0
    assert n_initial_rows(Sequential((Dense(4), Residual((NTKDense(4),))))) == NTKDense().init_rows
    assert initial_rows(Sequential((Dense(4),)), ROWS, (1,), KEY) is None


def test_their_number_is_a_padded_size_and_all_rows_are_drawn_equally_often():
    assert set(drawn(np.ones(32)).values()) == {1}
    assert set(drawn(np.ones(16)).values()) == {2}
    counts = drawn(np.ones(40))
    assert sum(counts.values()) == 64
    assert set(counts.values()) == {1, 2}


def test_no_more_than_init_rows_are_drawn():
    class Few(NTKDense):
        init_rows = 10

    counts = drawn(np.ones(40), Sequential((Few(),)))
    assert len(counts) == sum(counts.values()) == 10


def test_weights_count_as_repeated_rows():
    counts = drawn([3.0, 1.0, 0.0, 4.0])
    assert counts == {0: 12, 1: 4, 3: 16}


def first_params(estimator, x, y=Y):
    return prepare(estimator, FitData(x, y)).start.params


@pytest.mark.parametrize("x", [X, sp.csr_matrix(X)], ids=["dense", "sparse"])
def test_first_outputs_have_unit_variance_on_the_training_rows(x):
    layer = first_params(DeepRegressor(network=NTK, coalesce=False), x)["NTKDense_0"]
    product = X @ layer["kernel"] / np.sqrt(3)
    np.testing.assert_allclose(product.std(0), 1, rtol=0.2)  # of the 64 rows drawn
    assert (layer["bias"] != 0).all()


def test_the_quantiles_of_training_rows_are_kept_in_the_model_state():
    X = np.random.RandomState(1).exponential(size=(64, 2)).astype(np.float32)
    network = [PiecewiseLinearEmbedding(n_bins=3, features=2)]
    model = DeepRegressor(network=network, max_epochs=2, tol=None).fit(X, X[:, 0])
    (edges,) = jax.tree.leaves(model.model_state_)
    np.testing.assert_allclose(edges, np.quantile(X, [0, 1 / 3, 2 / 3, 1], axis=0).T, rtol=1e-5)
    assert np.isfinite(model.predict(X)).all()


def test_similar_row_counts_share_a_trace():
    skdeep.clear_cache()
    for n, seed in ((40, 0), (36, 1), (33, 2)):
        DeepClassifier(network=NTK, max_epochs=1, tol=None, random_state=seed).fit(X[:n], Y[:n] > 0.5)
    assert skdeep.compile_counts()["new_state"].traces == 1


class OfTwo(nn.Module):
    """A module of the user's that is initialised by the mean of one of its inputs."""

    init_rows = 100

    @nn.compact
    def __call__(self, ids, values):
        mean = self.param("mean", lambda key: values.mean(0))
        return (values - mean[None]).sum(1, keepdims=True) + 0.0 * ids


def test_users_modules_with_several_inputs_get_them_by_name():
    inputs = Inputs(values=X, ids=np.zeros((40, 1), int))
    params = first_params(DeepRegressor(network=OfTwo(), coalesce=False), inputs)
    np.testing.assert_allclose(params["mean"], X.mean(0), atol=0.3)


def test_in_the_encoder_of_an_autoencoder():
    params = first_params(DeepAutoencoder(n_components=2, encoder=[NTKDense(4)]), X, None)
    assert (params["encoder"]["NTKDense_0"]["bias"] != 0).all()
