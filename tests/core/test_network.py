"""From a network component to pure functions: widths, running averages, and the flags that modules get."""

from __future__ import annotations

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skdeep
from skdeep.core import as_traced
from skdeep.core.network import functions_of, functions_of_module, weighted_by_rows
from skdeep.core.random import wrap_key
from skdeep.losses import Huber

X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)), jnp.float32)
KEY = np.array([1, 2], np.uint32)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_batch_averages_move_by_the_share_of_a_full_batch(share):
    """Other state is the network's new state, and all types are kept."""
    before = {
        "batch_stats": {"norm": {"mean": jnp.zeros(2)}},
        "inner": {"batch_stats": {"var": jnp.ones(2)}},
        "n": jnp.int32(3),
    }
    after = {
        "batch_stats": {"norm": {"mean": jnp.array([1.0, -4.0])}},
        "inner": {"batch_stats": {"var": jnp.array([3.0, 5.0], jnp.float16)}},
        "n": jnp.int32(4),
    }
    found = weighted_by_rows(before, after, jnp.float32(share))
    assert jax.tree.structure(found) == jax.tree.structure(after)
    assert_allclose(found["batch_stats"]["norm"]["mean"], share * np.array([1.0, -4.0]))
    assert_allclose(found["inner"]["batch_stats"]["var"], 1 + share * np.array([2.0, 4.0]))
    assert found["inner"]["batch_stats"]["var"].dtype == jnp.float16
    assert found["n"] == 4


@pytest.mark.parametrize(("needed_by", "words"), [("the loss", "the loss"), ("the code", "the code")])
def test_an_output_of_another_width_raises(needed_by, words):
    class Wide(skdeep.Network):
        def build(self, in_shape, n_outputs):
            return skdeep.NetworkFunctions(lambda key, x: ({}, {}), lambda params, state, x, *_: (x, state))

    functions = functions_of(Wide(), (4,), 3, needed_by)
    message = f"returns an array of shape (6, 4) for 6 rows, but {words} needs 3 outputs per row, that is (6, 3). Make its last"
    with pytest.raises(ValueError, match=re.escape(message)):
        functions.apply({}, {}, X, False, None, jnp.ones(6))


class Told(nn.Module):
    """Outputs the flags that it gets, and counts the calls in training."""

    @nn.compact
    def __call__(self, x, training, use_running_average, row_mask):
        calls = self.variable("calls", "n", lambda: jnp.zeros((), jnp.int32))
        if training:
            calls.value += 1
        self.sow("intermediates", "x", x)
        told = jnp.array([training, use_running_average], x.dtype)
        return jnp.concatenate([jnp.tile(told, (len(x), 1)), row_mask[:, None]], axis=1)


@pytest.mark.parametrize("train", [False, True])
def test_linen_modules_get_the_flags_that_their_call_takes(train):
    functions = functions_of_module(Told())
    params, state = functions.init(wrap_key(KEY), X)
    assert (params, set(state)) == ({}, {"calls"})
    mask = jnp.array([1.0, 1, 1, 1, 0, 0])
    raw, after = functions.apply(params, state, X, train, wrap_key(KEY), mask)
    assert_array_equal(raw, np.column_stack([np.full(6, train), np.full(6, not train), mask]))
    assert after["calls"]["n"] == state["calls"]["n"] + train


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("delta", [1, 1.0, np.float64(1), np.float32(1)], ids=lambda value: type(value).__name__)
def test_numbers_of_a_component_become_scalars_of_one_type(delta, dtype):
    (leaf,) = jax.tree.leaves(as_traced(Huber(delta=delta), dtype))
    assert type(leaf) is dtype
    assert leaf == 1
