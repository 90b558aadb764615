"""DeepClassifier: tasks, labels, validation, weights, warm starts."""

from __future__ import annotations

import pickle

import flax.linen as nn
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepClassifier
from skdeep.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Fits with the same network share programs.
NETWORK = MLP(widths=(16,))
QUICK = {"network": NETWORK, "learning_rate": 0.03, "l2": None, "max_epochs": 60, "tol": None, "random_state": 0}
X, y = make_classification(n_samples=200, n_features=8, n_informative=6, n_classes=3, random_state=0)
SMALL = {**QUICK, "learning_rate": 0.01, "max_epochs": 5}


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "b", "c"]),
        np.array(["x", "yy", "zzz"], dtype=object),
        np.array([-5, 0, 7]),
        np.array([0.0, 1.0, 2.0]),
        np.array([10, 20, 30], dtype=np.uint8),
    ],
    ids=["str", "object", "int", "float", "uint8"],
)
def test_labels_of_any_kind(labels):
    model = DeepClassifier(**QUICK).fit(X, labels[y])
    assert model.classes_.tolist() == labels.tolist()
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels[y]) > 0.9


@pytest.mark.parametrize("labels", [[False, True], ["no", "yes"], [-1, 1], [3, 5]])
def test_binary(labels):
    target = np.asarray(labels)[(y == 1).astype(int)]
    model = DeepClassifier(**QUICK).fit(X, target)
    probability, decision = model.predict_proba(X), model.decision_function(X)
    assert model.n_outputs_ == 1
    assert decision.shape == (200,)
    assert probability.shape == (200, 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(X), model.classes_[(decision > 0).astype(int)])
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probability))


def test_probabilities_are_those_of_a_network_applied_by_hand():
    model = DeepClassifier(**QUICK).fit(X, y)
    hidden, output = model.params_["Dense_0"], model.params_["output"]
    raw = np.maximum(X @ hidden["kernel"] + hidden["bias"], 0) @ output["kernel"] + output["bias"]
    expected = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-4)
    assert model.n_parameters_ == 8 * 16 + 16 + 16 * 3 + 3


def test_multilabel():
    X, labels = make_multilabel_classification(n_samples=200, n_features=10, n_classes=4, random_state=0)
    model = make_pipeline(StandardScaler(), DeepClassifier(**QUICK | {"network": MLP((64,))})).fit(X, labels)
    assert model.predict_proba(X).shape == labels.shape
    assert model.predict(X).shape == labels.shape
    assert accuracy_score(labels.ravel(), model.predict(X).ravel()) > 0.9


def test_linear_network_agrees_with_logistic_regression():
    target = (y == 1).astype(int)
    model = DeepClassifier(network="linear", optimizer="lbfgs", l2=0.01, max_epochs=100, tol=0.0).fit(X, target)
    reference = LogisticRegression(C=1 / (0.01 * len(X)), tol=1e-8).fit(X, target)
    np.testing.assert_allclose(model.params_["output"]["kernel"][:, 0], reference.coef_[0], rtol=1e-3, atol=1e-4)


def test_digits_reach_a_good_accuracy():
    X_train, X_test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    model = make_pipeline(StandardScaler(), DeepClassifier(random_state=0, max_epochs=30)).fit(X_train, y_train)
    assert model.score(X_test, y_test) > 0.96


def test_early_stopping_keeps_the_best_parameters():
    X, y = load_iris(return_X_y=True)
    X_train, X_val, y_train, y_val = train_test_split(X, y, random_state=0)
    params = {"network": NETWORK, "learning_rate": 0.1, "max_epochs": 100, "random_state": 0}
    model = DeepClassifier(**params, early_stopping=True, n_iter_no_change=5)
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    history = model.history_
    assert model.n_iter_ < 100
    assert model.best_epoch_ == history["val_loss"].idxmin() + 1
    # Independent of the program: scikit-learn's log loss of the kept parameters.
    np.testing.assert_allclose(log_loss(y_val, model.predict_proba(X_val)), history["val_loss"].min(), rtol=1e-5)


