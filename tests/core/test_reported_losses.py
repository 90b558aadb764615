"""Losses that modules report, against loops in NumPy with gradients in closed form."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from flax import nnx
from flax.core import FrozenDict
from numpy.testing import assert_allclose
from sklearn.frozen import FrozenEstimator

import skdeep
from skdeep.config import FitConfig, Model
from skdeep.contract import NetworkFunctions
from skdeep.core import as_traced
from skdeep.core.feeds import InOrder, pad_rows
from skdeep.core.job import Job
from skdeep.core.network import functions_of, without_losses
from skdeep.core.objective import MeanLoss
from skdeep.core.placement import Placement
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.core.rows import WeightedRows
from skdeep.core.run import run
from skdeep.core.step import continued_state, weighted_loss
from skdeep.core.stopping import Patience
from skdeep.layers import BatchNorm, Conv, Dense, Flatten, Residual, SimpleRNN
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD
from skdeep.schedules import Constant
from skdeep.testing import check_layer, check_network, component_checks
from skdeep.testing.running import name_of

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(10, 3)), rng.normal(size=(10, 1))
WEIGHT = rng.uniform(0.5, 2, 10)
KERNEL = rng.normal(size=(3, 1))
RATE, PENALTY, BATCH, EPOCHS = 0.05, 0.3, 4, 3


def penalty_of(raw, row_mask):
    """The mean square of the outputs, without padding."""
    return PENALTY * jnp.sum(row_mask[:, None] * raw**2) / jnp.sum(row_mask)


class LinenModule(nn.Module):
    @nn.compact
    def __call__(self, x, row_mask):
        raw = x @ self.param("kernel", nn.initializers.zeros, (3, 1), x.dtype)
        self.sow("losses", "activity", penalty_of(raw, row_mask) / 2)
        self.sow("losses", "activity", penalty_of(raw, row_mask) / 2)
        return raw


class NNXModule(nnx.Module):
    def __init__(self, rngs):
        self.kernel = nnx.Param(jnp.zeros((3, 1)))

    def __call__(self, x, row_mask):
        raw = x @ self.kernel[...]
        self.sow(nnx.Intermediate, "losses", penalty_of(raw, row_mask))
        return raw


def apply_function(params, model_state, x, train, key, row_mask):
    raw = x @ params["kernel"]
    return raw, {"inner": {"losses": {"activity": penalty_of(raw, row_mask)[None]}}} if train else model_state


class Penalised(skdeep.Network):
    form: str = "linen"

    def build(self, in_shape, n_outputs):
        if self.form == "linen":
            return LinenModule()
        if self.form == "nnx":
            return NNXModule
        return NetworkFunctions(lambda key, x: ({"kernel": jnp.zeros((3, 1))}, {"inner": {}}), apply_function)


def config_of(network, **changes):
    config = FitConfig(
        Model(network, (3,), 1), SquaredError(), SGD(), Constant(), MeanLoss(), Patience(), RATE, float(EPOCHS)
    )
    return config.replace(**changes)


@pytest.mark.parametrize("form", ["linen", "nnx", "functions"])
def test_training_against_a_loop(form):
    config = config_of(Penalised(form))
    place = Placement("cpu", 0, "float64")
    with place.active():
        state = {"inner": {}} if form == "functions" else {}
        start = continued_state(
            as_traced(config, np.float64), {"kernel": KERNEL}, state, key_of_seed(0), *map(np.int32, (10, 3, 0))
        )
    outcome = run(Job(config, WeightedRows(X, Y, WEIGHT), InOrder(10), BATCH, start, place, last_epoch=EPOCHS))
    kernel, history = KERNEL.copy(), []
    for _ in range(EPOCHS):
        reported = 0.0
        for first in range(0, 10, BATCH):
            x, y, w = (a[first : first + BATCH] for a in (X, Y, WEIGHT))
            raw = x @ kernel
            activity, slope = PENALTY * (raw**2).mean(), 2 * PENALTY * raw / len(x)
            reported += w @ (raw - y)[:, 0] ** 2 + w.sum() * activity
            kernel = kernel - RATE / BATCH * x.T @ (2 * w[:, None] * (raw - y) + w.sum() * slope)
        history.append(reported / 10)
    assert_allclose(outcome.history["train_loss"], history, rtol=1e-10)
    assert_allclose(outcome.params["kernel"], kernel, rtol=1e-10)
    assert outcome.model_state == state


def test_validation_has_none():
    with Placement("cpu", 0, "float64").active():
        rows = pad_rows(WeightedRows(X, Y, WEIGHT), (3,))
        total = weighted_loss(Model(Penalised(), (3,), 1), SquaredError(), {"kernel": KERNEL}, {}, rows)
    assert_allclose(total, WEIGHT @ (X @ KERNEL - Y)[:, 0] ** 2, rtol=1e-10)


def test_without_losses():
    before = {"batch_stats": {"losses": {"mean": 1.0}}, "decoder": {}}
    after = {
        "batch_stats": {"losses": {"mean": 2.0}},
        "losses": {"a": (jnp.ones(2), 3.0)},
        "decoder": {"losses": 0.5},
        "new": {"losses": 0.0},
    }
    state, total = without_losses(before, after)
    assert state == {"batch_stats": {"losses": {"mean": 2.0}}, "decoder": {}}
    assert float(total) == 5.5
    assert without_losses(before, before) == (before, None)
    assert without_losses(before, before)[0] is before
    frozen, total = without_losses(FrozenDict(), FrozenDict(losses=(2.0,)))
    assert frozen == FrozenDict()
    assert isinstance(frozen, FrozenDict)
    assert float(total) == 2.0
    assert without_losses((), ()) == ((), None)


def test_init_keeps_none():
    functions = functions_of(Penalised(), (3,), 1)
    params, model_state = functions.init(wrap_key(key_of_seed(0)), jnp.ones((1, 3)))
    assert set(params) == {"kernel"}
    assert model_state == {}


class ReportsModule(nn.Module):
    amount: Any

    @nn.compact
    def __call__(self, x):
        self.sow("losses", "constant", self.amount * jnp.array([0.5, 0.5]))
        return x


class Reports(skdeep.Layer):
    """Reports a constant: the training loss is larger by it, and nothing else changes."""

    amount: float = 0.25

    def build(self):
        return ReportsModule(self.amount)


class AroundModule(nn.Module):
    """A module of a user's own with a part that is called "losses" and has averages."""

    n_outputs: int | None = None

    def setup(self):
        self.losses = nn.BatchNorm()
        self.last = nn.Dense(self.n_outputs)
        self.reports = ReportsModule(0.25)

    def __call__(self, x, train: bool):
        return self.last(self.reports(self.losses(x, use_running_average=not train)))


