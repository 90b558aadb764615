"""Networks that read the progress of training, and dropout with a schedule."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import skdeep
from skdeep import DeepAutoencoder, DeepRegressor, Loss, Network, NetworkFunctions, Schedule
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.layers import Dense, Dropout
from skdeep.networks import RealMLP
from skdeep.schedules import Constant, Linear

X = np.random.RandomState(0).randn(40, 3).astype(np.float32)
Y = X[:, 0]
FIT = {"batch_size": 10, "max_epochs": 5, "tol": None, "random_state": 0}


class Zero(Loss):
    tasks = ("regression",)

    def __call__(self, raw, target):
        return 0.0 * raw[:, 0]


class Reports(nn.Module):
    """Adds the progress of training as a loss."""

    @nn.compact
    def __call__(self, x, train: bool):
        self.sow("losses", "progress", self.variable("progress", "now", jnp.zeros, ()).value)
        return nn.Dense(1)(x)


class ReportsInNNX(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.progress = nnx.Variable(jnp.zeros(()))
        self.dense = nnx.Linear(in_shape[0], n_outputs, rngs=rngs)

    def __call__(self, x):
        self.sow(nnx.Intermediate, "losses", self.progress[...])
        return self.dense(x)


class ReportsInFunctions(Network):
    def build(self, in_shape, n_outputs):
        def init(key, x):
            return {"kernel": jnp.zeros((3, 1))}, {"inner": {"progress": jnp.zeros(2)}}

        def apply(params, model_state, x, train, key, row_mask):
            reported = {"losses": model_state["inner"]["progress"][0]} if train else {}
            return x @ params["kernel"], {**model_state, **reported}

        return NetworkFunctions(init, apply)


@pytest.mark.parametrize("network", [Reports(), ReportsInNNX, ReportsInFunctions()], ids=["linen", "nnx", "functions"])
def test_a_network_reads_the_epochs_done_divided_by_max_epochs(network):
    model = DeepRegressor(network=network, loss=Zero(), **FIT).fit(X, Y)
    expected = [np.mean([(epoch + step / 4) / 5 for step in range(4)]) for epoch in range(5)]
    np.testing.assert_allclose(model.history_["train_loss"], expected, rtol=1e-6)


def test_inside_another_network():
    model = DeepAutoencoder(n_components=1, encoder=Reports(), loss=Zero(), **FIT).fit(X)
    assert list(model.history_["train_loss"])[-1] == pytest.approx((4 + 1.5 / 4) / 5)


class Late(Schedule):
    """0 in the first half of training, then 1."""

    def __call__(self, progress):
        return jnp.where(progress < 0.5, 0.0, 1.0)


def losses(**dropout):
    model = DeepRegressor(network=[Dense(8), Dropout(**dropout)], **FIT | {"max_epochs": 4}).fit(X, Y)
    return model.history_["train_loss"]


def test_the_rate_of_dropout_follows_its_schedule():
    never, always, late = losses(rate=0.0), losses(rate=0.9), losses(rate=0.9, schedule=Late())
    np.testing.assert_allclose(late[:2], never[:2], rtol=1e-6)
    assert late[2] > 1.5 * never[2]
    np.testing.assert_allclose(losses(rate=0.9, schedule=Constant()), always, rtol=1e-6)


def test_predictions_do_not_depend_on_it():
    network = [Dense(8), Dropout(0.9, schedule=Linear())]
    model = DeepRegressor(network=network, **FIT).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), model.predict(X))


def test_schedules_have_names_and_fields_that_are_searched_without_a_new_compile():
    model = DeepRegressor(network=[("dropout", {"schedule": "linear"})], **FIT | {"max_epochs": 1})
    skdeep.clear_cache()
    for final in (0.1, 0.5):
        model.set_params(network__layers__0__schedule__final=final).fit(X, Y)
    assert model.network_.layers[0].schedule == Linear(final=0.5)
    assert skdeep.compile_counts()["train_block"].compiles == 1


def test_max_epochs_is_in_the_identity_of_a_training_that_reads_the_progress():
    def identity(max_epochs, schedule):
        network = RealMLP((4,), dropout_schedule=schedule)
        model = DeepRegressor(network=network, **FIT | {"max_epochs": max_epochs})
        return prepare(model, FitData(X, Y)).identity()

    assert identity(3, None) == identity(4, None)
    assert identity(3, Linear()) != identity(4, Linear())


def test_a_schedule_of_steps_is_refused():
    class OfSteps(Schedule):
        def __call__(self, progress, n_steps):
            return progress / n_steps

    with pytest.raises(
        ValueError, match="'schedule' field of Dropout must be a schedule that takes the progress only, not n_steps"
    ):
        Dropout(schedule=OfSteps())
    with pytest.raises(ValueError, match="'dropout_schedule' field of RealMLP"):
        RealMLP(dropout_schedule=OfSteps())


def test_the_model_state_holds_one_number():
    model = DeepRegressor(network=[Dropout(0.1, schedule=Linear())], **FIT).fit(X, Y)
    assert [leaf.shape for leaf in jax.tree.leaves(model.model_state_)] == [()]
