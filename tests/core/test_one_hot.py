"""A table as one array for networks that take one."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from skdeep.core.network import functions_of
from skdeep.core.one_hot import WithOneHot, joined, joined_shapes, with_one_hot, without_one_hot
from skdeep.networks import MLP, RealMLP, TabM
from skdeep.records import InputSpec
from skdeep.tables.frames import as_frame
from skdeep.tables.learning import learn_table
from skdeep.tables.several import Tables

SPECS = {"numeric": InputSpec((2,)), "category": InputSpec((2,), "int32", (4, 3))}
IDS = np.array([[1, 2], [3, 0], [0, 1]], np.int32)
ROWS = {"numeric": jnp.arange(6.0).reshape(3, 2), "category": jnp.asarray(IDS)}
MODEL_SHAPE = tuple(sorted(SPECS.items()))


def test_levels_become_columns_as_in_scikit_learn():
    encoder = OneHotEncoder(categories=[[1, 2, 3], [1, 2]], handle_unknown="ignore", sparse_output=False)
    expected = np.hstack([ROWS["numeric"], encoder.fit_transform(IDS)])
    np.testing.assert_array_equal(joined(ROWS, MODEL_SHAPE), expected)
    of_ids = (("category", SPECS["category"]),)
    np.testing.assert_array_equal(joined({"category": ROWS["category"]}, of_ids), expected[:, 2:])


def test_the_network_gets_one_array():
    inner = functions_of(MLP(widths=(4,)), (7,), 2)
    outer = functions_of(WithOneHot(MLP(widths=(4,))), MODEL_SHAPE, 2)
    params, state = outer.init(jax.random.key(0), ROWS)
    plain, _ = inner.init(jax.random.key(0), joined(ROWS, MODEL_SHAPE))
    assert jax.tree.all(jax.tree.map(np.array_equal, params, plain))
    raw, _ = outer.apply(params, state, ROWS, False, None, jnp.ones(3))
    expected, _ = inner.apply(plain, state, joined(ROWS, MODEL_SHAPE), False, None, jnp.ones(3))
    np.testing.assert_array_equal(raw, expected)


def test_tables_among_several_inputs():
    shape = tuple(sorted({"image": InputSpec((2, 2)), **{f"t/{name}": spec for name, spec in SPECS.items()}}.items()))
    rows = {"image": jnp.zeros((3, 2, 2)), **{f"t/{name}": array for name, array in ROWS.items()}}
    found = joined(rows, shape)
    np.testing.assert_array_equal(found["t"], joined(ROWS, MODEL_SHAPE))
    assert joined_shapes(shape) == {"image": InputSpec((2, 2)), "t": InputSpec((7,))}
    assert joined_shapes(MODEL_SHAPE) == (7,)


TABLE = learn_table(as_frame(pd.DataFrame({"c": ["a", "b"]})), np.ones(2), "from_dtype", None, "float64").table


@pytest.mark.parametrize("network", [MLP(), RealMLP(), TabM()])
def test_only_networks_of_one_array_are_wrapped(network):
    wrapped = with_one_hot(network, TABLE)
    assert isinstance(wrapped, WithOneHot) == isinstance(network, MLP)
    assert without_one_hot(wrapped) == network
    assert with_one_hot(network, None) is network
    assert isinstance(with_one_hot(network, Tables({"t": TABLE})), WithOneHot)
