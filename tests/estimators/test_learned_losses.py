"""Losses with parameters in the estimators: trained as a loop of Optax does, to the maximum of a likelihood."""

from __future__ import annotations

import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.sparse
from flax import nnx
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import skdeep
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPRegressor, SequenceGenerator, compile_counts
from skdeep.core.run import run
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.networks import Linear
from skdeep.testing import check_loss
from skdeep.testing.loss_checks import check_learned_parameters

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.7 * RNG.normal(size=60) + 3.0
SETTINGS = {"tol": None, "random_state": 0, "batch_size": 60, "network": "linear"}


class NormalNLL(skdeep.Loss):
    """Negative log-likelihood of normal targets with one learned standard deviation, which starts at `exp(start)`."""

    start: float = 0.0

    tasks = ("regression",)
    has_std = True

    def n_raw(self, task):
        return {"mean": task.n_targets}

    def parameters(self, task):
        return {"log_std": jnp.full(task.n_targets, self.start)}

    def __call__(self, raw, target):
        z = (target - raw["mean"]) * jnp.exp(-raw["log_std"])
        return (0.5 * z**2 + raw["log_std"]).mean(axis=1)

    def link(self, raw, task, xp):
        return raw["mean"]

    def std(self, raw, task, xp):
        return xp.exp(raw["log_std"])


class Tempered(skdeep.Loss):
    """Cross-entropy at a learned temperature."""

    tasks = ("binary", "multiclass")
    probabilistic = True

    def n_raw(self, task):
        return {"score": task.n_targets}

    def parameters(self, task):
        return {"log_temperature": np.zeros(1)}

    def __call__(self, raw, target):
        scaled = raw["score"] * jnp.exp(-raw["log_temperature"])
        return -jnp.take_along_axis(jax.nn.log_softmax(scaled, axis=1), target[:, None], axis=1)[:, 0]

    def link(self, raw, task, xp):
        scaled = raw["score"] * xp.exp(-raw["log_temperature"])
        weight = xp.exp(scaled - xp.max(scaled, axis=1, keepdims=True))
        return weight / xp.sum(weight, axis=1, keepdims=True)


def test_parameters_are_those_of_an_optax_loop():
    """Adam on all rows, with the penalty on the kernel alone."""
    model = DeepRegressor(loss=NormalNLL(start=0.5), learning_rate=0.05, l2=0.1, max_epochs=30, **SETTINGS)
    params = jax.tree.map(jnp.asarray, prepare(model, FitData(X, Y)).start.params)
    x, y = jnp.asarray(X, jnp.float32), jnp.asarray(Y, jnp.float32)

    def objective(params):
        kernel, log_std = params["network"]["output"]["kernel"], params["loss"]["log_std"][0]
        mean = (x @ kernel)[:, 0] + params["network"]["output"]["bias"][0]
        losses = 0.5 * ((y - mean) / jnp.exp(log_std)) ** 2 + log_std
        return losses.mean() + 0.05 * (kernel**2).sum()

    adam = optax.adam(0.05)

    @jax.jit
    def step(params, state):
        updates, state = adam.update(jax.grad(objective)(params), state)
        return optax.apply_updates(params, updates), state

    state = adam.init(params)
    for _ in range(30):
        params, state = step(params, state)
    model.fit(X, Y)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-4, atol=1e-5), model.params_, params)


def test_the_maximum_of_a_normal_likelihood_is_least_squares_with_the_mean_square_of_residuals():
    model = DeepRegressor(loss=NormalNLL(), optimizer="lbfgs", max_epochs=100, tol=None, network="linear").fit(X, Y)
    design = np.column_stack([X, np.ones(60)])
    coefficients, *_ = np.linalg.lstsq(design, Y, rcond=None)
    mean, std = model.predict(X, return_std=True)
    assert_allclose(mean, design @ coefficients, rtol=1e-3, atol=2e-3)
    assert_allclose(std, np.sqrt(np.mean((Y - design @ coefficients) ** 2)), rtol=1e-3)


