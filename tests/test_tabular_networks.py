"""Networks for tables, against values of the reference packages; `references/README.md` says how they were made."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from skdeep import DeepClassifier, DeepRegressor, Inputs, InputSpec
from skdeep.networks import RealMLP
from skdeep.optimizers import GroupedAdamW, ParameterGroup
from skdeep.records import Task
from skdeep.schedules import CosLog, FlatCosine
from skdeep.tables.presets import TableTask, fast
from skdeep.testing import check_network

REFERENCES = Path(__file__).parent / "references"


def reference(name):
    """Return the arrays of a reference as float32, integers unchanged."""
    arrays = np.load(REFERENCES / f"{name}.npz")
    return {key: a.astype(np.float32) if (a := arrays[key]).dtype == np.float64 else a for key in arrays}


def params_of(ref, task):
    """Return pytabkit's parameters under our names. It has the embedded numbers column by column, then the numbers."""

    def given(name):
        return ref[f"{task}/param/{name}"]

    n_columns, _, n_waves = given("plr/weight_2").shape
    order = [
        i
        for column in range(n_columns)
        for i in (n_columns * n_waves + column, *(column * n_waves + np.arange(n_waves)))
    ]
    order += list(range(len(order), given("layer0/scale").shape[1]))
    dense = {
        name: {"kernel": given(f"layer{i}/weight"), "bias": given(f"layer{i}/bias")[0]}
        for i, name in enumerate(("dense_0", "dense_1", "output"))
    }
    dense["dense_0"]["kernel"] = dense["dense_0"]["kernel"][order]
    return {
        "numeric": {
            "frequency": given("plr/weight_1")[:, 0],
            "phase": given("plr/bias_1")[:, 0],
            "output": {"kernel": given("plr/weight_2"), "bias": given("plr/bias_2")[:, 0]},
        },
        "category": {"embedding": given("emb")},
        "scale": {"scale": given("layer0/scale")[0, order]},
        "activation_0": {"slope": given("layer0/act")[0]},
        "activation_1": {"slope": given("layer1/act")[0]},
        **dense,
    }


def inputs_of(ref, task, rows):
    """Return the inputs of the reference: scaled and clipped numbers, the scaled one-hot column, and ids."""

    def squashed(x, of):
        z = (x - ref[f"{task}/{of}_median"]) * ref[f"{task}/{of}_scale"]
        return z / np.sqrt(1 + (z / 3) ** 2)

    ids = ref[f"{task}/{rows}/cat_ids"]
    one_hot = np.array([0.0, 1.0, -1.0], np.float32)[ids[:, :1]]
    numbers = squashed(ref[f"{task}/{rows}/x_num"], "num")
    return {"numeric": numbers, "one_hot": squashed(one_hot, "onehot"), "category": ids[:, 1:].astype(np.int32)}


@pytest.mark.parametrize(("task", "activation", "out"), [("class", "selu", "out"), ("reg", "mish", "out_standardised")])
@pytest.mark.parametrize("rows", ["train", "new"])
def test_outputs_of_realmlp_equal_those_of_pytabkit(task, activation, out, rows):
    ref = reference("realmlp_forward")
    specs = {"numeric": InputSpec((3,)), "one_hot": InputSpec((1,)), "category": InputSpec((1,), "int32", (13,))}
    expected = ref[f"{task}/{rows}/{out}"]
    module = RealMLP((8, 8), activation).build(specs, expected.shape[1])
    found = module.apply({"params": params_of(ref, task)}, inputs_of(ref, task, rows), train=False)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_kit():
    check_network(RealMLP((8,)))


def test_learns_a_table_of_numbers():
    rng = np.random.RandomState(0)
    X = rng.randn(400, 4)
    y = np.sin(3 * X[:, 0]) + X[:, 1]
    network = RealMLP((32, 32), "mish", dropout_rate=0.0)
    model = DeepRegressor(network=network, learning_rate=0.01, max_epochs=100, tol=None, batch_size=64, random_state=0)
    assert model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.9


