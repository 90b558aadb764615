"""Parameters of a loss beside those of a network: what they look like, and what the network keeps."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skdeep
from skdeep.config import Model
from skdeep.core import as_traced
from skdeep.core.composed import functions_of_model
from skdeep.core.loss_parameters import WithLossParameters, apart, beside, model_for, network_of
from skdeep.core.random import wrap_key
from skdeep.core.raw import raw_widths
from skdeep.losses import SquaredError
from skdeep.networks import MLP, Linear
from skdeep.records import Task

X = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
ONE, TWO = Task("regression", 1), Task("regression", 2)


class Shifted(skdeep.Loss):
    """Squared error of outputs moved by learned shifts, one per output, that start at `start`."""

    start: float = 0.5

    tasks = ("regression",)

    def n_raw(self, task):
        return {"value": task.n_targets}

    def parameters(self, task):
        return {"shift": jnp.full(task.n_targets, self.start)}

    def __call__(self, raw, target):
        return jnp.mean((raw["value"] + raw["shift"] - target) ** 2, axis=1)

    def link(self, raw, task, xp):
        return raw["value"] + raw["shift"]


def test_outputs_are_those_of_the_network_with_the_parameters_in_each_row():
    model = as_traced(model_for(Linear(), (3,), Shifted(), TWO))
    functions = functions_of_model(model)
    params, state = jax.jit(functions.init)(wrap_key(np.zeros(2, np.uint32)), jnp.asarray(X))
    assert jax.tree.map(np.shape, params) == {
        "network": {"output": {"kernel": (3, 2), "bias": (2,)}},
        "loss": {"shift": (2,)},
    }
    assert_array_equal(params["loss"]["shift"], [0.5, 0.5])
    shift = jnp.array([1.0, 2.0])
    raw, _ = functions.apply({**params, "loss": {"shift": shift}}, state, jnp.asarray(X), True, None, jnp.ones(7))
    dense = jax.tree.map(np.asarray, params["network"]["output"])
    assert_allclose(raw["value"], X @ dense["kernel"] + dense["bias"], rtol=1e-5, atol=1e-6)
    assert_array_equal(raw["shift"], np.tile([1.0, 2.0], (7, 1)))


def test_the_network_begins_as_without_parameters_beside_it():
    with_them, without = (
        functions_of_model(as_traced(model)).init
        for model in (model_for(MLP((4,)), (3,), Shifted(), ONE), Model(MLP((4,)), (3,), 1))
    )
    key = wrap_key(np.array([3, 4], np.uint32))
    jax.tree.map(assert_array_equal, with_them(key, jnp.asarray(X))[0]["network"], without(key, jnp.asarray(X))[0])


def test_a_loss_without_parameters_leaves_the_network_as_it_is():
    assert model_for(Linear(), (3,), SquaredError(), TWO) == Model(Linear(), (3,), 2)
    assert network_of(Model(Linear(), (3,), 2)) == Linear()
    model = model_for(Linear(), (3,), Shifted(), TWO)
    assert isinstance(model.network, WithLossParameters)
    assert network_of(model) == Linear()
    assert model.n_raw == (("shift", 2), ("value", 2))


def test_parameters_are_taken_apart_and_put_together():
    for params in ({"dense": {"kernel": 1}}, {"network": 1}, [1, 2]):
        assert apart(params) == (params, None)
        assert beside(params, None) == params
    both = {"network": {"dense": 1}, "loss": {"shift": 2}}
    assert apart(both) == ({"dense": 1}, {"shift": 2})
    assert beside(*apart(both)) == both


class Odd(Shifted):
    widths: object = None
    values: object = None

    def n_raw(self, task):
        return self.widths

    def parameters(self, task):
        return dict(self.values)


@pytest.mark.parametrize(
    ("widths", "values", "message"),
    [
        (2, (("shift", np.zeros(1)),), "its raw outputs need names too, but n_raw returned 2. Return a dict from n_raw, such as {'score': 2}"),
        ({"a": 1}, (("a", np.zeros(1)),), "gives the name 'a' to a raw output and to a parameter."),
        ({"a": 1}, (("b", 0.0),), "parameter 'b' of the loss Odd must start as a vector of finite floats, of shape (k,). Got array(0.)"),
        ({"a": 1}, (("b", np.zeros((2, 2))),), "must start as a vector of finite floats"),
        ({"a": 1}, (("b", np.zeros(0)),), "must start as a vector of finite floats"),
        ({"a": 1}, (("b", np.arange(2)),), "must start as a vector of finite floats"),
        ({"a": 1}, (("b", np.array([np.inf])),), "must start as a vector of finite floats"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_trained(widths, values, message):
    loss = Odd()
    object.__setattr__(loss, "widths", widths)
    object.__setattr__(loss, "values", values)
    with pytest.raises(ValueError, match=re.escape(message)):
        raw_widths(loss, ONE)
