"""Checks for augmentations: form of the rows, dependence on the key, independent rows, traced floats."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.contract import Augmentation
from skdeep.core import as_traced
from skdeep.core.random import wrap_key
from skdeep.testing.component_checks import expect_each_used
from skdeep.testing.dataflow import dataflow_of, is_patternless
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite

N_ROWS = 6
N_KEYS = 8
Shape = tuple[int, ...]


@contract_check("return rows of the shape and dtype of the given rows; `mix` also returns a share in [0, 1].")
def check_rows_keep_their_form(augmentation: Augmentation, in_shape: Shape) -> None:
    """The returned rows are finite and have the shape and dtype of the given ones.

    The share is in [0, 1]: one number, or one per row.
    """
    x = _rows(in_shape)
    for seed in range(5):
        changed, share = _augment(augmentation, seed, x)
        same = (changed.shape, changed.dtype) == (x.shape, x.dtype)
        expect(same, f"For rows {x.dtype}{x.shape} it returned {changed.dtype}{changed.shape}.")
        expect_finite(changed, "The changed rows ")
        expect(share.shape in ((), (N_ROWS,)), f"The share has shape {share.shape}, not () or {(N_ROWS,)}.")
        expect(np.all((share >= 0) & (share <= 1)), f"The share is {share}, not in [0, 1].")


@contract_check("draw all random numbers from the given key, and from no other source.")
def check_decided_by_the_key(augmentation: Augmentation, in_shape: Shape) -> None:
    """The same key gives the same rows, and two of several keys give different rows, unless no key changes any row.

    An augmentation that mixes rows may do so in the same way for all keys, since the training step draws the pairs.
    """
    x = _rows(in_shape)
    results = [_augment(augmentation, seed, x) for seed in range(N_KEYS)]
    expect_close(
        _augment(augmentation, 3, x), results[3], "Two calls with the same key give different rows.", rtol=0, atol=0
    )
    flow = dataflow_of(_of_words, as_traced(augmentation), _words(0), x, x[::-1])
    key = len(jax.tree.leaves(augmentation))
    expect(
        all(key in draw for draw in flow.draws),
        "A random draw does not depend on the given key, so every batch repeats it.",
    )
    differ = any(not np.array_equal(results[0][0], changed) for changed, _ in results[1:])
    if augmentation.mixes and not differ:
        expect(
            not any(map(is_patternless, flow.constants)),
            "It uses random numbers that were drawn at tracing, so every batch repeats them.",
        )
        return
    expect(differ or np.array_equal(results[0][0], x), "All keys change the rows in the same way.")


@contract_check("change each row independently of the others; to combine rows, set `mixes = True` and write `mix`.")
def check_rows_are_independent(augmentation: Augmentation, in_shape: Shape) -> None:
    """The result of a row does not depend on the other rows."""
    x, half = _rows(in_shape), N_ROWS // 2
    others = np.concatenate([x[:half], 3 * x[half:]])
    beside, wanted = (_augment(augmentation, 0, rows, _rows(in_shape, 9))[0] for rows in (others, x))
    expect_close(beside[:half], wanted[:half], "The result of a row depends on the other rows.")


@contract_check(
    "use `jnp.where` instead of `if` on float fields, or declare a field that decides shapes as `skdeep.static`."
)
def check_floats_are_traced(augmentation: Augmentation, in_shape: Shape) -> None:
    """Inside `jit`, with key, rows and float fields traced, it returns the same rows as outside."""
    x = _rows(in_shape)
    inside = jax.jit(_of_words)(as_traced(augmentation), _words(0), x, x[::-1])
    expect_close(
        inside, _augment(augmentation, 0, x), "Inside `jit` it returns other rows than outside.", rtol=1e-4, atol=1e-5
    )


@contract_check("use the field, or remove it: a search over it would compare equal models.")
def check_float_fields_matter(augmentation: Augmentation, in_shape: Shape) -> None:
    """Each float field changes the rows or the share."""
    x = _rows(in_shape)

    def used_by(augmentation: Augmentation) -> frozenset[int]:
        return dataflow_of(_of_words, as_traced(augmentation), _words(0), x, x[::-1]).used

    expect_each_used(augmentation, used_by, "neither the rows nor the share")


AUGMENTATION_CHECKS = (
    check_rows_keep_their_form,
    check_decided_by_the_key,
    check_rows_are_independent,
    check_floats_are_traced,
    check_float_fields_matter,
)


def _rows(in_shape: Shape, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N_ROWS, *in_shape)).astype(np.float32)


def _words(seed: int) -> Any:
    return np.array([seed, 7], np.uint32)


def _augment(augmentation: Augmentation, seed: int, x: np.ndarray, other: Any = None) -> tuple[np.ndarray, np.ndarray]:
    changed, share = _of_words(augmentation, _words(seed), jnp.asarray(x), x[::-1] if other is None else other)
    return np.asarray(changed), np.asarray(share)


def _of_words(augmentation: Augmentation, words: Any, x: Any, other: Any) -> tuple[Any, Any]:
    if augmentation.mixes:
        return augmentation.mix(wrap_key(words), x, other)
    return augmentation(wrap_key(words), x), jnp.ones(())