def test_early_stopping_equals_a_fit_of_as_many_epochs():
    params = {"network": NETWORK, "learning_rate": 0.05, "max_epochs": 60, "random_state": 0, "shuffle": False}
    stopped = DeepClassifier(**params, early_stopping=True)
    X_train, X_val, y_train, y_val = train_test_split(X, y, random_state=0)
    stopped.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    exact = clone(stopped).set_params(early_stopping=False, tol=None, max_epochs=stopped.best_epoch_)
    exact.fit(X_train, y_train)
    np.testing.assert_allclose(exact.predict_proba(X), stopped.predict_proba(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", None, lambda est, X, y: est.score(X, y)])
def test_early_stopping_on_a_score(scoring):
    model = DeepClassifier(**{**SMALL, "max_epochs": 15}, early_stopping=True, scoring=scoring)
    history = model.fit(X, y).history_
    assert model.best_epoch_ == history["val_score"].idxmax() + 1
    assert history["val_score"].notna().all()
    assert history["val_loss"].notna().all()


def test_given_validation_without_early_stopping_is_only_reported():
    plain = DeepClassifier(**SMALL).fit(X, y)
    reported = DeepClassifier(**SMALL).fit(X, y, X_val=X[:50], y_val=y[:50], sample_weight_val=np.ones(50))
    np.testing.assert_array_equal(plain.params_["output"]["kernel"], reported.params_["output"]["kernel"])
    assert plain.history_["val_loss"].isna().all()
    assert reported.history_["val_loss"].notna().all()


def test_held_out_rows_are_stratified_and_lone_members_train():
    target = np.array([0] * 60 + [1] * 39 + [2])
    model = DeepClassifier(**SMALL, early_stopping=True, validation_fraction=0.2).fit(X[:100], target)
    assert model.classes_.tolist() == [0, 1, 2]


def test_history_columns_and_epochs():
    history = DeepClassifier(**SMALL).fit(X, y).history_
    assert list(history.columns) == ["epoch", "train_loss", "val_loss", "val_score", "learning_rate", "seconds"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert (history["seconds"] > 0).all()
    np.testing.assert_allclose(history["learning_rate"], 0.01, rtol=1e-6)


def test_train_loss_is_the_weighted_mean_without_penalty():
    weight = np.linspace(0.5, 2, 200)
    params = {**SMALL, "learning_rate": 1e-12, "l2": 10.0, "max_epochs": 1, "coalesce": False}
    model = DeepClassifier(**params).fit(X, y, weight)
    expected = log_loss(y, model.predict_proba(X), sample_weight=weight)
    np.testing.assert_allclose(model.history_["train_loss"][0], expected, rtol=1e-5)


def test_partial_fit_equals_fit_on_the_same_batches():
    params = {**SMALL, "shuffle": False, "max_epochs": 3}
    fitted = DeepClassifier(**params).fit(X, y)
    partial = DeepClassifier(**params)
    for _ in range(3):
        partial.partial_fit(X, y)
    np.testing.assert_allclose(partial.predict_proba(X), fitted.predict_proba(X), rtol=1e-5)
    assert partial.n_iter_ == 3
    assert partial.history_["epoch"].tolist() == [1, 2, 3]


def test_partial_fit_survives_pickling_between_calls():
    params = {**SMALL, "random_state": 0}
    straight, pickled = DeepClassifier(**params), DeepClassifier(**params)
    for part in (slice(0, 100), slice(100, 200)):
        straight.partial_fit(X[part], y[part], classes=[0, 1, 2])
        pickled = pickle.loads(pickle.dumps(pickled.partial_fit(X[part], y[part], classes=[0, 1, 2])))
    np.testing.assert_array_equal(straight.predict_proba(X), pickled.predict_proba(X))


def test_partial_fit_knows_classes_that_come_later():
    model = DeepClassifier(**SMALL).partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    model.partial_fit(X, y)
    assert model.predict_proba(X).shape == (200, 3)
    with pytest.raises(ValueError, match=r"labels that are not among the classes.*9"):
        model.partial_fit(X, np.where(y == 2, 9, y))


def test_fit_after_partial_fit_starts_anew():
    model = DeepClassifier(**SMALL).partial_fit(X, y).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), DeepClassifier(**SMALL).fit(X, y).predict_proba(X))
    assert model.n_iter_ == 5


def test_warm_start_goes_on_from_the_parameters():
    model = DeepClassifier(**SMALL, warm_start=True).fit(X, y)
    first = model.history_["train_loss"].iloc[-1]
    model.fit(X, y)
    assert model.history_["train_loss"].iloc[0] < first
    assert model.n_iter_ == 5


@pytest.mark.parametrize(
    ("changes", "columns", "message"),
    [
        ({"network": MLP(widths=(5,))}, 4, r"params_/Dense_0/bias has shape \(7,\) there, and has shape \(5,\) now"),
        ({"network": MLP(widths=(7, 3))}, 4, r"params_/Dense_1/bias is absent there, and has shape \(3,\) now"),
        ({"network": MLP(widths=(7,), normalization="batch")}, 4, ".* is absent "),
        ({}, 3, r"params_/Dense_0/kernel has shape \(4, 7\) there, and has shape \(3, 7\) now"),
    ],
)
def test_warm_start_cannot_go_on_with_another_network(changes, columns, message):
    model = DeepClassifier(network=MLP(widths=(7,)), max_epochs=1, tol=None, warm_start=True, random_state=0)
    before = model.fit(X[:, :4], y).predict(X[:, :4])
    with pytest.raises(ValueError, match=f"warm_start=True continues from .* but {message}.*set warm_start=False"):
        model.set_params(**changes).fit(X[:, :columns], y)
    np.testing.assert_array_equal(model.predict(X[:, :4]), before)


def test_class_weight_moves_the_decision():
    target = (y == 1).astype(int)
    shares = [
        DeepClassifier(**QUICK, class_weight=weight).fit(X, target).predict_proba(X)[:, 1].mean()
        for weight in ({0: 20.0}, None, {1: 20.0})
    ]
    assert shares[0] < shares[1] < shares[2]


def test_balanced_equals_the_dict_of_inverse_frequencies():
    target = (y == 1).astype(int)
    counts = np.bincount(target)
    given = {label: len(target) / (2 * counts[label]) for label in (0, 1)}
    left, right = (DeepClassifier(**SMALL, class_weight=w).fit(X, target) for w in ("balanced", given))
    np.testing.assert_allclose(left.predict_proba(X), right.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames(frame):
    columns = [f"c{i}" for i in range(8)]
    data = frame(dict(zip(columns, X.T, strict=True)))
    model = DeepClassifier(**SMALL).fit(data, y)
    assert model.feature_names_in_.tolist() == columns
    np.testing.assert_array_equal(model.predict(data), DeepClassifier(**SMALL).fit(X, y).predict(X))
    shuffled = data[columns[::-1]]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(shuffled)


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_matrix, sp.csr_array, sp.csc_array])
def test_sparse_equals_dense(container):
    dense = np.where(np.abs(X) < 1, 0, X).astype(np.float32)
    params = {**SMALL, "batch_size": 32}
    from_dense = DeepClassifier(**params).fit(dense, y)
    from_sparse = DeepClassifier(**params).fit(container(dense), y)
    np.testing.assert_allclose(from_sparse.predict_proba(dense), from_dense.predict_proba(dense), rtol=1e-4)
    np.testing.assert_allclose(from_sparse.predict_proba(container(dense)), from_sparse.predict_proba(dense), rtol=1e-6)


