"""AdamW with parameter groups: equal to Optax without groups, and to its formula with them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import skdeep
from skdeep import DeepClassifier
from skdeep.kernels import are_kernels
from skdeep.optimizers import GroupedAdamW, ParameterGroup
from skdeep.schedules import Linear
from skdeep.testing import check_optimizer

rng = np.random.RandomState(0)
PARAMS = {
    "dense": {"kernel": rng.randn(3, 2).astype(np.float32), "bias": np.ones(2, np.float32)},
    "output": {"kernel": rng.randn(2, 1).astype(np.float32), "bias": np.ones(1, np.float32)},
}
GRAD = jax.tree.map(lambda p: jnp.asarray(np.sin(5 * p)), PARAMS)


def updates_of(optimizer, n_steps=3, rate=0.1, progress=0.25):
    """Return the updates of the last of some steps with one gradient."""
    state = optimizer.init(PARAMS)
    for _ in range(n_steps):
        state, updates = optimizer.update(GRAD, state, PARAMS, rate, 0.0, None, progress=progress)
    return updates


def optax_updates(n_steps=3, **options):
    transformation = optax.adamw(0.1, **options)
    state = transformation.init(PARAMS)
    for _ in range(n_steps):
        updates, state = transformation.update(GRAD, state, PARAMS)
    return updates


def test_without_groups_it_is_optaxs_adamw():
    expected = optax_updates(b2=0.95, weight_decay=0.3, mask=are_kernels)
    found = updates_of(GroupedAdamW(b2=0.95, weight_decay=0.3))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), found, expected)


def test_factors_of_rate_and_decay_act_apart():
    adam = optax_updates(weight_decay=0.0)
    groups = (
        ParameterGroup("bias", rate=0.5),
        ParameterGroup("output/bias", rate=3.0, decay=2.0),
        ParameterGroup("dense/kernel", decay=0.0),
    )
    found = updates_of(GroupedAdamW(weight_decay=0.2, groups=groups))
    for path, rate, decay in (
        (("dense", "kernel"), 1.0, 0.0),
        (("dense", "bias"), 0.5, 0.0),
        (("output", "kernel"), 1.0, 1.0),
        (("output", "bias"), 3.0, 2.0),
    ):
        update, expected, param = (tree[path[0]][path[1]] for tree in (found, adam, PARAMS))
        np.testing.assert_allclose(
            update, rate * expected - 0.1 * decay * 0.2 * param, rtol=1e-5, atol=1e-7, err_msg=path
        )


def test_the_decay_follows_its_schedule():
    adam = optax_updates(weight_decay=0.0)
    found = updates_of(GroupedAdamW(weight_decay=0.2, decay_schedule=Linear()), progress=0.25)
    kernel = PARAMS["dense"]["kernel"]
    np.testing.assert_allclose(found["dense"]["kernel"], adam["dense"]["kernel"] - 0.1 * 0.2 * 0.75 * kernel, rtol=1e-5)


def test_a_group_without_parameters_is_an_error():
    model = DeepClassifier(
        network="linear", optimizer=GroupedAdamW(groups=(ParameterGroup("biass", 0.1),)), max_epochs=1
    )
    message = (
        "group 'biass' of GroupedAdamW selects no parameter. The parameters are output/bias, output/kernel. Correct"
    )
    with pytest.raises(ValueError, match=message):
        model.fit(np.eye(4), [0, 1, 0, 1])


def test_a_name_is_a_whole_key():
    assert not ParameterGroup("out").selects((jax.tree_util.DictKey("output"),))
    assert ParameterGroup("1").selects((jax.tree_util.DictKey("layers"), jax.tree_util.SequenceKey(1)))


def test_the_kit():
    check_optimizer(GroupedAdamW(decay_schedule=Linear(), groups=(ParameterGroup("kernel", 2.0, 0.5),)))


def test_factors_are_searched_without_a_new_compile():
    X, y = rng.randn(40, 3), np.arange(40) % 2
    model = DeepClassifier(optimizer=GroupedAdamW(groups=(ParameterGroup("bias", 0.1),)), max_epochs=2, tol=None)
    skdeep.clear_cache()
    for rate in (0.1, 10.0):
        model.set_params(optimizer__groups__0__rate=rate).fit(X, y)
    assert skdeep.compile_counts()["train_block"].compiles == 1


def test_groups_are_parameter_groups():
    with pytest.raises(ValueError, match="'groups' field of GroupedAdamW must be a tuple"):
        GroupedAdamW(groups=ParameterGroup("bias"))
