"""Legitimate components that resemble faulty ones pass the checks; similar components with a fault fail them."""

from __future__ import annotations

from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import skdeep
from skdeep.optimizers import LBFGS
from skdeep.testing import component_checks
from skdeep.testing.fit_checks import expect_predictions
from skdeep.testing.running import name_of


def run(kind, component, name):
    """Run one check of a component."""
    part, check = {name_of(check): (part, check) for part, check in component_checks(kind, component)}[name]
    check(part)


class Own(skdeep.Layer):
    """Builds a module of a function `f(module, x, ...)`."""

    call: object = None
    strength: float | None = None

    def build(self):
        return type("Module", (nn.Module,), {"__call__": nn.compact(self.call), "strength": self.strength})()


def straight_through(module, x):
    kernel = module.param("kernel", nn.initializers.normal(1.0), (x.shape[-1], 3), jnp.float32).astype(x.dtype)
    sign = jnp.where(kernel > 0, 1.0, -1.0).astype(x.dtype)
    return x @ (kernel + jax.lax.stop_gradient(sign - kernel))


def spectral_norm(module, x, train):
    return nn.SpectralNorm(nn.Dense(4))(x, update_stats=train)


def wrong_everywhere(module, x):
    """A custom gradient that is not the slope, beside a legitimate `stop_gradient`."""

    @jax.custom_vjp
    def doubled(x):
        return 2 * x

    doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (3 * g,))
    return doubled(x) + jax.lax.stop_gradient(jnp.round(x))


def fixed_features(module, x):
    projection = np.random.default_rng(0).normal(size=(x.shape[-1], 8)).astype(np.float32)
    return jnp.cos(x @ projection + jax.random.normal(jax.random.key(0), (1, 8)))


def radial_centres(module, x):
    centres = module.param("centres", lambda key: jnp.linspace(-2.0, 2.0, 8)[None, :])
    identity = module.param("identity", lambda key: jnp.eye(x.shape[-1]))
    return jnp.exp(-(((x @ identity)[:, :, None] - centres[None]) ** 2)).sum(axis=1)


class OnDemand(skdeep.Schedule):
    """A schedule with a field that has an effect only if another field is True."""

    falls: bool = False
    final: float = 0.1

    def __call__(self, progress):
        return 1 - (1 - self.final) * progress if self.falls else 1.0


class HalfAndHalf(skdeep.Augmentation):
    mixes = True

    def mix(self, key, x, other):
        return 0.5 * (x + other), 0.5


class Survival(skdeep.Loss):
    """Exponential times, some of them censored: the second column of y is 1 if the event was observed."""

    tasks = ("regression",)
    domain = "non-negative"

    def n_raw(self, task):
        if task.n_targets != 2:
            raise ValueError(f"Survival needs two columns of y, time and event. Got {task.n_targets} instead.")
        return 1

    def __call__(self, raw, target):
        return target[:, 0] * jnp.exp(-raw[:, 0]) + target[:, 1] * raw[:, 0]

    def link(self, raw, task, xp):
        return xp.concatenate([xp.exp(raw), xp.ones_like(raw)], axis=1)


class TimeTwice(Survival):
    def link(self, raw, task, xp):
        return xp.concatenate([xp.exp(raw), xp.exp(raw)], axis=1)


class BackwardTimes(Survival):
    def link(self, raw, task, xp):
        return xp.concatenate([xp.exp(-raw), xp.ones_like(raw)], axis=1)


@pytest.mark.parametrize(
    ("kind", "component", "names"),
    [
        ("layer", Own(straight_through), ("check_gradient",)),
        ("layer", Own(spectral_norm), ("check_gradient",)),
        ("layer", Own(fixed_features), ("check_noise_follows_the_key",)),
        ("layer", Own(radial_centres), ("check_init_follows_the_seed",)),
        ("layer", nn.Conv(3, (2,)), ("check_step_mask",)),
        ("augmentation", HalfAndHalf(), ("check_decided_by_the_key", "check_fit")),
        ("loss", Survival(), ("check_link", "check_link_fits_loss", "check_every_target_counts", "check_fit")),
        ("loss", TimeTwice(), ("check_link_fits_loss",)),
        ("schedule", OnDemand(), ("check_float_fields_matter",)),
        ("optimizer", LBFGS(), ("check_learning_rate_scales_steps",)),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, tuple) else None,
)
def test_legitimate_components_pass(kind, component, names):
    for name in names:
        run(kind, component, name)


@pytest.mark.parametrize(
    ("kind", "component", "name"),
    [
        ("layer", Own(wrong_everywhere), "check_gradient: The gradient is not the slope"),
        ("loss", BackwardTimes(), "check_link_fits_loss: .* rows are predicted worse"),
    ],
    ids=["custom gradient", "backward times"],
)
def test_similar_components_with_a_fault_fail(kind, component, name):
    with pytest.raises(AssertionError, match=f" fails {name}"):
        run(kind, component, name.partition(":")[0])


def test_predictions_must_follow_from_probabilities():
    """The estimator is a stub with fixed predictions and probabilities of three classes."""
    X, probability = np.zeros((2, 6)), np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])

    def model(prediction):
        return SimpleNamespace(
            classes_=np.array(["a", "b", "c"]),
            predict=lambda X: np.array(prediction),
            predict_proba=lambda X: probability,
            decision_function=lambda X: probability,
        )

    expect_predictions(model(["b", "c"]), X)
    with pytest.raises(AssertionError, match="predict and predict_proba disagree: 1 of 2 predictions"):
        expect_predictions(model(["b", "a"]), X)
    with pytest.raises(AssertionError, match=r"predict returned the shape \(3,\), not \(2,\)"):
        expect_predictions(model(["b", "c", "a"]), X)
