"""A traced function as data: pickled and run again, it gives the same bits."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from skdeep.core.cpu.host import as_program, run
from skdeep.core.network import functions_of
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.networks import CNN, MLP

WORDS = key_of_seed(3)


def init(network, in_shape):
    def function(words):
        return functions_of(network, in_shape, 3).init(wrap_key(words), jnp.zeros((1, *in_shape), jnp.float32))

    return jax.make_jaxpr(function)(WORDS)


@pytest.mark.parametrize(
    ("network", "in_shape"),
    [(MLP(widths=(4, 4), normalization="batch", residual=True), (5,)), (CNN(widths=(2,)), (8, 8, 1))],
    ids=["MLP", "CNN"],
)
def test_a_pickled_program_gives_the_same_bits(network, in_shape):
    program = as_program(init(network, in_shape))
    assert program.is_data
    data = pickle.dumps(program)
    assert b"jax" not in data
    for a, b in zip(run(program, [WORDS]), run(pickle.loads(data), [WORDS]), strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def test_operations_without_a_rule_are_not_data():
    x = np.float32([[3.0, 1.0], [1.0, 2.0]])
    program = as_program(jax.make_jaxpr(jnp.linalg.cholesky)(x))
    assert not program.is_data
    np.testing.assert_allclose(run(program, [x])[0], np.linalg.cholesky(x), rtol=1e-6)


def test_keys_of_other_generators_are_not_data():
    key = jax.random.key(0)
    assert not as_program(jax.make_jaxpr(lambda: jax.random.key_data(key))()).is_data


def test_constants_and_literals_are_outputs_of_their_own():
    table = np.arange(3.0, dtype=np.float32)
    program = as_program(jax.make_jaxpr(lambda x: (jnp.asarray(table), 2.0, x))(table))
    first, second, _ = run(program, [table])
    first[:] = 7
    assert second == 2.0
    np.testing.assert_array_equal(run(program, [table])[0], [0, 1, 2])


def test_operations_that_no_output_needs_are_left_out():
    program = as_program(jax.make_jaxpr(lambda x: (jnp.sin(x), x + 1)[1])(1.0))
    assert [operation.name for operation in program.operations] == ["add"]


def test_parameters_may_be_numpy_numbers():
    x = np.float32([1, 2])
    program = as_program(jax.make_jaxpr(lambda x: jax.lax.concatenate([x, x], dimension=np.int64(0)))(x))
    assert program.is_data
    assert b"jax" not in pickle.dumps(program)
    np.testing.assert_array_equal(run(program, [x])[0], [1, 2, 1, 2])


def test_an_operation_whose_rule_misses_a_parameter_stays_jaxs(monkeypatch):
    from skdeep.core.cpu import host_program

    monkeypatch.setattr(host_program, "_as_plain", lambda value: host_program._NOT_PLAIN)
    x = np.float32([1, 2])
    program = as_program(jax.make_jaxpr(lambda x: jnp.reshape(x, (2, 1)) + 1)(x))
    assert [operation.equation is None for operation in program.operations] == [False, True]
    np.testing.assert_array_equal(run(program, [x])[0], [[2], [3]])
