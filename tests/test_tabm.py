"""TabM, against values of the reference package; `references/README.md` says how they were made."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from skdeep import InputSpec
from skdeep.networks import TabM
from skdeep.testing import check_network

ARRAYS = np.load(Path(__file__).parent / "references" / "tabm.npz")
REF = {key: a.astype(np.float32) if (a := ARRAYS[key]).dtype == np.float64 else a for key in ARRAYS}
SPECS = {"numeric": InputSpec((3,)), "category": InputSpec((2,), "int32", (3, 4))}
X = {"numeric": REF["ple/x_train"], "category": REF["net/x_cat"].astype(np.int32)}
OURS = {"tabm-mini": "mini", "tabm": "full", "tabm-packed": "packed"}


def module_of(name, n_outputs=(4, 3)):
    network = TabM(n_members=4, ensemble=OURS[name], widths=(8, 8), dropout_rate=None, n_bins=6, numeric_features=3)
    return network.build(SPECS, n_outputs)


def state_of(name):
    return {"edges": module_of(name).init(jax.random.key(0), X, train=False)["edges"]}


def embedding_of(given, edges):
    """Return the reference's embedding: it keeps the bins of a column in its first slots, but the last bin in the last slot."""
    kernel = np.zeros((3, 6, 3), np.float32)
    for column in range(3):
        slots = np.flatnonzero(np.diff(edges[column]) > 0)
        kernel[column, slots] = given("linear.weight")[column, [*range(len(slots) - 1), 5]]
    return {"slope": given("linear0.weight"), "bias": given("linear0.bias"), "kernel": kernel}


def params_of(name, prefix, embedding_prefix, edges):
    """Return the reference's parameters under our names."""

    def given(key):
        return REF[f"{prefix}{key}"]

    params = {
        "numeric": embedding_of(lambda key: REF[f"{embedding_prefix}{key}"], edges),
        "output": {"kernel": given("output.weight"), "bias": given("output.bias")},
    }
    for i in range(2):
        block = f"backbone.blocks.{i}.0."
        layer = {"kernel": given(block + "weight"), "bias": given(block + "bias")}
        if name != "tabm-packed":
            layer["kernel"] = layer["kernel"].T
        if name == "tabm":
            layer |= {"input_scale": given(block + "r"), "output_scale": given(block + "s")}
        params[f"dense_{i}"] = layer
    if name == "tabm-mini":
        params["first_scale"] = given("backbone.affine.weight")
    return params


@pytest.mark.parametrize("name", OURS)
def test_outputs_equal_those_of_the_reference(name):
    state = state_of(name)
    params = params_of(name, f"{name}/param/", "ple/param/", np.asarray(state["edges"]["numeric"]["quantiles"]))
    found = module_of(name).apply({"params": params, **state}, X, train=False)
    np.testing.assert_allclose(found, REF[f"{name}/out"], rtol=1e-4, atol=5e-5)
    mean = module_of(name, 3).apply({"params": params, **state}, X, train=False)
    np.testing.assert_allclose(mean, found.mean(1), rtol=1e-5, atol=1e-6)


def test_five_steps_equal_those_of_the_reference():
    state, module = state_of("tabm-mini"), module_of("tabm-mini")
    edges = np.asarray(state["edges"]["numeric"]["quantiles"])
    params = params_of("tabm-mini", "tabm-mini/param/", "ple/param/", edges)
    y = jnp.asarray(REF["net/y"].astype(int))
    transformation = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(2e-3, weight_decay=3e-4))

    def objective(params):
        raw = module.apply({"params": params, **state}, X, train=True, rngs={"dropout": jax.random.key(0)})
        log_probability = jax.nn.log_softmax(raw)
        return -jnp.mean(jnp.take_along_axis(log_probability, y[:, None, None].repeat(4, 1), axis=2))

    @jax.jit
    def step(params, optimizer_state):
        value, grad = jax.value_and_grad(objective)(params)
        updates, optimizer_state = transformation.update(grad, optimizer_state, params)
        return optax.apply_updates(params, updates), optimizer_state, value

    optimizer_state = transformation.init(params)
    for loss in REF["steps/loss"]:
        params, optimizer_state, value = step(params, optimizer_state)
        np.testing.assert_allclose(value, loss, rtol=1e-5)
    expected = params_of("tabm-mini", "steps/after/", "steps/after/num_module.", edges)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), params, expected)


@pytest.mark.parametrize("features", [16, None], ids=["embedded", "not embedded"])
def test_members_differ_by_one_draw_per_column(features):
    network = TabM(n_members=5, widths=(4,), numeric_features=features)
    scale = network.build(SPECS, (5, 1)).init(jax.random.key(1), X, train=False)["params"]["first_scale"]
    sizes = [*[features or 1] * 3, 3, 4]
    assert scale.shape == (5, sum(sizes))
    for chunk in np.split(np.asarray(scale), np.cumsum(sizes)[:-1], axis=1):
        assert (chunk == chunk[:, :1]).all()
    assert (np.abs(scale) == 1).all() == (features is None)
    assert len(np.unique(scale)) == (2 if features is None else 25)


@pytest.mark.parametrize("ensemble", ["mini", "full", "packed"])
def test_the_kit(ensemble):
    check_network(TabM(n_members=3, ensemble=ensemble, widths=(8,), n_bins=4, numeric_features=2))
