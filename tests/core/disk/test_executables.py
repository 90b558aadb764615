"""Compiled programs come back from bytes: the same outputs, the same donated memory."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from skdeep.core.disk.executables import packed, unpacked


def compiled(function, *arguments, donate=()):
    return jax.jit(function, donate_argnums=donate, keep_unused=True).lower(*arguments).compile()


def again(program):
    return unpacked(packed(program), jax.devices()[:1])


def test_outputs_have_the_same_bits():
    x = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    program = compiled(lambda x, y: (jnp.tanh(x @ y), jnp.sum(x)), x, x)
    for a, b in zip(program(x, x), again(program)(x, x), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("load", [lambda program: program, again], ids=["compiled", "loaded"])
def test_donated_arguments(load):
    x = np.ones(1024, np.float32)
    program = load(compiled(lambda x, y: x + y, x, x, donate=(0,)))
    given = jax.device_put(x)
    np.testing.assert_array_equal(program(given, x), 2 * x)
    assert given.is_deleted()
    np.testing.assert_array_equal(program(x, x), 2 * np.ones(1024))
    np.testing.assert_array_equal(x, np.ones(1024))  # an array of NumPy is not overwritten


def test_a_program_that_calls_back_is_not_stored():
    def calls(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    assert packed(compiled(calls, np.ones(3, np.float32))) is None