def test_fitted_attributes_are_of_the_network_that_was_given():
    model = DeepRegressor(loss=NormalNLL(), max_epochs=2, **SETTINGS).fit(X, Y)
    assert model.network_ == Linear()
    assert model.n_outputs_ == 1
    assert model.n_parameters_ == 3 + 1 + 1
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert_array_equal(clone(model).fit(X, Y).predict(X), model.predict(X))


def test_a_job_begins_with_plain_arrays_and_pickles():
    """The initial temperature is a constant of the traced program."""
    job = prepare(DeepClassifier(loss=Tempered(), max_epochs=2, **SETTINGS), FitData(X, Y > 3))
    assert {type(leaf) for leaf in jax.tree.leaves(job.start)} == {np.ndarray}
    outcomes = [run(made) for made in (job, pickle.loads(pickle.dumps(job)))]
    jax.tree.map(assert_array_equal, *(outcome.params for outcome in outcomes))


def test_another_initial_value_compiles_nothing():
    model = DeepRegressor(loss=NormalNLL(), max_epochs=2, **SETTINGS).fit(X, Y)
    model.predict(X)
    before = compile_counts()
    model.set_params(loss__start=0.3).fit(X, Y).predict(X)
    assert compile_counts() == before
    assert 0.2 < model.params_["loss"]["log_std"][0] < 0.4


def test_a_warm_start_goes_on_from_them():
    model = DeepRegressor(loss=NormalNLL(), max_epochs=3, warm_start=True, **SETTINGS).fit(X, Y)
    model.params_["loss"]["log_std"][:] = 2.0
    model.set_params(max_epochs=1).fit(X, Y)
    assert_allclose(model.params_["loss"]["log_std"], 2.0, atol=0.01)
    plain = DeepRegressor(max_epochs=1, warm_start=True, loss="poisson", **SETTINGS).fit(X, np.abs(Y))
    with pytest.raises(ValueError, match="served the loss Poisson"):
        plain.set_params(loss=NormalNLL()).fit(X, Y)
    plain = DeepClassifier(max_epochs=1, warm_start=True, **SETTINGS).fit(X, Y > 3)
    with pytest.raises(
        ValueError, match=re.escape("params_/loss/log_temperature is absent there, and has shape (1,) now")
    ):
        plain.set_params(loss=Tempered()).fit(X, Y > 3)


def test_partial_fit_goes_on_with_them():
    model = DeepRegressor(loss=NormalNLL(), shuffle=False, learning_rate=0.05, **SETTINGS)
    whole = clone(model).set_params(max_epochs=3).fit(X, Y)
    for _ in range(3):
        model.partial_fit(X, Y)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-5, atol=1e-6), model.params_, whole.params_)
    with pytest.raises(ValueError, match=re.escape("has {'log_std': 1, 'mean': 1} raw outputs for the loss NormalNLL")):
        model.set_params(loss="bernoulli").partial_fit(X, np.clip(Y, 0, 1))


def test_early_stopping_keeps_those_of_the_best_epoch():
    model = DeepRegressor(
        loss=NormalNLL(start=3.0), early_stopping=True, learning_rate=0.1, max_epochs=8, **SETTINGS | {"tol": 100.0}
    )
    model.set_params(n_iter_no_change=3).fit(X, Y)
    first = clone(model).set_params(max_epochs=model.best_epoch_, n_iter_no_change=50, tol=None).fit(X, Y)
    assert_array_equal(model.params_["loss"]["log_std"], first.params_["loss"]["log_std"])
    assert model.params_["loss"]["log_std"][0] != 3.0


def test_classes_by_a_learned_temperature():
    y = np.digitize(Y, [2.0, 4.0])
    model = DeepClassifier(loss=Tempered(), learning_rate=0.05, max_epochs=200, **SETTINGS).fit(X, y)
    assert model.score(X, y) > 0.7
    raw = X @ model.params_["network"]["output"]["kernel"] + model.params_["network"]["output"]["bias"]
    raw = raw / np.exp(model.params_["loss"]["log_temperature"])
    expected = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    assert_allclose(model.predict_proba(X), expected, rtol=1e-4, atol=1e-5)
    assert_array_equal(model.predict(X), expected.argmax(axis=1))
    assert_allclose(model.predict_log_proba(X), np.log(expected), rtol=1e-3, atol=1e-4)