def test_inputs_that_are_no_table():
    X, y = np.zeros((4, 2)), [0, 1, 0, 1]
    model = DeepClassifier(network=RealMLP((4,)), max_epochs=1)
    with pytest.raises(
        ValueError, match="takes the inputs 'numeric', 'one_hot', 'category', but X has the input 'image'"
    ):
        model.fit(Inputs(image=X), y)
    with pytest.raises(
        ValueError, match="needs the number of ids of each column of the input 'category', which Inputs do not give"
    ):
        model.fit(Inputs(category=np.zeros((4, 2), int)), y)
    with pytest.raises(ValueError, match="rows of one axis, the columns of a table. Got rows of shape .4, 2."):
        model.fit(np.zeros((4, 4, 2)), y)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"widths": (0,)}, "'widths' field of RealMLP"),
        ({"activation": "selo"}, "Did you mean 'selu'"),
        ({"dropout_rate": 1.0}, "'dropout_rate' field of RealMLP"),
        ({"numeric_features": 1}, "'features' field of PBLDEmbedding must be an int of at least 2"),
        ({"category_features": 0}, "'category_features' field of RealMLP"),
    ],
)
def test_wrong_fields(fields, message):
    with pytest.raises(ValueError, match=message):
        RealMLP(**fields)


def test_every_part_is_initialised_from_the_rows():
    module = RealMLP((8, 8)).build((3,), 2)
    x = np.random.RandomState(0).randn(50, 3).astype(np.float32)
    out, made = module.init_with_output(jax.random.key(0), x, train=False)
    out = out - made["params"]["output"]["bias"][None]
    np.testing.assert_allclose(out.std(0), 1, rtol=1e-5)


# pytabkit multiplies the decay by the square of the rate's factor.
GROUPS = (
    ParameterGroup("embedding", decay=1.0),
    ParameterGroup("bias", rate=0.1, decay=0.0),
    ParameterGroup("activation_0", rate=0.1, decay=0.01),
    ParameterGroup("activation_1", rate=0.1, decay=0.01),
    ParameterGroup("scale", rate=6.0, decay=36.0),
    ParameterGroup("numeric", rate=0.1, decay=0.01),
)


@pytest.mark.parametrize(("task", "activation", "rate"), [("class", "selu", 0.04), ("reg", "mish", 0.2)])
def test_ten_steps_of_realmlp_equal_those_of_pytabkit(task, activation, rate):
    ref, data = reference("realmlp_steps"), reference("realmlp_forward")
    params = params_of(data, task)
    specs = {"numeric": InputSpec((3,)), "one_hot": InputSpec((1,)), "category": InputSpec((1,), "int32", (13,))}
    module = RealMLP((8, 8), activation).build(specs, 3 if task == "class" else 1)
    x = inputs_of(data, task, "train")
    y = ref[f"{task}/y"]
    optimizer = GroupedAdamW(b2=0.95, weight_decay=0.02, decay_schedule=FlatCosine(), groups=GROUPS)

    def objective(params):
        raw = module.apply({"params": params}, x, train=False)
        if task == "reg":
            target = (y.reshape(-1, 1) - data["reg/y_mean"]) / data["reg/y_std"]
            return jnp.mean((raw - target) ** 2)
        smooth = 0.9 * np.eye(3, dtype=np.float32)[y.ravel().astype(int)] + 0.1 / 3
        return -jnp.mean(jnp.sum(smooth * jax.nn.log_softmax(raw), axis=1))

    @jax.jit
    def step(params, state, t):
        value, grad = jax.value_and_grad(objective)(params)
        state, updates = optimizer.update(grad, state, params, rate * CosLog()(t), value, objective, progress=t)
        return jax.tree.map(jnp.add, params, updates), state, value

    expected = {**dict(enumerate(ref[f"{task}/steps_2_to_9"], start=2)), 10: ref[f"{task}/step10"]}
    state = optimizer.init(params)
    for i, (t, loss) in enumerate(zip(ref[f"{task}/t"], ref[f"{task}/loss"], strict=True), start=1):
        params, state, value = step(params, state, jnp.float32(t))
        np.testing.assert_allclose(value, loss, rtol=1e-5)
        if i > 1:
            wanted = params_of(unflattened(expected[i], task), task)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), params, wanted)


