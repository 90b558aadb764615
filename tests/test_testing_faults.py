"""Components with a hidden fault: each must fail the check for this fault."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import skdeep
from skdeep.losses import CrossEntropy, GaussianNLL, SquaredError
from skdeep.testing import component_checks
from skdeep.testing.running import name_of


class UnusedField(SquaredError):
    scale: float = 1.0


class ReadsOneLabel(CrossEntropy):
    tasks = ("multilabel",)

    def __call__(self, raw, target):
        return super().__call__(raw, target * jnp.asarray([1.0, 0.0, 0.0])[None, :])


class PushesOneLabelAway(CrossEntropy):
    tasks = ("multilabel",)

    def __call__(self, raw, target):
        return super().__call__(raw * jnp.asarray([2.0, 2.0, -1.0])[None, :], target)


class Variance(GaussianNLL):
    def std(self, raw, task, xp):
        return super().std(raw, task, xp) ** 2


class SwappedDeviations(GaussianNLL):
    def std(self, raw, task, xp):
        return super().std(raw, task, xp)[:, ::-1]


class ClassTooMany(CrossEntropy):
    tasks = ("multiclass",)

    def link(self, raw, task, xp):
        probability = super().link(raw, task, xp)
        return xp.concatenate([probability, xp.zeros_like(probability[:, :1])], axis=1)


class AllRawOutputs(GaussianNLL):
    def link(self, raw, task, xp):
        return raw

    def point(self, prediction):
        return prediction[:, : prediction.shape[1] // 2]


class LinkOverRows(SquaredError):
    def link(self, raw, task, xp):
        return raw - xp.mean(raw, axis=0, keepdims=True)


class FlippedOutput(SquaredError):
    def link(self, raw, task, xp):
        return raw * xp.asarray([[1.0, -1.0]])[:, : task.n_targets]


class SwappedOutputs(SquaredError):
    def link(self, raw, task, xp):
        return raw[:, ::-1]


class IgnoresTheRate(skdeep.Optimizer):
    def transformation(self, learning_rate):
        return optax.adam(1e-2)


class SquaresTheRate(skdeep.Optimizer):
    def transformation(self, learning_rate):
        return optax.chain(optax.adam(learning_rate), optax.scale(learning_rate))


class UnusedMomentum(skdeep.Optimizer):
    momentum: float = 0.9

    def transformation(self, learning_rate):
        return optax.sgd(learning_rate, momentum=0.9)


class BiasesAscend(skdeep.Optimizer):
    def transformation(self, learning_rate):
        flip = optax.stateless(lambda updates, _: jax.tree.map(lambda u: -u if u.ndim == 1 else u, updates))
        return optax.chain(optax.adam(learning_rate), flip)


class SingularAtItsField(skdeep.Schedule):
    peak: float = 0.123456

    def __call__(self, progress):
        return jnp.sinc(progress) + 0 * (progress - self.peak) / (progress - self.peak)


class UnusedFloor(skdeep.Schedule):
    floor: float = 0.1

    def __call__(self, progress):
        return 1 - 0.9 * progress


class Own(skdeep.Layer):
    """Builds a module of a function `f(module, x, ...)`."""

    call: object = None
    strength: float | None = None

    def build(self):
        return type("Module", (nn.Module,), {"__call__": nn.compact(self.call), "strength": self.strength})()


class OfSteps(Own):
    example_shape = (5, 3)


def numpy_noise(module, x, train):
    noise = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    return x + jnp.where(train, noise, 0) if train else x


def numpy_mask(module, x, train):
    return x * (np.random.default_rng(0).random(x.shape) < 0.5) if train else x


def constant_key(module, x, train):
    return x * jax.random.bernoulli(jax.random.key(0), 0.5, x.shape) if train else x


def constant_key_beside_another(module, x, train):
    return constant_key(module, nn.Dropout(0.1)(x, deterministic=not train), train)


def numpy_init(module, x):
    values = np.random.default_rng(0).normal(size=(x.shape[-1], 4)).astype(np.float32)
    return x @ module.param("kernel", lambda key: jnp.asarray(values))


RNG = np.random.default_rng(0)


def unseeded_init(module, x):
    return x @ module.param("kernel", lambda key: jnp.asarray(RNG.normal(size=(x.shape[-1], 4)), jnp.float32))


def constant_init(module, x):
    return x @ module.param("kernel", lambda key: jax.random.normal(jax.random.key(0), (x.shape[-1], 4)))


def mean_without_mask(module, x):
    return x - x.mean(axis=1, keepdims=True)


def ignores_mask(module, x, step_mask=None):
    return x - x.mean(axis=1, keepdims=True)


def inverts_mask(module, x, step_mask=None):
    return x if step_mask is None else jnp.where(step_mask[:, :, None], 0, x)


def masks_whole_rows(module, x, step_mask=None):
    return x if step_mask is None else jnp.where(step_mask.all(axis=1)[:, None, None], x, 0)


class IgnoresMaskWhileTraining(OfSteps):
    def build(self):
        return _CentredByMask()


class _CentredByMask(nn.Module):
    @nn.compact
    def __call__(self, x, train, step_mask=None):
        weight = jnp.ones(x.shape[:2], x.dtype) if train or step_mask is None else step_mask.astype(x.dtype)
        return x - jnp.sum(x * weight[:, :, None], 1, keepdims=True) / weight.sum(1)[:, None, None]


class UnusedStrength(skdeep.Layer):
    strength: float = 0.5

    def build(self):
        return nn.Dense(4)


class Jitter(skdeep.Augmentation):
    strength: float = 0.5

    def __call__(self, key, x):
        return x + jax.random.normal(key, x.shape)


def jitter_with_a_constant_key(key, x):
    return x + jax.random.normal(key, x.shape) + jax.random.normal(jax.random.key(0), x.shape)


class FrozenMix(skdeep.Augmentation):
    mixes = True

    def mix(self, key, x, other):
        share = np.random.default_rng(0).random(x.shape).astype(np.float32)
        return share * x + (1 - share) * other, 0.5


FAULTS = [
    ("loss", UnusedField(), "check_float_fields_matter", "Its float field 'scale' has no effect"),
    ("loss", ReadsOneLabel(), "check_every_target_counts", "(multilabel) The loss does not depend on target 1 of 3."),
    ("loss", PushesOneLabelAway(), "check_link_fits_loss", "(multilabel) A step against the gradient"),
    ("loss", Variance(), "check_std_fits_loss", "let `std` return the standard deviation, not the variance"),
    ("loss", SwappedDeviations(), "check_std_fits_loss", "in the order of the outputs"),
    (
        "loss",
        ClassTooMany(),
        "check_link",
        "(multiclass) For 24 rows and 3 classes the link returned shape (24, 4), not (24, 3).",
    ),
    ("loss", AllRawOutputs(), "check_link", "(regression) For 24 rows and 1 outputs the link returned shape (24, 2)"),
    ("loss", LinkOverRows(), "check_link", "(regression) The prediction of a row changes if there are fewer rows."),
    ("loss", FlippedOutput(), "check_link_fits_loss", "By label or output, the mean distance"),
    ("loss", SwappedOutputs(), "check_link_fits_loss", "By label or output, the mean distance"),
    (
        "optimizer",
        IgnoresTheRate(),
        "check_learning_rate_scales_steps",
        "in proportion to the learning rate to the power of 0.00, not 1.",
    ),
    (
        "optimizer",
        SquaresTheRate(),
        "check_learning_rate_scales_steps",
        "in proportion to the learning rate to the power of 2.00, not 1.",
    ),
    ("optimizer", UnusedMomentum(), "check_float_fields_matter", "Its float field 'momentum' has no effect"),
    ("optimizer", BiasesAscend(), "check_descends", "the part of ['hidden']['bias'] does not fall"),
    (
        "schedule",
        lambda p: jnp.where(abs(p - 0.3301) < 1e-3, jnp.nan, 1.0),
        "check_factor_between",
        "NaN or infinite at",
    ),
    ("schedule", lambda p: jnp.where(abs(p - 0.3301) < 1e-3, -1.0, 1.0), "check_factor_between", "negative at"),
    ("schedule", SingularAtItsField(), "check_factor_between", "At progress [0.123456] the factor is [nan]"),
    ("schedule", UnusedFloor(), "check_float_fields_matter", "Its float field 'floor' has no effect"),
    ("layer", Own(numpy_noise), "check_noise_follows_the_key", "numbers of shape (10, 6) that were drawn once"),
    ("layer", Own(numpy_mask), "check_noise_follows_the_key", "numbers of shape (10, 6) that were drawn once"),
    ("layer", Own(constant_key), "check_noise_follows_the_key", "it makes 1 random draws whose keys do not depend"),
    (
        "layer",
        Own(constant_key_beside_another),
        "check_noise_follows_the_key",
        "it makes 1 random draws whose keys do not depend",
    ),
    (
        "layer",
        Own(numpy_init),
        "check_init_follows_the_seed",
        "Two seeds give the same initial ['kernel'], although its numbers look random.",
    ),
    (
        "layer",
        Own(unseeded_init),
        "check_init_follows_the_seed",
        "Two initialisations from one seed give different values of ['kernel'].",
    ),
    ("layer", Own(constant_init), "check_init_follows_the_seed", "a random draw whose key does not depend on the seed"),
    (
        "layer",
        OfSteps(mean_without_mask),
        "check_step_mask",
        "The values of masked steps change other steps at prediction.",
    ),
    ("layer", OfSteps(ignores_mask), "check_step_mask", "The values of masked steps change other steps at prediction."),
    ("layer", OfSteps(inverts_mask), "check_step_mask", "Unmasked steps do not affect the output of 10 of 10 rows"),
    ("layer", OfSteps(masks_whole_rows), "check_step_mask", "Unmasked steps do not affect the output of"),
    (
        "layer",
        IgnoresMaskWhileTraining(),
        "check_step_mask",
        "The values of masked steps change other steps in training.",
    ),
    ("layer", UnusedStrength(), "check_float_fields_matter", "Its float field 'strength' has no effect"),
    ("augmentation", Jitter(), "check_float_fields_matter", "Its float field 'strength' has no effect"),
    (
        "augmentation",
        jitter_with_a_constant_key,
        "check_decided_by_the_key",
        "A random draw does not depend on the given key",
    ),
    ("augmentation", lambda key, x: 0.5 * x, "check_decided_by_the_key", "All keys change the rows in the same way."),
    ("augmentation", FrozenMix(), "check_decided_by_the_key", "It uses random numbers that were drawn at tracing"),
]


def run(kind, component, name):
    """Run one check of a component."""
    part, check = {name_of(check): (part, check) for part, check in component_checks(kind, component)}[name]
    check(part)


@pytest.mark.parametrize(
    ("kind", "component", "name", "message"), FAULTS, ids=[f"{name}-{i}" for i, (_, _, name, _) in enumerate(FAULTS)]
)
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
def test_a_check_finds_the_fault(kind, component, name, message):
    with pytest.raises(AssertionError) as caught:
        run(kind, component, name)
    assert f" fails {name}: " in str(caught.value)
    assert "\nWhat to change: " in str(caught.value)
    assert message in str(caught.value)