def test_sparse_validation_rows_are_evaluated_on_the_host():
    dense = np.where(np.abs(X) < 1, 0, X)
    params = {**QUICK, "early_stopping": True, "max_epochs": 15}
    from_dense = DeepClassifier(**params).fit(dense, y).history_
    from_sparse = DeepClassifier(**params).fit(sp.csr_matrix(dense), y).history_
    np.testing.assert_allclose(from_sparse["val_loss"], from_dense["val_loss"], rtol=1e-3)


def test_sparse_is_never_made_dense_as_a_whole(monkeypatch):
    from skdeep.core.feeds import gathered

    largest = 0
    dense_block = gathered.dense_block

    def watched(x, index, shape):
        nonlocal largest
        block = dense_block(x, index, shape)
        largest = max(largest, block.size)
        return block

    monkeypatch.setattr(gathered, "dense_block", watched)
    monkeypatch.setattr(gathered, "MAX_BLOCK_VALUES", 2**18)
    wide = sp.random(400, 2_000, density=1e-3, format="csr", random_state=0, dtype=np.float32)
    wide = sp.vstack([sp.csr_matrix(np.ones((1, 2_000), np.float32)), wide[1:]], format="csr")  # too full for entries
    target = np.arange(400) % 2
    DeepClassifier(network="linear", max_epochs=1, tol=None, batch_size=64).fit(wide, target)
    assert 0 < largest <= gathered.MAX_BLOCK_VALUES < wide.shape[0] * wide.shape[1]


