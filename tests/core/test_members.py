"""Losses of ensembles: means over members, against each member alone."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import stats

from skdeep import DeepClassifier, DeepRegressor, Loss, Network
from skdeep.core.members import OfMembers, loss_for, loss_of_member
from skdeep.losses import CrossEntropy, GaussianNLL, Hinge, SquaredError
from skdeep.networks import MLP, Linear, TabM
from skdeep.records import Task

rng = np.random.RandomState(0)
RAW = rng.randn(6, 4, 3).astype(np.float32)
CODES = jnp.arange(6) % 3
X = rng.randn(60, 3).astype(np.float32)
Y = np.digitize(X[:, 0], [-0.5, 0.5])
SMALL = {"network": TabM(n_members=4, widths=(8,), n_bins=4, numeric_features=2), "random_state": 0, "tol": None}


def test_the_loss_is_the_mean_over_members():
    loss = OfMembers(CrossEntropy(), 4)
    expected = np.mean([CrossEntropy()(RAW[:, i], CODES) for i in range(4)], axis=0)
    np.testing.assert_allclose(loss(jnp.asarray(RAW), CODES), expected, rtol=1e-6)
    assert loss.n_raw(Task("multiclass", 3)) == (4, 3)


def test_class_variables_are_those_of_the_loss():
    assert OfMembers(Hinge(), 2).probabilistic is False
    assert OfMembers(CrossEntropy(), 2).probabilistic is True
    assert OfMembers(SquaredError(), 2).scaling == "standard"
    assert OfMembers(GaussianNLL(), 2).has_std is True
    assert OfMembers(SquaredError(), 2).tasks == ("regression",)


def test_probabilities_are_means_of_probabilities():
    shifted = np.exp(RAW.astype(float))
    expected = (shifted / shifted.sum(2, keepdims=True)).mean(1)
    found = OfMembers(CrossEntropy(), 4).link(RAW.astype(float), Task("multiclass", 3), np)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_standard_deviation_is_that_of_the_mixture():
    loss, task = GaussianNLL(), Task("regression", 1)
    raw = np.abs(rng.randn(5, 3, 2)) + 0.5
    members = [(loss.link(raw[:, i], task, np), loss.std(raw[:, i], task, np)) for i in range(3)]
    draws = np.concatenate([stats.norm.rvs(*member, size=(5, 200_000), random_state=1) for member in members], axis=1)
    found = OfMembers(loss, 3).std(raw, task, np)
    np.testing.assert_allclose(found[:, 0], draws.std(1), rtol=0.02)


def test_only_ensembles_get_it():
    assert loss_for(MLP(), SquaredError()) == SquaredError()
    wrapped = loss_for(TabM(n_members=3), SquaredError())
    assert wrapped == OfMembers(SquaredError(), 3)
    assert loss_of_member(wrapped) == loss_of_member(SquaredError()) == SquaredError()


class Copies(Network):
    """A linear ensemble whose members start equal: it must train as one of them."""

    n: int = 3

    @property
    def n_members(self):
        return self.n

    def build(self, in_shape, n_outputs):
        class Module(nn.Module):
            @nn.compact
            def __call__(self, x):
                kernel = self.param("kernel", nn.initializers.zeros, (x.shape[1], n_outputs[1]))
                bias = self.param("bias", nn.initializers.zeros, (n_outputs[1],))
                return jnp.broadcast_to((x @ kernel + bias[None])[:, None], (len(x), *n_outputs))

        return Module()


class One(Copies):
    @property
    def n_members(self):
        return None

    def build(self, in_shape, n_outputs):
        return nn.Dense(n_outputs, kernel_init=nn.initializers.zeros)


@pytest.mark.parametrize(
    ("make", "y"),
    [
        (lambda network: DeepClassifier(network=network), Y),
        (lambda network: DeepClassifier(network=network), Y > 0),
        (lambda network: DeepClassifier(network=network, loss="hinge"), Y > 0),
        (lambda network: DeepClassifier(network=network), np.column_stack([Y > 0, Y > 1]).astype(int)),
        (lambda network: DeepRegressor(network=network), X[:, :2]),
        (lambda network: DeepRegressor(network=network, loss="gaussian_nll"), X[:, 1]),
        (lambda network: DeepRegressor(network=network, loss="quantile"), X[:, 1]),
    ],
    ids=["multiclass", "binary", "scores", "multilabel", "outputs", "std", "quantiles"],
)
def test_an_ensemble_of_equal_members_is_one_of_them(make, y):
    one, many = (
        make(network).set_params(optimizer="sgd", max_epochs=5, tol=None, learning_rate=0.1, random_state=0).fit(X, y)
        for network in (One(), Copies())
    )
    np.testing.assert_allclose(many.history_["train_loss"], one.history_["train_loss"], rtol=1e-5)
    np.testing.assert_allclose(many.predict(X), one.predict(X), rtol=1e-4, atol=1e-5)
    assert many.score(X, y) == pytest.approx(one.score(X, y), rel=1e-4)
    if hasattr(one, "predict_proba"):
        np.testing.assert_allclose(many.predict_proba(X), one.predict_proba(X), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(many.predict_log_proba(X), one.predict_log_proba(X), rtol=1e-4, atol=1e-5)
    if isinstance(one, DeepClassifier) and y is Y:
        assert (many.decision_function(X).argmax(1) == many.predict(X)).all()


def test_predictions_of_tabm_are_means_over_members_and_the_parameter_loss_stays():
    model = DeepClassifier(**SMALL, max_epochs=2).fit(X, Y)
    assert model.loss_ == OfMembers(CrossEntropy(), 4)
    assert model.get_params()["loss"] == "auto"
    assert model.predict_proba(X).shape == (60, 3)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-6)
    assert (model.predict(X) == model.predict_proba(X).argmax(1)).all()


def test_tabm_learns_and_goes_on():
    y = np.maximum(X[:, 0], 0) - X[:, 1]
    model = DeepRegressor(**SMALL, max_epochs=60, learning_rate=0.01, batch_size=16, early_stopping=False)
    assert model.fit(X, y).score(X, y) > 0.8
    model = DeepRegressor(**SMALL, learning_rate=0.01).partial_fit(X, y)
    before = model.score(X, y)
    assert model.partial_fit(X, y).score(X, y) > before
    stopped = DeepRegressor(**SMALL, max_epochs=5, early_stopping=True, scoring="r2").fit(X, y)
    assert np.isfinite(stopped.score(X, y))


class Tempered(Loss):
    """A squared error with a learned temperature."""

    tasks = ("regression",)

    def n_raw(self, task):
        return {"mean": task.n_targets}

    def parameters(self, task):
        return {"log_scale": np.zeros(1)}

    def __call__(self, raw, target):
        scale = raw["log_scale"][:, 0]
        return jnp.sum((raw["mean"] - target) ** 2, axis=1) * jnp.exp(-scale) + scale

    def link(self, raw, task, xp):
        return raw["mean"]


def test_losses_with_names_and_parameters():
    model = DeepRegressor(**SMALL, loss=Tempered(), max_epochs=2).fit(X, X[:, 0])
    assert model.params_["loss"]["log_scale"].shape == (1,)
    assert model.params_["loss"]["log_scale"] != 0
    assert model.predict(X).shape == (60,)


class OwnEnsemble(nn.Module):
    """A module of the user's with outputs of several members."""

    n_members: int = 3
    n_outputs: tuple | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs[0] * self.n_outputs[1])(x).reshape(len(x), *self.n_outputs)


