"""Sparse X with many columns: the same results as for the dense array, with any network."""

import flax.linen as nn
import numpy as np
import pytest
import scipy.sparse as sp

import skdeep
from skdeep import DeepClassifier, MLPClassifier
from skdeep.core.sparse_rows import entries_of, most_entries, takes_entries

N_COLUMNS = 600
X = sp.random(90, N_COLUMNS, density=0.02, format="csr", random_state=0)
X.data -= 0.5
Y = (X @ np.random.default_rng(0).normal(size=N_COLUMNS) > 0).astype(int)


class UsesRowsTwice(skdeep.Module):
    """Uses its rows in a matrix product and in a sum."""

    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(nn.Dense(8)(x) * x.sum(axis=1, keepdims=True))


NETWORKS = {
    "a dense layer first": ["dense", "relu"],
    "its own kernel": [("dense", {"features": 8, "use_bias": False}), "tanh", "layer_norm"],
    "dropout first": [("dropout", {"rate": 0.2}), "relu"],
    "rows used twice": UsesRowsTwice(),
}


def test_entries_hold_all_values_also_with_empty_rows():
    x = sp.csr_array(np.array([[0, 2.0, 0, 3], [0, 0, 0, 0], [0, 0, 0, -1]]))
    rows = entries_of(x, 16)
    dense = np.zeros((3, 4))
    for i in range(3):
        np.add.at(dense[i], rows.column[i], rows.value[i])
    np.testing.assert_array_equal(dense, x.toarray())


@pytest.mark.parametrize(
    ("n_columns", "density", "expected"), [(600, 0.02, True), (600, 0.2, False), (20, 0.05, False)]
)
def test_only_rows_that_are_sparse_enough_are_kept_as_entries(n_columns, density, expected):
    x = sp.random(90, n_columns, density=density, format="csr", random_state=0)
    assert takes_entries(x) is expected
    assert most_entries(x) >= np.diff(x.indptr).max()


def test_one_long_row_among_many_short_ones_is_not_kept_as_entries():
    rows = np.r_[np.arange(40_000), np.zeros(4000, int)]
    columns = np.r_[np.arange(40_000), np.arange(50_000, 54_000)]
    x = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(40_000, 100_000))
    assert not takes_entries(x)
    assert takes_entries(x[1:])


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_sparse_and_dense_rows_train_and_predict_alike(network):
    model = DeepClassifier(network=network, max_epochs=3, batch_size=32, tol=None, coalesce=False, random_state=0)
    assert takes_entries(X)
    sparse, dense = (skdeep_fit(model, x) for x in (X, X.toarray()))
    np.testing.assert_allclose(sparse.predict_proba(X), dense.predict_proba(X.toarray()), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sparse.history_["train_loss"], dense.history_["train_loss"], rtol=1e-4)


def skdeep_fit(model, x):
    from sklearn.base import clone

    return clone(model).fit(x, Y)


def test_the_perceptron_agrees_with_scikit_learn_on_sparse_rows():
    from sklearn.neural_network import MLPClassifier as Reference

    ours, theirs = (
        kind(8, max_iter=5, batch_size=32, random_state=0, tol=0, n_iter_no_change=99)
        for kind in (MLPClassifier, Reference)
    )
    for model in (ours, theirs):
        with pytest.warns(match="Maximum iterations"):
            model.fit(X, Y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-8)


def test_augmentations_see_dense_rows():
    shapes = []

    def halve(key, x):
        shapes.append(x.shape)
        return x / 2

    DeepClassifier(augmentation=halve, max_epochs=1, tol=None, batch_size=32, random_state=0).fit(X, Y)
    assert set(shapes) == {(32, N_COLUMNS)}


def test_a_prediction_does_not_depend_on_other_rows():
    model = DeepClassifier(max_epochs=1, tol=None, random_state=0).fit(X, Y)
    alone = np.vstack([model.predict_proba(X[i]) for i in range(5)])
    np.testing.assert_allclose(model.predict_proba(X)[:5], alone, rtol=1e-6)
