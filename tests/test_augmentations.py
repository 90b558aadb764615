"""Augmentations: their effect on rows, the weights and losses of mixed rows, and their use in estimators."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

from skdeep import DeepClassifier, DeepRegressor, compile_counts
from skdeep.augmentations import Chain, CutMix, GaussianNoise, Mixup, RandomCrop, RandomFlip
from skdeep.core.augment import augment, losses_of_pairs
from skdeep.core.random import wrap_key
from skdeep.errors import UnknownComponentError
from skdeep.losses import CrossEntropy
from skdeep.records import Batch

IMAGES = np.random.default_rng(0).normal(size=(80, 5, 6, 2)).astype(np.float32)
DIGITS, CLASSES = load_digits(return_X_y=True)
DIGITS = (DIGITS[:300] / 16).astype(np.float32)
CLASSES = CLASSES[:300]
SMALL = {"max_epochs": 2, "tol": None, "random_state": 0}


def key(seed):
    return wrap_key(np.array([seed, 1], np.uint32))


def run(augmentation, seed, x):
    return np.asarray(jax.jit(augmentation)(key(seed), x))


def moved(image, down, right, fill):
    """Return an image shifted by NumPy."""
    out = np.full_like(image, fill)
    height, width = image.shape[:2]
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                out[i, j] = image[i - down, j - right]
    return out


def test_crops_are_exactly_all_shifted_images():
    possible = {(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)}
    seen = set()
    for image, crop in zip(IMAGES, run(RandomCrop(padding=1.9, fill=7.0), 0, IMAGES), strict=True):
        matches = [p for p in possible if np.array_equal(moved(image, *p, 7.0), crop)]
        assert len(matches) == 1
        seen.update(matches)
    assert seen == possible


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 1), ("vertical", 0)])
def test_flips(direction, axis):
    flipped = run(RandomFlip(direction=direction, probability=0.7), 0, np.tile(IMAGES, (13, 1, 1, 1)))
    is_flipped = [
        np.array_equal(a, np.flip(b, axis)) for a, b in zip(flipped, np.tile(IMAGES, (13, 1, 1, 1)), strict=True)
    ]
    is_same = [np.array_equal(a, b) for a, b in zip(flipped, np.tile(IMAGES, (13, 1, 1, 1)), strict=True)]
    assert all(np.not_equal(is_flipped, is_same))
    assert abs(np.mean(is_flipped) - 0.7) < 4 * np.sqrt(0.7 * 0.3 / 1040)


def test_noise_has_the_standard_deviation():
    noise = run(GaussianNoise(std=0.3), 0, np.zeros((200, 50), np.float32))
    assert abs(noise.std() - 0.3) < 4 * 0.3 / np.sqrt(2 * noise.size)
    assert abs(noise.mean()) < 4 * 0.3 / np.sqrt(noise.size)


def test_mixup_shares_follow_the_beta_distribution():
    x, other = np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)
    mix = jax.jit(jax.vmap(lambda words: Mixup(alpha=0.5).mix(wrap_key(words), x, other)))
    mixed, shares = map(np.asarray, mix(np.stack([np.arange(4000), np.zeros(4000)], axis=1).astype(np.uint32)))
    assert_allclose(mixed, np.broadcast_to(1 - np.asarray(shares)[:, None, None], mixed.shape), rtol=1e-6)
    # Beta(1/2, 1/2): mean 1/2, variance 1/8, and P(share < 1/4) = 2 / pi * arcsin(1/2) = 1/3
    assert abs(shares.mean() - 0.5) < 4 * np.sqrt(1 / 8 / 4000)
    assert abs(shares.var() - 1 / 8) < 0.01
    assert abs((shares < 0.25).mean() - 1 / 3) < 4 * np.sqrt(2 / 9 / 4000)


@pytest.mark.parametrize("shape", [(7, 6, 2), (9, 3), (12,)])
def test_cutmix_shares_equal_the_areas(shape):
    x, other = np.zeros((3, *shape), np.float32), np.ones((3, *shape), np.float32)
    shares, mix = [], jax.jit(CutMix().mix)
    for seed in range(30):
        mixed, share = mix(key(seed), x, other)
        assert set(np.unique(mixed)) <= {0.0, 1.0}
        assert_allclose(share, 1 - np.mean(mixed), atol=1e-6)
        cut = np.asarray(mixed)[0]
        cut = cut[..., 0] if cut.ndim > 1 else cut
        rectangle = np.ix_(*(np.flatnonzero(cut.any(axis=tuple(set(range(cut.ndim)) - {a}))) for a in range(cut.ndim)))
        assert cut[rectangle].all()
        shares.append(float(share))
    assert len(set(shares)) > 5


def batch_of(weight, mask):
    n = len(weight)
    return Batch(
        x=jnp.asarray(np.random.default_rng(1).normal(size=(n, 4)), jnp.float32),
        target=jnp.asarray(np.arange(n) % 3, jnp.int32),
        weight=jnp.asarray(weight, jnp.float32),
        mask=jnp.asarray(mask, jnp.float32),
    )


def test_loss_of_mixed_rows_equals_the_loss_of_mixed_targets():
    batch = batch_of(np.ones(8), np.ones(8))
    changed, mixture = jax.jit(functools.partial(augment, Mixup(alpha=1.0)))(key(0), batch)
    share, partner = np.asarray(mixture.share)[:, None], np.asarray(mixture.partner)
    assert sorted(partner) == list(range(8))
    assert_allclose(changed.x, share * batch.x + (1 - share) * np.asarray(batch.x)[partner], rtol=1e-5)
    loss = CrossEntropy()
    raw = np.asarray(changed.x)[:, :3]

    @jax.jit
    def of_pairs(raw, mixture, batch):
        other = loss(raw, batch.target[mixture.partner])
        return losses_of_pairs(mixture, loss(raw, batch.target), other, batch.weight)

    found = of_pairs(raw, mixture, batch)
    one_hot = np.eye(3)[np.asarray(batch.target)]
    soft = share * one_hot + (1 - share) * one_hot[partner]
    shifted = np.asarray(raw, np.float64)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    assert_allclose(found, -(soft * log_probabilities).sum(axis=1), rtol=1e-5)


def test_weights_of_mixed_rows():
    weight, mask = np.array([1.0, 3.0, 0.0, 2.0, 0.0, 0.0]), np.array([1, 1, 1, 1, 0, 0])
    batch = batch_of(weight, mask)
    changed, mixture = jax.jit(functools.partial(augment, Mixup(alpha=1.0)))(key(1), batch)
    share, partner = np.asarray(mixture.share), np.asarray(mixture.partner)
    assert_array_equal(partner[4:], [4, 5])  # padding rows are mixed with padding rows
    assert_allclose(changed.weight.sum(), weight.sum(), rtol=1e-6)
    own, other = jnp.arange(6.0), 10 + jnp.arange(6.0)
    total = np.sum(np.asarray(losses_of_pairs(mixture, own, other, batch.weight)) * np.asarray(changed.weight))
    assert_allclose(
        total, np.sum(share * weight * np.asarray(own) + (1 - share) * weight[partner] * np.asarray(other)), rtol=1e-5
    )


def test_no_augmentation_changes_nothing():
    batch = batch_of(np.ones(4), np.ones(4))
    assert augment(None, key(0), batch) == (batch, None)


@pytest.mark.parametrize(
    ("cls", "augmentation"),
    [
        (DeepClassifier, "mixup"),
        (DeepRegressor, ["gaussian_noise", CutMix()]),
        (DeepClassifier, lambda key, x: 0.9 * x),
        pytest.param(DeepRegressor, "mixup", marks=pytest.mark.campaign),
        pytest.param(DeepClassifier, ["gaussian_noise", CutMix()], marks=pytest.mark.campaign),
        pytest.param(DeepRegressor, lambda key, x: 0.9 * x, marks=pytest.mark.campaign),
    ],
)
def test_training_only(cls, augmentation):
    plain = cls(input_shape=(8, 8, 1), **SMALL).fit(DIGITS, CLASSES)
    model = cls(input_shape=(8, 8, 1), augmentation=augmentation, **SMALL)
    again = clone(model).fit(DIGITS, CLASSES)
    model.fit(DIGITS, CLASSES)
    assert_array_equal(model.predict(DIGITS), again.predict(DIGITS))
    assert not np.array_equal(model.history_.train_loss, plain.history_.train_loss)


def test_a_search_over_float_fields_compiles_once():
    model = DeepClassifier(input_shape=(8, 8, 1), augmentation="random_crop", **SMALL)
    model.set_params(augmentation__padding=1).fit(DIGITS, CLASSES)
    before = compile_counts()["train_block"]
    first = model.history_.train_loss
    model.set_params(augmentation__padding=2, augmentation__fill=0.5).fit(DIGITS, CLASSES)
    assert compile_counts()["train_block"] == before
    assert model.augmentation == RandomCrop(padding=2, fill=0.5)
    assert not np.array_equal(model.history_.train_loss, first)
    assert model.resolved_components_["augmentation"] == "random_crop"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianNoise(std=-1.0), "The 'std' field of GaussianNoise must be at least 0"),
        (lambda: Mixup(alpha=0.0), "The 'alpha' field of Mixup must be above 0"),
        (lambda: RandomFlip(direction="up"), "must be one of"),
        (lambda: RandomFlip(probability=1.5), r"must be in \[0, 1\]"),
        (lambda: RandomCrop(padding=-1), "must be at least 0"),
    ],
)
def test_check_fields(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("augmentation", "error", "message"),
    [
        ("blur", UnknownComponentError, "Unknown augmentation 'blur'. Known: cutmix, gaussian_noise, "),
        (3, ValueError, "The 'augmentation' parameter of DeepClassifier must be"),
        (
            ["mixup", "random_flip"],
            ValueError,
            "Only the last augmentation of a Chain may mix rows, but others follow Mixup",
        ),
        (
            "random_flip",
            ValueError,
            r"RandomFlip needs rows with 1 or more axes before the channels. Got .*input_shape=",
        ),
        (lambda key, x: x[:, :3], ValueError, "made rows of shape"),
    ],
)
def test_bad_input(augmentation, error, message):
    with pytest.raises(error, match=message):
        DeepClassifier(augmentation=augmentation, **SMALL).fit(DIGITS, CLASSES)


def test_a_chain_applies_its_augmentations_to_both_rows_of_a_pair():
    chain = Chain((GaussianNoise(std=1.0), Mixup(alpha=100.0)))  # the shares are close to 1/2
    mixed, share = jax.jit(chain.mix)(key(0), np.zeros((500, 4), np.float32), np.zeros((500, 4), np.float32))
    expected = np.sqrt(float(share) ** 2 + (1 - float(share)) ** 2)
    assert abs(np.std(mixed) - expected) < 0.05