class OwnNNX(nnx.Module):
    n_members = 3

    def __init__(self, in_shape, n_outputs, rngs):
        self.dense = nnx.Linear(in_shape[0], n_outputs[0] * n_outputs[1], rngs=rngs)
        self.n_outputs = n_outputs

    def __call__(self, x):
        return self.dense(x).reshape(len(x), *self.n_outputs)


@pytest.mark.parametrize("network", [OwnEnsemble(), OwnNNX], ids=["linen", "nnx"])
def test_users_modules_may_be_ensembles(network):
    model = DeepClassifier(network=network, max_epochs=3, tol=None, random_state=0).fit(X, Y)
    assert model.loss_.n_members == 3
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-6)


def test_an_ensemble_that_returns_one_output_is_explained():
    class Wrong(nn.Module):
        n_members = 3

        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(x)

    with pytest.raises(ValueError, match=r"returns an array of shape .*the loss needs .*3, 3"):
        DeepClassifier(network=Wrong(), max_epochs=1).fit(X, Y)


def test_losses_of_a_batch_get_the_weights_of_the_rows():
    class OfBatch(Loss):
        tasks, of_batch = ("regression",), True

        def __call__(self, raw, target, weight):
            error = jnp.sum(weight * (raw[:, 0] - target[:, 0])) / jnp.maximum(jnp.sum(weight), 1e-6)
            return jnp.full(len(raw), error**2)

    raw, target, weight = jnp.asarray(RAW[..., :1]), jnp.ones((6, 1)), jnp.arange(6.0)
    expected = np.mean([np.average(RAW[:, i, 0] - 1, weights=weight) ** 2 for i in range(4)])
    np.testing.assert_allclose(OfMembers(OfBatch(), 4)(raw, target, weight), expected, rtol=1e-5)
    model = DeepRegressor(**SMALL, loss=OfBatch(), max_epochs=2).fit(X, X[:, 0], sample_weight=np.arange(60) + 1.0)
    assert np.isfinite(model.history_["train_loss"]).all()


def test_a_loss_that_reduces_rows_is_explained():
    class Reduces(Loss):
        tasks = ("regression",)

        def __call__(self, raw, target):
            return jnp.mean((raw - target) ** 2)

    with pytest.raises(ValueError, match="Reduces.* must return one value per row"):
        DeepRegressor(**SMALL, loss=Reduces(), max_epochs=1).fit(X, X[:, 0])


def test_a_score_of_the_loss_is_used():
    class Scored(SquaredError):
        def score(self, prediction, y, sample_weight=None):
            return 7.0

    assert DeepRegressor(**SMALL, loss=Scored(), max_epochs=1).fit(X, X[:, 0]).score(X, X[:, 0]) == 7.0
    assert DeepRegressor(**SMALL, max_epochs=1).fit(X, X[:, 0]).score(X, X[:, 0]) != 7.0


def test_many_rows_are_decoded_in_parts():
    model = DeepClassifier(**SMALL | {"network": Copies(n=40)}, max_epochs=1).fit(X, Y)
    many = np.tile(X, (100, 1))
    np.testing.assert_allclose(model.predict_proba(many)[:60], model.predict_proba(X), rtol=1e-5)


def test_other_networks_keep_their_bits():
    model = DeepRegressor(network=Linear(), max_epochs=2, tol=None, random_state=0).fit(X, X[:, 0])
    assert model.loss_ == SquaredError()
    assert jax.tree.leaves(model.params_)[0].ndim == 1
