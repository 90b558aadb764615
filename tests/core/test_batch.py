"""Batches of a block: the rows at the given positions; weight and mask are 0 for rows that fill up an epoch's last batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from skdeep.core import batch as module
from skdeep.core.batch import batch_of_step, gather_steps, gathered_steps
from skdeep.records import Rows

X = np.arange(14, dtype=np.float32).reshape(7, 2)
ROWS = jax.tree.map(jnp.asarray, Rows(X, np.arange(7, dtype=np.int32), np.arange(7, dtype=np.float32) + 1, np.int32(7)))
ORDER = jnp.array(
    [[3, 1, 0], [6, 2, 4], [5, 3, 1]], jnp.int32
)  # 7 rows in batches of 3: the last two positions fill up the last batch


def test_steps_are_gathered_together():
    x, target, weight, _ = gather_steps(ROWS, ORDER)
    np.testing.assert_array_equal(x, X[ORDER])
    np.testing.assert_array_equal(target, ORDER)
    np.testing.assert_array_equal(weight, ORDER + 1)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_the_batch_of_one_step(step):
    chunk = gather_steps(ROWS, ORDER)
    found = jax.jit(batch_of_step)(chunk, step, np.int32(step), np.int32(7))
    mask = np.array([1, 1, 1] if step < 2 else [1, 0, 0])
    np.testing.assert_array_equal(found.x, X[ORDER[step]])
    np.testing.assert_array_equal(found.mask, mask)
    np.testing.assert_array_equal(found.weight, (ORDER[step] + 1) * mask)


def test_number_of_steps_that_are_gathered_together(monkeypatch):
    monkeypatch.setattr(module, "MAX_GATHERED_VALUES", 13)
    assert gathered_steps(ROWS, ORDER) == 2  # each step has 3 rows of 2 values
    monkeypatch.setattr(module, "MAX_GATHERED_VALUES", 10**6)
    assert gathered_steps(ROWS, ORDER) == 3
    monkeypatch.setattr(module, "MAX_GATHERED_VALUES", 1)
    assert gathered_steps(ROWS, ORDER) == 1