X6 = rng.normal(size=(30, 6)).astype(np.float32)
Y6 = (X6[:, 0] > 0).astype(int)
IMAGES = rng.normal(size=(30, 6, 6, 2)).astype(np.float32)
SEQUENCES = rng.normal(size=(30, 5, 2)).astype(np.float32)
SPARSE = sp.random(30, 400, density=0.02, format="csr", random_state=0, dtype=np.float32)
SETTINGS = {"max_epochs": 2, "tol": None, "random_state": 0, "batch_size": 8}
NETWORKS = {
    "list": (lambda report: [Dense(4), BatchNorm(), *report, "relu"], X6),
    "residual": (lambda report: [Residual((Dense(6), *report, "relu"))], X6),
    "images": (lambda report: [Conv(8), *report, "relu", Flatten()], IMAGES),
    "sequences": (lambda report: [SimpleRNN(4), *report], SEQUENCES),
    "sparse": (lambda report: [Dense(4), *report, "relu"], SPARSE),
}


def histories(make, *data):
    models = [make([]).fit(*data), make([Reports(0.25)]).fit(*data)]
    return [model.history_["train_loss"].to_numpy() for model in models], models


@pytest.mark.parametrize(
    ("name", "augmentation"),
    [
        *((name, None) for name in NETWORKS),
        ("list", "mixup"),
        pytest.param("images", "mixup", marks=pytest.mark.campaign),  # the loss is mixed as for a list
    ],
)
def test_inside_networks(name, augmentation):
    network, rows = NETWORKS[name]
    settings = SETTINGS | {"augmentation": augmentation}
    (plain, reported), models = histories(
        lambda report: skdeep.DeepClassifier(network=network(report), **settings), rows, Y6, 1.0 + Y6
    )
    assert_allclose(reported, plain + 0.25, rtol=1e-5)
    jax.tree.map(lambda a, b: assert_allclose(a, b, atol=1e-6), *(jax.tree.leaves(m.params_) for m in models))


