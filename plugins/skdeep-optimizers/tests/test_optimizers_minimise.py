"""Each optimizer minimises two functions, with one program for all values of its fields, and decays kernels only."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from skdeep_optimizers import ADOPT, SAM, SOAP, AdEMAMix, Prodigy

from skdeep.optimizers import AdamW

# Per optimizer: other values of its fields, which must not need another program, and the learning rate of both.
PAIRS = [
    (ADOPT(b2=0.99), ADOPT(b1=0.8, b2=0.98, eps=1e-5, clip_exponent=0.3), 0.1),
    (AdEMAMix(), AdEMAMix(b1=0.8, b2=0.99, b3=0.99, alpha=4, warmup_steps=300, eps=1e-7), 0.1),
    (Prodigy(), Prodigy(b1=0.8, b2=0.99, eps=1e-7, d0=1e-5, d_coef=2), 1.0),
    (SAM(rho=0.005), SAM(rho=0, eta=0.1).replace(base__b1=0.8), 0.1),
    (SOAP(), SOAP(b1=0.9, b2=0.99, eps=1e-7), 0.1),
]


def run(optimizer, objective, start, learning_rate, n_steps):
    """Return the final value after a loop in one program, with a learning rate that decays to zero."""

    def body(i, carry):
        state, params = carry
        value, grad = jax.value_and_grad(objective)(params)
        rate = learning_rate * (1 - i / n_steps)
        state, updates = optimizer.update(grad, state, params, rate, value, objective)
        return state, jax.tree.map(jnp.add, params, updates)

    state, params = jax.lax.fori_loop(0, n_steps, body, (optimizer.init(start), start))
    return objective(optimizer.eval_params(params, state))


def rotation(seed, size):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0].astype(np.float32)


def hessian(seed, size, condition):
    q = rotation(seed, size)
    return (q * np.geomspace(1 / condition, 1, size).astype(np.float32)) @ q.T


LEFT, RIGHT = hessian(0, 6, 30.0), hessian(1, 5, 30.0)
OPTIMUM = {"bias": np.linspace(-1, 1, 5, dtype=np.float32), "kernel": rotation(2, 6)[:, :5]}
ORIGIN = jax.tree.map(jnp.zeros_like, OPTIMUM)


def ravine(params):
    """A quadratic with condition number 900, whose axes are rotated against those of the parameters."""
    kernel, bias = (params[name] - OPTIMUM[name] for name in ("kernel", "bias"))
    return 0.5 * jnp.sum(kernel * (LEFT @ kernel @ RIGHT)) + 0.5 * bias @ RIGHT @ bias


def banana(params):
    """Rosenbrock's function of four variables, as `scipy.optimize.rosen`; its minimum is 0, at 1."""
    x = params["kernel"].ravel()
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


PROBLEMS = {
    "ravine": (ravine, ORIGIN, 400, 1e-3),
    "banana": (banana, {"kernel": jnp.zeros((2, 2))}, 1000, 1e-3),
}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("first", "second", "learning_rate"), PAIRS)
def test_minimises_in_one_program(first, second, learning_rate, problem):
    objective, start, n_steps, tolerance = PROBLEMS[problem]
    n_traces = []

    @jax.jit
    def minimise(optimizer, learning_rate):
        n_traces.append(1)
        return run(optimizer, objective, start, learning_rate, n_steps)

    for optimizer, rate in ((first, learning_rate), (second, 0.8 * learning_rate)):
        reached = minimise(jax.tree.map(np.float32, optimizer), np.float32(rate))
        assert reached < tolerance
    assert len(n_traces) == 1


@pytest.mark.parametrize(
    "optimizer",
    [
        ADOPT(),
        AdEMAMix(),
        Prodigy(d0=1.0, bias_correction=False),
        SAM(base=AdamW()),
        SOAP(),
    ],
)
def test_weight_decay_touches_kernels_only(optimizer):
    """With a gradient of zero, a step multiplies kernels by `1 - learning_rate * weight_decay`."""
    optimizer = optimizer.replace(**{"base__weight_decay" if isinstance(optimizer, SAM) else "weight_decay": 0.5})
    params = {**OPTIMUM, "scale": jnp.ones(())}
    zero, state = jax.tree.map(jnp.zeros_like, params), optimizer.init(params)
    update = jax.jit(lambda state: optimizer.update(zero, state, params, 0.1, 0.0, lambda _: 0.0))
    for _ in range(2):  # the first step of SOAP changes nothing
        state, updates = update(state)
    expected = {**zero, "kernel": -0.05 * params["kernel"]}
    jax.tree.map(lambda got, want: assert_allclose(got, want, rtol=1e-5, atol=1e-8), updates, expected)