TASKS = {"class": Task("multiclass", 3), "reg": Task("regression", 1)}


def td_s_params(vector, n_outputs):
    """Return the parameters of RealMLP-TD-S by name from its flat vector."""
    widths, params, start = (16, 8, 8, n_outputs), {"scale": {"scale": vector[:16]}}, 16
    for name, n, m in zip(("dense_0", "dense_1", "output"), widths, widths[1:], strict=False):
        params[name] = {"kernel": vector[start : start + n * m].reshape(n, m), "bias": vector[start + n * m :][:m]}
        start += n * m + m
    return params


@pytest.mark.parametrize("task", TASKS)
def test_ten_steps_of_the_preset_fast_equal_those_of_the_authors_code(task):
    """Network, loss, optimizer, groups, rate and schedule are the preset's, but for the widths.

    In float64, because the first gradient of the regressor's last bias is 0 but for rounding, which Adam would magnify.
    """
    with jax.enable_x64(True), np.load(REFERENCES / "td_s.npz") as arrays:
        _check_ten_steps(
            {name.removeprefix(f"{task}/"): arrays[name] for name in arrays if name.startswith(task)}, task
        )


def _check_ten_steps(ref, task):
    n_outputs = ref["step10_out"].shape[1]
    preset = fast(TableTask(TASKS[task], 30, 16))
    module = dataclasses.replace(preset["network"], widths=(8, 8)).build({"numeric": InputSpec((16,))}, n_outputs)
    target = ref["y"] if task == "class" else ((ref["y"] - ref["y_mean"]) / ref["y_std"])[:, None]

    def objective(params):
        return preset["loss"](module.apply({"params": params}, {"numeric": ref["x"]}, train=False), target).mean()

    @jax.jit
    def step(params, state, t):
        value, grad = jax.value_and_grad(objective)(params)
        rate = preset["learning_rate"] * preset["schedule"](t)
        state, updates = preset["optimizer"].update(grad, state, params, rate, value, objective, progress=t)
        return jax.tree.map(jnp.add, params, updates), state, value, rate

    before = [ref["before/scale"]]
    before += [ref[f"before/layer{i}/{part}"].ravel() for i in range(3) for part in ("weight", "bias")]
    params = td_s_params(np.concatenate(before), n_outputs)
    state = preset["optimizer"].init(params)
    expected = {**dict(enumerate(ref["steps_2_to_9"], start=2)), 10: ref["step10"]}
    for i, (t, rate, loss) in enumerate(zip(ref["t"], ref["lr"], ref["loss"], strict=True), start=1):
        params, state, value, own_rate = step(params, state, jnp.asarray(t))
        np.testing.assert_allclose(own_rate, rate, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(value, loss, rtol=1e-5)
        if i > 1:
            wanted = td_s_params(expected[i], n_outputs)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), params, wanted)
    found = module.apply({"params": params}, {"numeric": ref["x"]}, train=False)
    np.testing.assert_allclose(found, ref["step10_out"], atol=1e-5)


def unflattened(vector, task):
    """Return pytabkit's parameters by name from its flat vector."""
    names = json.loads((REFERENCES / "realmlp_params.json").read_text())[task]
    return {
        f"{task}/param/{name}": vector[of["offset"] : of["offset"] + np.prod(of["shape"])].reshape(of["shape"])
        for name, of in names.items()
    }
