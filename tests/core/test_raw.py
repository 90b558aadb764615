"""Raw outputs by name: a loss may name them for any network, and a network may return them by name."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import skdeep
from skdeep import DeepClassifier, DeepRegressor, MLPRegressor
from skdeep.core import as_traced
from skdeep.core.network import functions_of
from skdeep.core.raw import by_name, empty, hashable, n_rows, shapes_of, split, total_width
from skdeep.networks import MLP
from skdeep.testing import check_loss

rng = np.random.RandomState(0)
X = rng.randn(300, 3).astype(np.float32)
y = X[:, 0] + 0.1 * rng.randn(300)
SMALL = {"network": MLP(widths=(8,)), "max_epochs": 8, "tol": None, "learning_rate": 0.02, "random_state": 0}
WIDTHS = hashable({"scale": 1, "mean": 2})


class ByColumns(skdeep.Loss):
    """Negative log-likelihood of normal values. The columns of the raw output are log scales, then means."""

    tasks = ("regression",)
    scaling = "standard"
    has_std = True

    def n_raw(self, task):
        return 2 * task.n_targets

    def __call__(self, raw, target):
        log_scale, mean = jnp.split(raw, 2, axis=1)
        return (0.5 * ((target - mean) * jnp.exp(-log_scale)) ** 2 + log_scale).mean(axis=1)

    def link(self, raw, task, xp):
        return xp.split(raw, 2, axis=1)[1]

    def std(self, raw, task, xp):
        return xp.exp(xp.split(raw, 2, axis=1)[0])


class ByName(ByColumns):
    """The same loss with named raw outputs; "a_log_scale" is first in alphabetical order."""

    def n_raw(self, task):
        return {"mean": task.n_targets, "a_log_scale": task.n_targets}

    def __call__(self, raw, target):
        z = (target - raw["mean"]) * jnp.exp(-raw["a_log_scale"])
        return (0.5 * z**2 + raw["a_log_scale"]).mean(axis=1)

    def link(self, raw, task, xp):
        return raw["mean"]

    def std(self, raw, task, xp):
        return xp.exp(raw["a_log_scale"])


class TwoHeads(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(8)(x))
        return {"mean": nn.Dense(1, name="mean")(x), "a_log_scale": nn.Dense(1, name="log_scale")(x)}


def test_widths_by_name():
    assert WIDTHS == (("mean", 2), ("scale", 1))
    assert by_name(WIDTHS) == {"mean": 2, "scale": 1}
    assert (hashable(3), by_name(3), total_width(3), total_width(WIDTHS)) == (3, 3, 3, 3)
    assert shapes_of(WIDTHS, 5) == {"mean": (5, 2), "scale": (5, 1)}
    assert jax.tree.map(np.shape, empty(WIDTHS, 5, np.float32)) == shapes_of(WIDTHS, 5)
    raw = np.arange(6).reshape(2, 3)
    assert {name: part.tolist() for name, part in split(raw, WIDTHS).items()} == {
        "mean": [[0, 1], [3, 4]],
        "scale": [[2], [5]],
    }
    assert n_rows(split(raw, WIDTHS)) == n_rows(raw) == 2


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(y, id="one output", marks=pytest.mark.campaign),  # the next test trains it by names
        pytest.param(np.stack([y, X[:, 1]], axis=1), id="two outputs"),
    ],
)
def test_a_loss_by_names_trains_like_the_same_loss_by_columns(target):
    by_columns = DeepRegressor(**SMALL, loss=ByColumns()).fit(X, target)
    by_names = DeepRegressor(**SMALL, loss=ByName()).fit(X, target)
    jax.tree.map(np.testing.assert_array_equal, by_names.params_, by_columns.params_)
    for found, expected in zip(
        by_names.predict(X, return_std=True), by_columns.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert by_names.n_outputs_ == by_columns.n_outputs_ == 2 * (1 if target.ndim == 1 else 2)
    assert by_names.score(X, target) == by_columns.score(X, target)


@pytest.mark.parametrize("n", [1, 128, 129, 1000])
def test_named_raw_outputs_do_not_depend_on_the_number_of_rows(n):
    model = DeepRegressor(**SMALL, loss=ByName()).fit(X, y)
    many = np.resize(X, (n, 3))
    raw = model._raw(many)[0]
    assert jax.tree.map(np.shape, raw) == {"mean": (n, 1), "a_log_scale": (n, 1)}
    np.testing.assert_array_equal(raw["mean"], model._raw(np.resize(X, (300, 3)))[0]["mean"][np.arange(n) % 300])


def test_a_module_may_name_its_outputs():
    model = DeepRegressor(**SMALL | {"network": TwoHeads(), "max_epochs": 30}, loss=ByName()).fit(X, y)
    assert model.score(X, y) > 0.9
    assert set(model.params_) == {"Dense_0", "mean", "log_scale"}


def test_validation_and_partial_fit_with_named_raw_outputs():
    model = DeepRegressor(**SMALL, loss=ByName(), early_stopping=True).fit(X, y)
    assert model.history_["val_loss"].notna().all()
    parts = DeepRegressor(**SMALL, loss=ByName())
    for _ in range(20):
        parts.partial_fit(X, y)
    assert parts.score(X, y) > 0.8


def test_perceptrons_train_with_named_raw_outputs():
    model = MLPRegressor(hidden_layer_sizes=(8,), loss=ByName(), max_iter=300, learning_rate_init=0.02, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.9


def test_outputs_with_other_names_raise():
    class Other(TwoHeads):
        @nn.compact
        def __call__(self, x):
            return {"mean": nn.Dense(1)(x)}

    message = r"returns \{'mean': \(\d+, 1\)\}, but the loss needs \{'a_log_scale': \(\d+, 1\), 'mean': \(\d+, 1\)\}"
    with pytest.raises(ValueError, match=message):
        DeepRegressor(**SMALL | {"network": Other()}, loss=ByName()).fit(X, y)
    with pytest.raises(ValueError, match=r"needs one array of shape \(\d+, 1\)"):
        DeepRegressor(**SMALL | {"network": TwoHeads()}).fit(X, y)


def test_functions_of_a_network_return_named_raw_outputs():
    functions = functions_of(as_traced(MLP(widths=(4,))), (3,), {"b": 1, "a": 2})
    from skdeep.core.random import key_of_seed, wrap_key

    def applied():
        params, state = functions.init(wrap_key(key_of_seed(0)), jnp.ones((1, 3)))
        return functions.apply(params, state, jnp.ones((5, 3)), False, None, jnp.ones(5))[0]

    raw = jax.eval_shape(applied)
    assert jax.tree.map(jnp.shape, raw) == {"a": (5, 2), "b": (5, 1)}


def test_check_loss_passes_for_a_loss_with_named_raw_outputs():
    results = check_loss(ByName())
    assert all(result.passed for result in results)


def test_check_loss_finds_a_fault_in_a_loss_with_named_raw_outputs():
    class Reduced(ByName):
        def __call__(self, raw, target):
            return super().__call__(raw, target).mean()

    with pytest.raises(AssertionError, match="check_one_value_per_row"):
        check_loss(Reduced())


def test_classifiers_predict_by_the_link_of_named_raw_outputs():
    class Tempered(skdeep.Loss):
        tasks = ("binary",)
        probabilistic = True

        def n_raw(self, task):
            return {"logit": 1, "log_temperature": 1}

        def _logit(self, raw, xp):
            return (raw["logit"] * xp.exp(-raw["log_temperature"]))[:, 0]

        def __call__(self, raw, target):
            logit = self._logit(raw, jnp)
            return jnp.logaddexp(0.0, logit) - target.astype(logit.dtype) * logit

        def link(self, raw, task, xp):
            return xp.exp(-xp.logaddexp(0.0, -self._logit(raw, xp)))

    model = DeepClassifier(**SMALL | {"max_epochs": 20}, loss=Tempered()).fit(X, X[:, 0] > 0)
    assert model.score(X, X[:, 0] > 0) > 0.9
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X)[:, 1] > 0.5)
