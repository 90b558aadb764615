"""A table as one array for networks that take one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from skdeep.core.network import functions_of
from skdeep.core.one_hot import WithOneHot, joined, joined_shape, with_one_hot, without_one_hot
from skdeep.networks import MLP, RealMLP, TabM
from skdeep.records import InputSpec

SPECS = {"numeric": InputSpec((2,)), "category": InputSpec((2,), "int32", (4, 3))}
IDS = np.array([[1, 2], [3, 0], [0, 1]], np.int32)
ROWS = {"numeric": jnp.arange(6.0).reshape(3, 2), "category": jnp.asarray(IDS)}
MODEL_SHAPE = tuple(sorted(SPECS.items()))


def test_levels_become_columns_as_in_scikit_learn():
    encoder = OneHotEncoder(categories=[[1, 2, 3], [1, 2]], handle_unknown="ignore", sparse_output=False)
    expected = np.hstack([ROWS["numeric"], encoder.fit_transform(IDS)])
    np.testing.assert_array_equal(joined(ROWS, (4, 3)), expected)
    np.testing.assert_array_equal(joined({"category": ROWS["category"]}, (4, 3)), expected[:, 2:])


def test_the_network_gets_one_array():
    inner = functions_of(MLP(widths=(4,)), (7,), 2)
    outer = functions_of(WithOneHot(MLP(widths=(4,))), MODEL_SHAPE, 2)
    params, state = outer.init(jax.random.key(0), ROWS)
    plain, _ = inner.init(jax.random.key(0), joined(ROWS, (4, 3)))
    assert jax.tree.all(jax.tree.map(np.array_equal, params, plain))
    raw, _ = outer.apply(params, state, ROWS, False, None, jnp.ones(3))
    expected, _ = inner.apply(plain, state, joined(ROWS, (4, 3)), False, None, jnp.ones(3))
    np.testing.assert_array_equal(raw, expected)


@pytest.mark.parametrize("network", [MLP(), RealMLP(), TabM()])
def test_only_networks_of_one_array_are_wrapped(network):
    wrapped = with_one_hot(network, has_categories=True)
    assert isinstance(wrapped, WithOneHot) == isinstance(network, MLP)
    assert without_one_hot(wrapped) == network
    assert with_one_hot(network, has_categories=False) is network


def test_the_shape_of_the_array():
    assert joined_shape(MODEL_SHAPE, MLP()) == (7,)
    assert joined_shape(MODEL_SHAPE, RealMLP()) is None
    assert joined_shape((3,), MLP()) is None