def test_inside_a_module_with_a_part_called_losses():
    model = skdeep.DeepClassifier(network=AroundModule(), **SETTINGS).fit(X6, Y6)
    assert set(model.model_state_) == {"batch_stats"}
    assert np.abs(model.model_state_["batch_stats"]["losses"]["mean"]).max() > 0


def test_inside_autoencoders():
    def make(report):
        return skdeep.DeepAutoencoder(encoder=[Dense(4), *report], decoder=[Dense(4), *report, "relu"], **SETTINGS)

    (plain, reported), (_, model) = histories(make, X6)
    assert_allclose(reported, plain + 0.5, rtol=1e-5)

    def on_top(report):
        return skdeep.DeepClassifier(network=[Dense(3), *report], pretrain=FrozenEstimator(model), **SETTINGS)

    (plain, reported), _ = histories(on_top, X6, Y6)
    assert_allclose(reported, plain + 0.25, rtol=1e-5)  # the encoder reports in both
    free, frozen = (on_top([]).set_params(freeze_pretrained=freeze) for freeze in (False, True))
    first = [m.fit(X6, Y6).history_["train_loss"].iloc[0] for m in (free, frozen)]
    assert_allclose(first[0], plain[0], rtol=1e-6)
    assert first[1] < plain[0] - 0.1  # a frozen one works as in prediction


def test_inside_generators():
    def make(report):
        return skdeep.SequenceGenerator(
            network=[SimpleRNN(4, return_sequences=True), *report], context_length=8, **SETTINGS
        )

    (plain, reported), _ = histories(make, ["to be or not to be", "that is the question"] * 3)
    assert_allclose(reported, plain + 0.25, rtol=1e-5)


def test_other_numbers_compile_nothing():
    def fit(amount):
        return skdeep.DeepClassifier(network=[Dense(4), Reports(amount)], **SETTINGS).fit(X6, Y6)

    fit(0.1)
    before = skdeep.compile_counts()["train_block"]
    fit(0.7)
    assert skdeep.compile_counts()["train_block"] == before


class ActivityModule(nn.Module):
    amount: Any
    masks: bool

    @nn.compact
    def __call__(self, x, row_mask):
        values = x**2 * self.param("scale", nn.initializers.ones, (), x.dtype)
        mask = row_mask.reshape(-1, *(1,) * (x.ndim - 1)) if self.masks else jnp.ones_like(x)
        self.sow("losses", "activity", self.amount * jnp.sum(mask * values) / jnp.sum(row_mask))
        return values


class Activity(skdeep.Layer):
    """A layer with an activity penalty."""

    amount: float = 0.1
    masks: bool = True

    def build(self):
        return ActivityModule(self.amount, self.masks)


class Infinite(Activity):
    def build(self):
        return ReportsModule(jnp.inf)


class ActivityNetwork(skdeep.Network):
    amount: float = 0.1

    def build(self, in_shape, n_outputs):
        return nn.Sequential([nn.Dense(n_outputs), ReportsModule(self.amount)])


def test_the_kit_takes_them():
    assert all(result.passed for result in check_layer(Activity()))
    assert all(result.passed for result in check_network(ActivityNetwork()))  # its float moves the reported loss alone


@pytest.mark.parametrize(
    ("layer", "check", "message"),
    [
        (
            Activity(masks=False),
            "check_padding_is_neutral",
            "The values of padding rows change the sum of the losses that it reports",
        ),
        (
            Infinite(),
            "check_output",
            "The sum of the losses that it reports has 1 of 1 values that are NaN or infinite",
        ),
    ],
)
def test_the_kit_finds_faults(layer, check, message):
    (failing,) = [run for component, run in component_checks("layer", layer) if name_of(run) == check]
    with pytest.raises(AssertionError, match=message):
        failing(layer)
