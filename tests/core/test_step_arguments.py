"""What optimizers and schedules are told of a step, and random streams by name."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skdeep_optimizers import SAM

import skdeep
from skdeep.core.network import functions_of_module
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.core.run import run
from skdeep.estimators.prepare import prepare
from skdeep.estimators.training import FitData
from skdeep.schedules import Linear
from skdeep.testing import check_layer, check_optimizer, check_schedule, component_checks
from skdeep.testing.running import name_of

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
Y = X @ np.array([1.0, -1.0, 0.5, 0.0])
SETTINGS: dict[str, Any] = {"network": "linear", "max_epochs": 4, "batch_size": 10, "tol": None, "random_state": 0}
N_STEPS = 12


class Noted(skdeep.Optimizer):
    """Gradient descent that keeps what it was told in its state."""

    def init(self, params):
        log = {"progress": jnp.zeros(N_STEPS), "step": jnp.zeros(N_STEPS, jnp.int32)}
        return {"n": jnp.int32(0), "key": jnp.zeros((N_STEPS, 2), jnp.uint32), **log}

    def update(self, grad, state, params, learning_rate, value, objective, *, progress, step, key):
        told = {"progress": progress, "step": step, "key": jax.random.key_data(key)}
        log = {name: state[name].at[state["n"]].set(value) for name, value in told.items()}
        return {"n": state["n"] + 1, **log}, jax.tree.map(lambda g: -learning_rate * g, grad)


def told(optimizer, **changes):
    """Return the outcome of a training, and what the optimizer was told in it."""
    model = skdeep.DeepRegressor(optimizer=optimizer, **SETTINGS).set_params(**changes)
    outcome = run(prepare(model, FitData(X, Y)))
    leaves = outcome.state.optimizer_state
    return outcome, dict(zip(("key", "n", "progress", "step"), leaves, strict=True)) if len(leaves) == 4 else None


def test_what_an_optimizer_is_told():
    outcome, log = told(Noted())
    assert_array_equal(log["step"], np.arange(N_STEPS))
    assert_allclose(log["progress"], np.arange(N_STEPS) / N_STEPS, rtol=1e-6)
    assert len({tuple(words) for words in np.asarray(log["key"])}) == N_STEPS
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-5), outcome.params, told("sgd")[0].params)
    other = told(Noted(), random_state=1)[1]["key"]
    assert not np.any(np.all(np.asarray(other) == np.asarray(log["key"]), axis=1))


def test_an_optimizer_around_another_passes_it_on():
    assert_array_equal(told(SAM(base=Noted()))[1]["step"], np.arange(N_STEPS))


class Halving(skdeep.Schedule):
    every: float = 3.0

    looks_at_the_end = False

    def __call__(self, progress, step):
        return 0.5 ** jnp.floor(step / self.every)


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        (Halving(every=3.0), lambda step: 0.5 ** (step // 3)),
        (Linear(final=0.2), lambda step: 1 - 0.8 * step / N_STEPS),
        (lambda progress, step, n_steps: 1 - 0.8 * step / n_steps, lambda step: 1 - 0.8 * step / N_STEPS),
        (lambda step: 1 / (1 + step), lambda step: 1 / (1 + step)),
    ],
)
def test_what_a_schedule_is_told(schedule, factor):
    model = skdeep.DeepRegressor(schedule=schedule, learning_rate=0.1, optimizer="sgd", **SETTINGS).fit(X, Y)
    last_steps = np.array([2, 5, 8, 11])  # of each epoch
    assert_allclose(model.history_["learning_rate"], 0.1 * factor(last_steps), rtol=1e-5)


class NoisySGD(skdeep.Optimizer):
    noise: float = 0.1

    def update(self, grad, state, params, learning_rate, value, objective, *, key, progress):
        leaves, tree = jax.tree.flatten(grad)
        keys = jax.tree.unflatten(tree, list(jax.random.split(key, len(leaves))))
        size = self.noise * (1 - progress)
        return state, jax.tree.map(
            lambda g, k: -learning_rate * (g + size * jax.random.normal(k, g.shape, g.dtype)), grad, keys
        )

    def init(self, params):
        return ()


class FrozenNoise(NoisySGD):
    def update(self, grad, state, params, learning_rate, value, objective, *, progress):
        key = jax.random.key(0)
        return super().update(grad, state, params, learning_rate, value, objective, key=key, progress=progress)


def test_the_kit_takes_them():
    assert all(result.passed for result in check_optimizer(NoisySGD()))
    assert all(result.passed for result in check_schedule(Halving()))
    assert all(result.passed for result in check_schedule(lambda progress, n_steps: 1 / (1 + progress * n_steps)))


def test_the_kit_finds_noise_that_is_always_the_same():
    checks = component_checks("optimizer", FrozenNoise())
    (failing,) = [check for _, check in checks if name_of(check) == "check_noise_follows_the_key"]
    with pytest.raises(AssertionError, match="It makes 4 random draws whose keys are not made of the step's key."):
        failing(FrozenNoise())


class Draws(nn.Module):
    """Returns dropout's factors beside numbers from three streams."""

    others: tuple[str, ...] = ("noise", "mask", "noise")

    @nn.compact
    def __call__(self, x, train: bool):
        factors = nn.Dropout(0.5, deterministic=not train)(jnp.ones_like(x))
        if not train:
            return factors
        drawn = [jax.random.normal(self.make_rng(name), x.shape) for name in self.others]
        return jnp.concatenate([factors, *drawn], axis=1)