class Images(nn.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        assert x.shape[1:] == (8, 8, 1)
        return nn.Dense(self.n_outputs)(x.reshape(x.shape[0], -1))


def test_input_shape_in_a_pipeline_and_nd_input():
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    flat = make_pipeline(StandardScaler(), DeepClassifier(**SMALL | {"network": Images()}, input_shape=(8, 8, 1)))
    assert flat.fit(X, y)[-1].input_shape_ == (8, 8, 1)
    images = X.reshape(-1, 8, 8, 1)
    model = DeepClassifier(**SMALL | {"network": Images()}).fit(images, y)
    assert model.predict(images).shape == (200,)
    with pytest.raises(ValueError, match=r"rows of shape \(8, 4, 2\).*fitted on rows of shape \(8, 8, 1\)"):
        model.predict(X.reshape(-1, 8, 4, 2))


def test_hinge_has_decisions_but_no_probabilities():
    model = DeepClassifier(**QUICK, loss="hinge").fit(X, y)
    assert model.score(X, y) > 0.8
    assert not hasattr(model, "predict_proba")
    with pytest.raises(AttributeError) as caught:
        model.predict_proba(X)
    assert "predict_proba is not available for the loss Hinge" in str(caught.value.__cause__)


def test_components_are_found_in_the_fitted_attributes():
    model = DeepClassifier(**SMALL, optimizer="adamw", schedule="cosine").fit(X, y)
    assert model.resolved_components_ == {
        "network": "mlp",
        "loss": "cross_entropy",
        "optimizer": "adamw",
        "schedule": "cosine",
    }
    assert type(model.optimizer_).__name__ == "AdamW"


def test_verbose_prints_a_line_per_epoch(capsys):
    DeepClassifier(**SMALL, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["epoch", "train", "loss", "seconds"]
    assert [line.split()[0] for line in lines[1:]] == [f"{i}/5" for i in range(1, 6)]
    assert len({len(line) for line in lines}) == 1  # the columns are aligned


def test_seeds():
    one, same, other = (DeepClassifier(**SMALL).set_params(random_state=s).fit(X, y) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.predict_proba(X), same.predict_proba(X))
    assert not np.allclose(one.predict_proba(X), other.predict_proba(X))


def test_row_order_does_not_depend_on_duplicates():
    twice = np.concatenate([X, X[:50]]), np.concatenate([y, y[:50]])
    weights = np.concatenate([np.full(50, 2.0), np.ones(150)])
    left = DeepClassifier(**SMALL).fit(*twice)
    right = DeepClassifier(**SMALL).fit(X, y, weights)
    np.testing.assert_array_equal(left.predict_proba(X), right.predict_proba(X))
