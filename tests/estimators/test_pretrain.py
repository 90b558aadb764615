"""Training on top of an autoencoder's encoder."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor
from skdeep.core import as_traced
from skdeep.core.composed import Pretrained
from skdeep.core.network import functions_of
from skdeep.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = (array[:600] for array in load_digits(return_X_y=True))
X = (X / 16).astype(np.float32)
HEAD = {"network": MLP(widths=(8,)), "max_epochs": 3, "tol": None, "random_state": 0}


def fitted(X=X, **params):
    defaults = {"n_components": 5, "encoder": MLP(widths=(16,)), "max_epochs": 3, "tol": None, "random_state": 0}
    return FrozenEstimator(DeepAutoencoder(**defaults | params).fit(X))


@pytest.fixture(scope="module")
def encoder():
    return fitted()


def encoder_of(model):
    return model.params_["encoder"] if "encoder" in model.params_ else model.model_state_["frozen"]


def assert_trees_equal(left, right):
    jax.tree.map(assert_array_equal, left, right)


def largest_difference(left, right):
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: float(np.abs(a - b).max()), left, right)))


def test_training_starts_from_the_encoder(encoder):
    """At a tiny learning rate the encoder stays the autoencoder's; at a usual one training changes it."""
    still = DeepClassifier(**HEAD, pretrain=encoder, learning_rate=1e-30, optimizer="sgd").fit(X, y)
    assert_trees_equal(still.params_["encoder"], encoder.params_["encoder"])
    moved = DeepClassifier(**HEAD, pretrain=encoder).fit(X, y)
    assert 1e-4 < largest_difference(moved.params_["encoder"], encoder.params_["encoder"]) < 0.5


@pytest.mark.parametrize("cls", [DeepClassifier, pytest.param(DeepRegressor, marks=pytest.mark.campaign)])
def test_frozen_is_the_head_trained_on_the_codes(encoder, cls):
    """Training with a frozen encoder equals training the head alone on `transform(X)`."""
    model = cls(**HEAD, pretrain=encoder, freeze_pretrained=True, learning_rate=0.01).fit(X, y)
    codes = encoder.transform(X)
    functions = functions_of(as_traced(HEAD["network"]), (5,), model.n_outputs_)
    apply = jax.jit(lambda params, x: functions.apply(params, {}, x, False, None, jnp.ones(len(x)))[0])
    raw = apply(model.params_["head"], codes)
    assert_allclose(model._raw(X)[0], raw, rtol=1e-4, atol=1e-4)
    assert set(model.params_) == {"head"}
    assert_trees_equal(model.model_state_["frozen"], encoder.params_["encoder"])
    assert model.n_parameters_ == (5 * 8 + 8) + (8 * model.n_outputs_ + model.n_outputs_)


# Weight decay; and parameters for predictions that are not those of training.
@pytest.mark.parametrize(
    "optimizer",
    ["adamw", "schedule_free_adamw", *(pytest.param(name, marks=pytest.mark.campaign) for name in ("muon", "sgd"))],
)
def test_no_optimizer_moves_frozen_weights(encoder, optimizer):
    model = DeepClassifier(
        **HEAD, pretrain=encoder, freeze_pretrained=True, optimizer=optimizer, l1=0.1, l2=0.1, clip_norm=1.0
    ).fit(X, y)
    assert_trees_equal(encoder_of(model), encoder.params_["encoder"])


def test_frozen_is_training_the_head_alone_on_the_codes(encoder):
    """Penalties, weight decay and the gradient norm include only the head, so the steps equal those of a plain fit."""
    params = {**HEAD, "warm_start": True, "coalesce": False}
    start = {"learning_rate": 1e-30, "optimizer": "sgd"}
    frozen = DeepClassifier(**params, **start, pretrain=encoder, freeze_pretrained=True).fit(X, y)
    plain = DeepClassifier(**params, **start).fit(encoder.transform(X), y)
    plain.params_ = frozen.params_["head"]
    steps = {"learning_rate": 0.01, "optimizer": "adamw", "l1": 0.01, "l2": 0.1, "clip_norm": 0.1}
    frozen.set_params(**steps).fit(X, y)
    plain.set_params(**steps).fit(encoder.transform(X), y)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-3, atol=1e-5), frozen.params_["head"], plain.params_)


