"""Rows, weights and losses of augmented batches, compared with NumPy."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import skdeep
from skdeep.core.augment import Mixture, augment, losses_of_pairs
from skdeep.core.random import wrap_key
from skdeep.records import Batch

WEIGHT = np.array([1.0, 3.0, 0.5, 2.0, 0.0, 0.0], np.float32)
MASK = np.array([1, 1, 1, 1, 0, 0], np.float32)
KEY = np.array([4, 2], np.uint32)


def batch_of(weight=WEIGHT, mask=MASK):
    n = len(weight)
    x = np.random.default_rng(0).normal(size=(n, 2, 3)).astype(np.float32)
    return Batch(*map(jnp.asarray, (x, np.arange(n, dtype=np.int32), weight, mask)))


class Shifted(skdeep.Augmentation):
    """Adds one random number to all rows."""

    def __call__(self, key, x):
        return x + jax.random.normal(key, (1, 1, 1), x.dtype)


class Blended(skdeep.Augmentation):
    """Mixes pairs of rows, with one share per pair or one share for all pairs."""

    per_row: bool = True

    mixes = True

    def mix(self, key, x, other):
        share = jnp.linspace(0.0, 1.0, len(x)) if self.per_row else jnp.float32(0.25)
        of_row = share.reshape(-1, 1, 1)
        return of_row * x + (1 - of_row) * other, share


def test_augmentations_change_x_only():
    batch = batch_of()
    changed, mixture = augment(Shifted(), wrap_key(KEY), batch)
    assert mixture is None
    assert changed[1:] == batch[1:]
    shift = np.asarray(changed.x - batch.x)
    assert_allclose(shift, np.full(shift.shape, shift[0, 0, 0]), rtol=1e-5)
    other, _ = augment(Shifted(), wrap_key(KEY + np.uint32(1)), batch)
    again, _ = augment(Shifted(), wrap_key(KEY), batch)
    assert_array_equal(again.x, changed.x)
    assert abs(other.x - changed.x).min() > 1e-3


@pytest.mark.parametrize("per_row", [True, False])
def test_mixed_rows_and_weights_equal_numpys(per_row):
    batch = batch_of()
    changed, (partner, share) = jax.jit(lambda batch: augment(Blended(per_row=per_row), wrap_key(KEY), batch))(batch)
    partner, share, x = np.asarray(partner), np.asarray(share), np.asarray(batch.x)
    assert_allclose(share, np.linspace(0, 1, 6) if per_row else np.full(6, 0.25), rtol=1e-6)
    assert share.dtype == batch.weight.dtype
    for i, (j, s) in enumerate(zip(partner, share, strict=True)):
        assert_allclose(changed.x[i], s * x[i] + (1 - s) * x[j], rtol=1e-5, atol=1e-6)
        assert_allclose(changed.weight[i], s * WEIGHT[i] + (1 - s) * WEIGHT[j], rtol=1e-6)
    assert_array_equal(changed.target, batch.target)
    assert_array_equal(changed.mask, batch.mask)


def test_partners_are_a_random_permutation_of_the_real_rows():
    """With three real rows and two padding rows, the six permutations are equally likely (chi-square test)."""
    batch = batch_of(np.ones(5, np.float32), np.array([1, 1, 1, 0, 0], np.float32))
    words = np.stack([np.arange(3000), np.zeros(3000)], axis=1).astype(np.uint32)
    partners = jax.jit(jax.vmap(lambda key: augment(Blended(), wrap_key(key), batch)[1].partner))(words)
    assert_array_equal(partners[:, 3:], np.tile([3, 4], (3000, 1)))
    assert_array_equal(np.sort(partners[:, :3], axis=1), np.tile([0, 1, 2], (3000, 1)))
    _, counts = np.unique(np.asarray(partners), axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


PARTNER = np.array([2, 0, 3, 1, 4, 5], np.int32)
SHARE = np.array([0.0, 1.0, 0.3, 0.5, 0.9, 0.2], np.float32)


@pytest.mark.parametrize("weight", [WEIGHT, np.ones(6, np.float32), np.array([0, 0, 1, 0, 2, 0], np.float32)])
def test_losses_of_pairs_are_weighted_means(weight):
    rng = np.random.default_rng(0)
    own, other = (rng.normal(size=6).astype(np.float32) for _ in range(2))
    found = losses_of_pairs(Mixture(PARTNER, SHARE), *map(jnp.asarray, (own, other, weight)))
    for i, (j, s) in enumerate(zip(PARTNER, SHARE, strict=True)):
        parts = np.array([s * weight[i], (1 - s) * weight[j]], float)
        if parts.sum() > 0:
            assert_allclose(found[i], np.average([own[i], other[i]], weights=parts), rtol=1e-5)
        else:
            assert np.isfinite(found[i])  # the pair has weight 0


def test_pairs_without_weight_have_finite_gradients():
    def total(weight):
        return losses_of_pairs(
            Mixture(jnp.asarray(PARTNER), jnp.asarray(SHARE)), jnp.ones(6), jnp.ones(6), weight
        ).sum()

    assert np.isfinite(jax.jit(jax.grad(total))(jnp.zeros(6))).all()


class Changed(skdeep.Augmentation):
    function: object

    def __call__(self, key, x):
        return self.function(x)


class ChangedPairs(Changed):
    mixes = True

    def mix(self, key, x, other):
        return self.function(x), 0.5


@pytest.mark.parametrize("cls", [Changed, ChangedPairs])
@pytest.mark.parametrize(
    ("function", "made"),
    [
        (lambda x: x[:, :, :2], "shape (2, 2) and type float32"),
        (lambda x: x.reshape(len(x), -1), "shape (6,) and type float32"),
        (lambda x: x.astype(jnp.float16), "shape (2, 3) and type float16"),
    ],
)
def test_an_augmentation_that_changes_shape_or_type_raises(cls, function, made):
    message = rf"The augmentation {cls.__name__}\(.*\) made rows of {re.escape(made)} out of rows of shape \(2, 3\) and type float32. "
    with pytest.raises(ValueError, match=message + "It must keep both."):
        jax.eval_shape(lambda batch: augment(cls(function), wrap_key(KEY), batch), batch_of())
