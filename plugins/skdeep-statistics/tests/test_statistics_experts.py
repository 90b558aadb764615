"""Mixtures of experts against loops in NumPy over rows and experts."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose
from skdeep_statistics import MixtureOfExperts

import skdeep
from skdeep.contract import NetworkFunctions
from skdeep.networks import CNN, MLP, Linear
from skdeep.testing import check_network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 4))
MASK = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0.0])


def parts(n_experts, n_outputs=2):
    """Gate and experts, all of them one dense layer."""
    shapes = {"gate": (4, n_experts)} | {f"experts_{i}": (4, n_outputs) for i in range(n_experts)}
    dense = {n: {"kernel": RNG.normal(size=s), "bias": RNG.normal(size=s[1])} for n, s in shapes.items()}
    return {n: p if n == "gate" else {"output": p} for n, p in dense.items()}


def by_loop(params, n_experts, n_active, balance):
    """Return outputs and balance loss, row by row."""
    outputs, use, share = np.zeros((9, 2)), np.zeros(n_experts), np.zeros(n_experts)
    for row in range(9):
        logits = X[row] @ params["gate"]["kernel"] + params["gate"]["bias"]
        p = np.exp(logits) / np.exp(logits).sum()
        active = sorted(range(n_experts), key=lambda i: -p[i])[:n_active]
        for i in active:
            dense = params[f"experts_{i}"]["output"]
            gate = p[i] if n_active == 1 else p[i] / sum(p[j] for j in active)
            outputs[row] += gate * (X[row] @ dense["kernel"] + dense["bias"])
            use[i] += MASK[row] / n_active / MASK.sum()
        share += MASK[row] * p / MASK.sum()
    return outputs, balance * n_experts * sum(use * share)


@pytest.mark.parametrize("n_active", [1, 2, 3])
def test_against_a_loop(n_active):
    network = MixtureOfExperts(n_experts=3, n_active=n_active, balance=0.7, expert=Linear())
    params = parts(3)
    with jax.enable_x64(True):
        module = network.build((4,), 2)
        apply = jax.jit(lambda params, x: module.apply({"params": params}, x, True, MASK, mutable=["losses"]))
        output, state = apply(params, X)
    wanted, reported = by_loop(params, 3, n_active, 0.7)
    assert_allclose(output, wanted, rtol=1e-10)
    assert_allclose(jax.tree.leaves(state), [reported], rtol=1e-10)


def test_the_balance_is_at_least_one():
    """Rows that are spread evenly over the experts, with even shares, give E * E * (1 / E)^2 = 1."""
    params = jax.tree.map(np.zeros_like, parts(3))
    module = MixtureOfExperts(3, 3, 1.0, Linear()).build((4,), 2)
    apply = jax.jit(lambda params, x: module.apply({"params": params}, x, True, MASK, mutable=["losses"]))
    _, state = apply(params, X)
    assert_allclose(jax.tree.leaves(state), [1.0], rtol=1e-6)


def two_lines(n=400):
    x = RNG.uniform(-2, 2, size=(n, 1))
    return x, np.where(x[:, 0] < 0, 1 + x[:, 0], 2 - 3 * x[:, 0])


def test_it_learns_two_lines():
    x, y = two_lines()
    settings = {"learning_rate": 0.03, "max_epochs": 100, "tol": None, "random_state": 0}
    mixture = skdeep.DeepRegressor(network=MixtureOfExperts(2, 1, expert=Linear()), **settings).fit(x, y)
    line = skdeep.DeepRegressor(network="linear", **settings).fit(x, y)
    assert mixture.score(x, y) > 0.9 > line.score(x, y)


def test_balance_spreads_the_rows():
    """A gate that begins with one expert for all rows uses the others only if it is told to."""
    x = np.abs(RNG.normal(size=(300, 4))).astype(np.float32)
    y = x @ np.array([1.0, 2.0, -1.0, 0.5])
    network = MixtureOfExperts(n_experts=3, n_active=1, expert=Linear())
    settings = {"learning_rate": 0.03, "max_epochs": 30, "tol": None, "random_state": 1, "batch_size": 50}
    largest = []
    before = None
    for balance in (0.0, 3.0):
        model = skdeep.DeepRegressor(network=network.replace(balance=balance), **settings).fit(x, y)
        gate = model.params_["gate"]
        chosen = (x @ gate["kernel"] + gate["bias"]).argmax(axis=1)
        largest.append(np.bincount(chosen, minlength=3).max() / 300)
        before = before or skdeep.compile_counts()["train_block"]
    assert skdeep.compile_counts()["train_block"] == before  # balance is traced
    assert largest[1] < 0.6
    assert largest[1] < largest[0]


def test_experts_of_images_and_nested_fields():
    images, y = RNG.normal(size=(20, 6, 6, 1)).astype(np.float32), np.arange(20) % 3
    network = MixtureOfExperts(n_experts=2, expert=CNN(widths=(4,)))
    model = skdeep.DeepClassifier(network=network, max_epochs=2, tol=None, random_state=0).fit(images, y)
    assert model.predict_proba(images).shape == (20, 3)
    model = skdeep.DeepClassifier(network=MixtureOfExperts()).set_params(network__expert__widths=(8,))
    assert model.network == MixtureOfExperts(expert=MLP(widths=(8,)))


class Pure(skdeep.Network):
    def build(self, in_shape, n_outputs):
        return NetworkFunctions(lambda key, x: ({}, {}), lambda params, state, x, *rest: (x[:, :n_outputs], state))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MixtureOfExperts(n_experts=1),
            "The 'n_experts' field of MixtureOfExperts must be an int in [2, inf). Got 1",
        ),
        (lambda: MixtureOfExperts(n_active=5), "must be an int in [1, 4], the number of experts. Got 5 instead."),
        (lambda: MixtureOfExperts(n_active=0), "The 'n_active' field of MixtureOfExperts"),
        (lambda: MixtureOfExperts(balance=-1.0), "must be in [0, inf). Got -1.0 instead."),
        (lambda: MixtureOfExperts(balance=float("nan")), "Got nan instead."),
        (lambda: MixtureOfExperts(expert=Pure()).build((4,), 2), "must be a network that builds a Flax linen module."),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        component = make()
        component.check_fields()


def test_the_contract_with_one_active_expert():
    """The contract checks of the default fields are in test_statistics_contract.py."""
    assert all(result.passed for result in check_network(MixtureOfExperts(3, 1, 0.5, Linear())))