def test_an_encoder_of_many_rows_helps_with_few_labels():
    """One direction of 200 varies and decides the class: 1,000 rows without labels show it better than 20 labels."""
    rng = np.random.default_rng(0)
    latent, direction = rng.normal(size=1200), rng.normal(size=200)
    rows = 2 * latent[:, None] * direction[None, :] / np.linalg.norm(direction) + rng.normal(size=(1200, 200))
    labels = latent > 0
    linear = {"network": "linear", "max_epochs": 200, "tol": None, "learning_rate": 0.03, "random_state": 0}
    encoder = fitted(rows[:1000], n_components=1, encoder="linear", max_epochs=60, batch_size=100, learning_rate=0.03)
    scores = [
        DeepClassifier(**linear, **params).fit(rows[:20], labels[:20]).score(rows[1000:], labels[1000:])
        for params in ({}, {"pretrain": encoder, "freeze_pretrained": True})
    ]
    assert scores[1] > scores[0] + 0.1


def test_the_mean_of_a_variational_code_goes_to_the_head():
    variational = fitted(variational=True)
    model = DeepClassifier(
        network="linear", pretrain=variational, freeze_pretrained=True, max_epochs=2, tol=None, random_state=0
    ).fit(X, y)
    output = model.params_["head"]["output"]
    assert_allclose(
        model._raw(X)[0], variational.transform(X) @ output["kernel"] + output["bias"], rtol=1e-3, atol=1e-4
    )


def test_running_averages_of_a_frozen_encoder_stay():
    normed = fitted(encoder=MLP(widths=(16,), normalization="batch"))
    kept = DeepClassifier(**HEAD, pretrain=normed, freeze_pretrained=True).fit(X, y)
    assert_trees_equal(kept.model_state_["encoder"], normed.model_state_["encoder"])
    moved = DeepClassifier(**HEAD, pretrain=normed).fit(X, y)
    assert largest_difference(moved.model_state_["encoder"], normed.model_state_["encoder"]) > 1e-4