def test_streams_by_name():
    key, x = wrap_key(key_of_seed(3)), jnp.ones((20, 5))

    def drawn(others=("noise", "mask", "noise"), key=key):
        return np.split(
            np.asarray(functions_of_module(Draws(others)).apply({}, {}, x, True, key, None)[0]), 1 + len(others), 1
        )

    factors, *others = drawn()
    assert_array_equal(factors, Draws(()).apply({}, x, True, rngs={"dropout": key}))  # as without other streams
    for i, one in enumerate(others):
        assert abs(one.mean()) < 0.4
        assert all(abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.4 for two in others[:i])
    assert_array_equal(drawn()[1], others[0])
    assert not np.any(drawn(key=jax.random.fold_in(key, 1))[1] == others[0])


class Noise(nn.Module):
    std: Any

    @nn.compact
    def __call__(self, x, train: bool):
        return x + self.std * jax.random.normal(self.make_rng("noise"), x.shape, x.dtype) if train else x


class GaussianNoise(skdeep.Layer):
    std: float = 0.1

    def build(self):
        return Noise(self.std)


def test_layers_that_draw_from_streams_of_their_own():
    assert all(result.passed for result in check_layer(GaussianNoise()))
    fits = [
        skdeep.DeepRegressor(**{**SETTINGS, "network": ["dense", GaussianNoise(std)]}).fit(X, Y).predict(X)
        for std in (0.0, 0.5, 0.5)
    ]
    assert_array_equal(fits[1], fits[2])
    assert np.abs(fits[0] - fits[1]).max() > 1e-3


@pytest.mark.parametrize(
    "of_optax",
    [
        optax.linear_schedule(1.0, 0.1, 8),
        pytest.param(optax.cosine_decay_schedule(1.0, 10, alpha=0.2), marks=pytest.mark.campaign),  # is in the next one
        optax.warmup_cosine_decay_schedule(0.0, 1.0, 4, 12),
        optax.piecewise_constant_schedule(1.0, {3: 0.5, 7: 0.5}),
    ],
    ids=["linear", "cosine", "joined", "piecewise"],
)
def test_schedules_of_optax_get_the_number_of_steps(of_optax):
    model = skdeep.DeepRegressor(schedule=of_optax, learning_rate=0.3, **SETTINGS).fit(X, Y)
    expected = [0.3 * float(of_optax(3 * epoch - 1)) for epoch in (1, 2, 3, 4)]  # at the last step of each epoch
    assert_allclose(model.history_["learning_rate"], expected, rtol=1e-6)