def test_a_module_of_ones_own_that_gives_probabilities_gets_no_hint_at_a_softmax_that_there_is_not():
    """The hint is about the built-in link, and reads one array."""

    def network(in_shape, n_outputs, rngs):
        return nnx.Linear(in_shape[0], n_outputs, rngs=rngs)

    DeepClassifier(loss=Tempered(), max_epochs=1, **SETTINGS | {"network": network}).fit(X, np.digitize(Y, [2.0, 4.0]))


@pytest.mark.parametrize("frozen", [False, True])
def test_beside_a_pretrained_encoder(frozen):
    encoder = DeepAutoencoder(encoder=Linear(), decoder=Linear(), n_components=2, max_epochs=3, tol=None).fit(X)
    model = DeepRegressor(loss=NormalNLL(), pretrain=FrozenEstimator(encoder), freeze_pretrained=frozen, max_epochs=2)
    model.set_params(warm_start=True, **SETTINGS).fit(X, Y)
    assert set(model.params_) == {"network", "loss"}
    assert set(model.params_["network"]) == ({"head"} if frozen else {"encoder", "head"})
    before = model.predict(X)
    model.set_params(freeze_pretrained=not frozen, learning_rate=1e-12).fit(X, Y)
    assert_allclose(model.predict(X), before, rtol=1e-4, atol=1e-5)


def test_sparse_rows_are_as_dense_ones():
    wide = np.zeros((60, 300))
    wide[:, ::100] = X
    dense, sparse = (
        DeepRegressor(loss=NormalNLL(), max_epochs=3, **SETTINGS).fit(rows, Y)
        for rows in (wide, scipy.sparse.csr_matrix(wide))
    )
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-5, atol=1e-6), dense.params_, sparse.params_)


class Apart(skdeep.Network):
    """Names its outputs itself."""

    names_outputs = True

    def build(self, in_shape, n_outputs):
        def init(key, x):
            return {"kernel": jnp.zeros((in_shape[0], n_outputs["mean"]), x.dtype)}, {}

        def apply(params, state, x, train, key, row_mask):
            return {"mean": x @ params["kernel"]}, state

        return skdeep.NetworkFunctions(init, apply)


def test_a_network_that_names_its_outputs_is_asked_for_its_own_only():
    model = DeepRegressor(loss=NormalNLL(), max_epochs=2, **SETTINGS | {"network": Apart()}).fit(X, Y)
    assert jax.tree.map(np.shape, model.params_) == {"network": {"kernel": (3, 1)}, "loss": {"log_std": (1,)}}


@pytest.mark.parametrize(
    ("make", "fit"),
    [
        (lambda: DeepAutoencoder(loss=NormalNLL()), lambda model: model.fit(X)),
        (lambda: DeepAutoencoder(loss=NormalNLL(), variational=True), lambda model: model.fit(X)),
        (lambda: SequenceGenerator(loss=Tempered()), lambda model: model.fit(["abcabc", "abab"])),
        (lambda: MLPRegressor(loss=NormalNLL()), lambda model: model.fit(X, Y)),
    ],
)
def test_other_estimators_refuse_them(make, fit):
    model = make()
    message = f"has parameters of its own, which {type(model).__name__} cannot train. Choose another loss"
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(model)


# The kit.


@pytest.mark.parametrize("loss", [NormalNLL(start=0.2), pytest.param(Tempered(), marks=pytest.mark.campaign)])
def test_losses_with_parameters_pass_the_checks(loss):
    assert all(result.passed for result in check_loss(loss))


class Ignored(NormalNLL):
    def parameters(self, task):
        return {**super().parameters(task), "spare": np.zeros(2)}


class ByNumPy(NormalNLL):
    def parameters(self, task):
        return {"log_std": np.full(task.n_targets, np.log1p(self.start))}


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Ignored(), "The loss does not depend on its parameter 'spare'."),
        (ByNumPy(), "uses its float field 'start' in Python control"),
    ],
)
def test_the_kit_finds_parameters_that_cannot_be_learned(loss, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_learned_parameters(loss)