def test_pipeline_search_clone_and_pickle(encoder):
    scaled = fitted(MinMaxScaler().fit_transform(X))
    pipeline = make_pipeline(MinMaxScaler(), DeepClassifier(**HEAD | {"max_epochs": 8}, pretrain=scaled))
    grid = {"deepclassifier__learning_rate": [1e-6, 0.05]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_params_["deepclassifier__learning_rate"] == 0.05
    assert search.score(X, y) > 0.6
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(again.predict(X), search.predict(X))
    copy = clone(again).fit(X, y)
    assert_array_equal(copy.predict_proba(X), search.predict_proba(X))
    assert clone(DeepClassifier(pretrain=encoder)).pretrain is encoder


def test_numbers_and_folds_need_no_new_compile(encoder):
    skdeep.clear_cache()
    for rate, rows in ((0.1, 600), (0.01, 580), (1, 590)):
        model = DeepClassifier(**HEAD, pretrain=encoder, learning_rate=rate, optimizer="sgd")
        model.fit(X[:rows], y[:rows])
    assert skdeep.compile_counts()["train_block"] == (1, 1)


def test_early_stopping_keeps_the_best_encoder_too(encoder):
    model = DeepClassifier(**HEAD | {"max_epochs": 6}, pretrain=encoder, early_stopping=True, learning_rate=0.03)
    model.fit(X, y)
    losses = model.history_["val_loss"]
    assert model.best_epoch_ == losses.argmin() + 1


def test_warm_start_continues_and_may_unfreeze_the_encoder(encoder):
    model = DeepClassifier(**HEAD, pretrain=encoder, freeze_pretrained=True, warm_start=True, learning_rate=0.01)
    last = model.fit(X, y).history_["train_loss"].iloc[-1]
    head = model.params_["head"]
    model.set_params(freeze_pretrained=False, learning_rate=1e-30, optimizer="sgd").fit(X, y)
    assert_trees_equal(model.params_, {"encoder": encoder.params_["encoder"], "head": head})
    model.set_params(learning_rate=0.01, optimizer="adam").fit(X, y)
    assert model.history_["train_loss"].iloc[-1] < last
    assert largest_difference(model.params_["encoder"], encoder.params_["encoder"]) > 1e-4


@pytest.mark.parametrize("first", [True, False])
def test_warm_start_raises_if_pretrain_was_added_or_removed(encoder, first):
    model = DeepClassifier(**HEAD, pretrain=encoder if first else None, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="warm_start=True continues from the parameters of the last fit, but params_/"):
        model.set_params(pretrain=None if first else encoder).fit(X, y)


@pytest.mark.parametrize("freeze", [False, True])
def test_partial_fit_is_as_fit(encoder, freeze):
    params = {**HEAD, "pretrain": encoder, "freeze_pretrained": freeze, "coalesce": False}
    whole, stepwise = DeepClassifier(**params).fit(X, y), DeepClassifier(**params)
    for _ in range(3):
        stepwise.partial_fit(X, y)
    assert_allclose(stepwise.predict_proba(X), whole.predict_proba(X), rtol=1e-4, atol=1e-6)
    moved = largest_difference(encoder_of(stepwise), encoder.params_["encoder"])
    assert (moved == 0) == freeze


def test_the_autoencoder_is_not_changed(encoder):
    before = jax.tree.map(np.copy, encoder.params_)
    DeepClassifier(**HEAD, pretrain=encoder, learning_rate=0.1).fit(X, y)
    assert_trees_equal(encoder.params_, before)


def test_images_of_the_autoencoder_come_as_flat_rows_too():
    images = fitted(X, input_shape=(8, 8, 1))
    model = DeepRegressor(**HEAD, pretrain=images).fit(X, y)
    assert model.input_shape_ == (8, 8, 1)
    assert model.predict(X).shape == y.shape


def test_network_and_parameters_belong_together(encoder):
    model = DeepClassifier(**HEAD, pretrain=encoder).fit(X, y)
    assert model.network_ == Pretrained(MLP(widths=(16,)), HEAD["network"], 5, 5)
    assert set(model.params_) == {"encoder", "head"}
    assert model.get_params()["network__widths"] == (8,)


UNFITTED = DeepAutoencoder()


@pytest.mark.parametrize(
    ("pretrain", "message"),
    [
        (UNFITTED, r"Got a bare DeepAutoencoder instead, .* Give sklearn.frozen.FrozenEstimator\(autoencoder\)."),
        (FrozenEstimator(UNFITTED), "Got one that is not fitted. Call its fit first."),
        (FrozenEstimator(PCA()), "must be a fitted DeepAutoencoder in a FrozenEstimator. Got a FrozenEstimator of PCA"),
        ("mlp", "The 'pretrain' parameter of DeepClassifier must be a fitted DeepAutoencoder .* Got 'mlp' instead."),
    ],
)
def test_invalid_values_of_pretrain_raise(pretrain, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(pretrain=pretrain).fit(X, y)


def test_rows_of_another_shape_than_the_autoencoders_are_refused(encoder):
    with pytest.raises(
        ValueError,
        match=r"The autoencoder in 'pretrain' was fitted on rows of shape \(64,\), but DeepClassifier got rows of shape \(60,\)",
    ):
        DeepClassifier(pretrain=encoder).fit(X[:, :60], y)
    with pytest.raises(ValueError, match=r"got rows of shape \(8, 8\). Fit both on the same columns, and leave"):
        DeepClassifier(pretrain=encoder, input_shape=(8, 8)).fit(X, y)


def test_columns_in_another_order_are_refused():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X[:, 20:24], columns=list("abcd"))
    autoencoder = fitted(frame, n_components=2)
    with pytest.raises(ValueError, match=r"on the columns \['a', 'b', 'c', 'd'\], but DeepRegressor got \['d', 'a'"):
        DeepRegressor(**HEAD, pretrain=autoencoder).fit(frame[list("dabc")], y)
    DeepRegressor(**HEAD, pretrain=autoencoder).fit(frame, y)
