"""The state of an optimizer between steps is a tuple of arrays, from which its own record can be made again."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import skdeep
from skdeep import optimizers
from skdeep.core.optimizer_state import as_arrays, as_record, initial_state, params_for_evaluation

PARAMS = {"dense": {"kernel": np.ones((2, 3), np.float32), "bias": np.zeros(3, np.float32)}}
OPTIMIZERS = [
    optimizers.Adam(), optimizers.AdamW(), optimizers.SGD(momentum=0.9), optimizers.RMSProp(), optimizers.Lion(), optimizers.LBFGS(),
    optimizers.Muon(), optimizers.ScheduleFreeAdamW(),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)
def test_the_record_comes_back(optimizer):
    state = initial_state(optimizer, PARAMS)
    record = optimizer.init(PARAMS)
    again = as_record(optimizer, PARAMS, state)
    assert type(state) is tuple
    assert jax.tree.structure(again) == jax.tree.structure(record)
    jax.tree.map(assert_array_equal, again, record)
    assert len(as_arrays(optimizer, record, again)) == len(state)


def test_params_for_evaluation():
    assert params_for_evaluation(optimizers.Adam(), PARAMS, ()) is PARAMS
    optimizer = optimizers.ScheduleFreeAdamW()
    found = params_for_evaluation(optimizer, PARAMS, initial_state(optimizer, PARAMS))
    wanted = optimizer.eval_params(PARAMS, optimizer.init(PARAMS))
    jax.tree.map(assert_array_equal, found, wanted)


class Growing(skdeep.Optimizer):
    """Returns a state of another structure than it was given."""

    def init(self, params):
        return {"a": np.float32(0)}

    def update(self, grad, state, params, learning_rate, value, objective):
        return {"b": state["a"]}, grad


def test_an_update_that_changes_the_structure():
    with pytest.raises(
        TypeError, match=r"The update of Growing\(\) must keep the structure .* returned PyTreeDef\(\{'b': \*\}\)"
    ):
        skdeep.DeepRegressor(optimizer=Growing(), max_epochs=1, tol=None).fit(np.eye(4), np.arange(4.0))
