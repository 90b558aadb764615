"""Keys of programs: equal for equal structures, and different wherever the program may be."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from skdeep.config import Model
from skdeep.core.placement import Placement
from skdeep.core.program_keys import code_version, current_version, key_of
from skdeep.networks import MLP

MODEL = Model(MLP((4,), dropout_rate=0.1), (3,), 2)
X = np.ones((5, 3), np.float32)


def key(model=MODEL, x=X, program="program"):
    leaves, tree = jax.tree.flatten((model, x))
    return key_of(program, (model, x), leaves, tree)


def as_traced(model):
    return jax.tree.map(np.float32, model)


def test_numbers_and_values_do_not_count():
    model = as_traced(MODEL)
    other = as_traced(Model(MLP((4,), dropout_rate=0.7), (3,), 2))
    assert key(model) == key(other, 2 * X)
    assert hash(key(model)) == hash(key(other, 2 * X))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": Model(MLP((5,), dropout_rate=0.1), (3,), 2)},
        {"model": Model(MLP((4,)), (3,), 2)},
        {"x": X[:4]},
        {"x": X.astype(np.float64)},
        {"program": "another"},
    ],
    ids=["field", "none", "shape", "dtype", "program"],
)
def test_structure_counts(changes):
    changes = {name: as_traced(value) if name == "model" else value for name, value in changes.items()}
    assert key(**{"model": as_traced(MODEL)} | changes) != key(as_traced(MODEL))


def test_the_device_and_the_settings_count():
    model = as_traced(MODEL)
    before = key(model)
    with Placement("cpu", 0, "float64").active():
        assert key(model) != before
    with jax.default_matmul_precision("float32"):
        assert key(model) != before
    assert key(model) == before


def test_the_version_grows_if_a_function_of_the_user_changes():
    factor = 1.0

    def scaled(x):
        return factor * x

    model = Model(MLP((4,), activation=scaled), (3,), 2)
    first = current_version((model,))
    assert current_version((model,)) == first
    factor = 2.0
    assert current_version((model,)) > first


def test_jax_traces_again_for_another_version():
    n_traces = []

    @jax.jit
    def traced(x):
        n_traces.append(1)
        return x

    for version in (1, 1, 2):
        with code_version(version):
            traced(jnp.ones(2))
    assert len(n_traces) == 2
