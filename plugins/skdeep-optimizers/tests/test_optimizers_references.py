"""The first updates of each optimizer against its paper's algorithm, as a loop in NumPy and float64.

Gradients are given; those of SAM are computed by a formula. If the paper has one number for all parameters, the reference
works on all leaves as one long vector. The reference of SOAP rotates by Kronecker products, the package axis by axis.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from skdeep_optimizers import ADOPT, SAM, SOAP, AdEMAMix, Prodigy

from skdeep.optimizers import SGD, Adam

# These shapes give at most one eigenvalue of zero after the first gradient; eigenvectors of several are not unique.
SHAPES = {"bias": (4,), "conv": (2, 3, 3), "kernel": (5, 4)}
N_STEPS = 7
RATES = (0.1, 0.1, 0.05, 0.2, 0.1, 0.15, 0.1)


def make_leaves(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) for name, shape in SHAPES.items()}


START, OPTIMUM, CURVATURE = make_leaves(0), make_leaves(1), jax.tree.map(np.abs, make_leaves(2))
GRADS = [{name: 0.5**t * (g + 2 * OPTIMUM[name]) for name, g in make_leaves(t).items()} for t in range(N_STEPS)]


def leaf_by_leaf(formula):
    """Return a reference for dicts of arrays, given one for a single array."""

    def reference(start, grads, **fields):
        paths = {name: list(formula(start[name], [g[name] for g in grads], **fields)) for name in start}
        return [{name: paths[name][t] for name in start} for t in range(len(grads))]

    return reference


@leaf_by_leaf
def adopt(theta, grads, b1, b2, eps, clip_exponent, weight_decay):
    m, v = 0.0, grads[0] ** 2
    decay = weight_decay * (theta.ndim >= 2)
    theta = theta - RATES[0] * decay * theta
    yield theta
    for t, (g, rate) in enumerate(zip(grads[1:], RATES[1:], strict=True), 1):
        scaled = g / np.maximum(np.sqrt(v), eps)
        if clip_exponent is not None:
            scaled = np.clip(scaled, -(t**clip_exponent), t**clip_exponent)
        m = b1 * m + (1 - b1) * scaled
        theta = theta - rate * (m + decay * theta)
        v = b2 * v + (1 - b2) * g**2
        yield theta


@leaf_by_leaf
def ademamix(theta, grads, b1, b2, b3, alpha, warmup_steps, eps, weight_decay):
    fast = slow = v = 0.0
    decay = weight_decay * (theta.ndim >= 2)
    for t, (g, rate) in enumerate(zip(grads, RATES, strict=True), 1):
        alpha_now, b3_now = alpha, b3
        if t < warmup_steps:  # f in section 3 of the paper, which interpolates half-lives
            half_life = [np.log(0.5) / np.log(b) for b in (b1, b3)]
            b3_now = 0.5 ** (1 / (half_life[0] + t / warmup_steps * (half_life[1] - half_life[0])))
            alpha_now = alpha * t / warmup_steps
        fast = b1 * fast + (1 - b1) * g
        slow = b3_now * slow + (1 - b3_now) * g
        v = b2 * v + (1 - b2) * g**2
        mixed = fast / (1 - b1**t) + alpha_now * slow
        theta = theta - rate * (mixed / (np.sqrt(v / (1 - b2**t)) + eps) + decay * theta)
        yield theta


def flat(leaves):
    return np.concatenate([np.ravel(leaf) for leaf in leaves.values()])


def unflat(vector):
    sizes = [int(np.prod(shape)) for shape in SHAPES.values()]
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(SHAPES.items(), parts, strict=True)}


def prodigy(start, grads, b1, b2, b3, eps, d0, d_coef, weight_decay, bias_correction, safeguard_warmup):
    theta0 = theta = flat(start)
    decays = flat({name: np.full(leaf.shape, float(leaf.ndim >= 2)) for name, leaf in start.items()})
    b3 = b2**0.5 if b3 is None else b3
    d, r, m, v, s, path = d0, 0.0, 0.0, 0.0, 0.0, []
    for t, (g, rate) in enumerate(zip(map(flat, grads), RATES, strict=True), 1):
        rate = rate * (np.sqrt(1 - b2**t) / (1 - b1**t) if bias_correction else 1)
        m = b1 * m + (1 - b1) * d * g
        v = b2 * v + (1 - b2) * d**2 * g**2
        r = b3 * r + rate * d**2 * (g @ (theta0 - theta))
        s = b3 * s + (1 if safeguard_warmup else rate) * d**2 * g
        theta = theta - rate * d * (m / (np.sqrt(v) + d * eps) + weight_decay * decays * theta)
        d = max(d, d_coef * r / np.abs(s).sum())
        path.append(unflat(theta))
    return path


@leaf_by_leaf
def soap(w, grads, b1, b2, eps, weight_decay, shampoo_decay, precondition_every, max_precondition_size):
    """Vyas et al., algorithm 3, on `vec(w)`: rotating each axis is one product with a Kronecker product."""
    is_rotated = [w.ndim >= 2 and 1 < size <= max_precondition_size for size in w.shape]
    decay = b2 if shampoo_decay is None else shampoo_decay
    factors = [np.zeros((size, size)) for size in w.shape]
    bases = [np.eye(size) for size in w.shape]
    m, v = np.zeros(w.size), np.zeros(w.size)
    for t, (g, rate) in enumerate(zip(grads, RATES, strict=True)):
        if t > 0:
            q = functools.reduce(np.kron, bases, np.eye(1))
            m = b1 * m + (1 - b1) * g.ravel()
            v = b2 * v + (1 - b2) * (q.T @ g.ravel()) ** 2
            step = q @ ((q.T @ m) / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps))
            w = w - rate * (step.reshape(w.shape) + weight_decay * (w.ndim >= 2) * w)
        for axis in np.flatnonzero(is_rotated):
            rows = np.moveaxis(g, axis, 0).reshape(g.shape[axis], -1)
            factors[axis] = decay * factors[axis] + (1 - decay) * rows @ rows.T
            if t == 0:
                bases[axis] = np.linalg.eigh(factors[axis])[1][:, ::-1]
            elif t % precondition_every == 0:
                order = np.argsort(-np.diag(bases[axis].T @ factors[axis] @ bases[axis]))
                bases[axis] = np.linalg.qr(factors[axis] @ bases[axis][:, order])[0]
                v = np.take(v.reshape(w.shape), order, axis).ravel()
        yield w


def valley(leaves):
    def of_leaf(p, curvature, best):
        return jnp.sum(jnp.asarray(curvature, p.dtype) * jnp.log(jnp.cosh(p - jnp.asarray(best, p.dtype))))

    return sum(jax.tree.leaves(jax.tree.map(of_leaf, leaves, CURVATURE, OPTIMUM)))


def slope(theta):
    return flat(CURVATURE) * np.tanh(theta - flat(OPTIMUM))


def sam(start, rho, base, adaptive, eta):
    """Foret et al., algorithm 1, with equation 9 of Kwon et al. if adaptive; around momentum SGD."""
    theta, velocity, path = flat(start), 0.0, []
    for rate in RATES:
        g = slope(theta)
        is_kernel = flat({name: np.full(leaf.shape, leaf.ndim >= 2) for name, leaf in start.items()})
        size = np.where(is_kernel & adaptive, np.abs(theta) + eta, 1.0)
        g = slope(theta + rho * size**2 * g / np.linalg.norm(size * g))
        velocity = base.momentum * velocity + g
        theta = theta - rate * velocity
        path.append(unflat(theta))
    return path


@jax.jit
def one_step(optimizer, state, params, grad, rate):
    """Return state and parameters after a step along this gradient, or that of `valley` if it is None."""
    value, own_grad = jax.value_and_grad(valley)(params)
    grad = own_grad if grad is None else grad
    state, updates = optimizer.update(grad, state, params, rate, value, valley)
    return state, jax.tree.map(jnp.add, params, updates)


def path_of(optimizer, dtype, grads=(None,) * N_STEPS):
    """Return the parameters after each step."""
    optimizer, params, grads = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (optimizer, START, grads))
    state, path = optimizer.init(params), []
    for grad, rate in zip(grads, RATES, strict=True):
        state, params = one_step(optimizer, state, params, grad, jnp.asarray(rate, dtype))
        path.append(params)
    return path


CASES = [
    (ADOPT(), adopt),
    (ADOPT(b1=0.5, b2=0.9, eps=0.3, clip_exponent=0.5, weight_decay=0.3), adopt),
    (ADOPT(b2=0.5, clip_exponent=None), adopt),
    (AdEMAMix(), ademamix),
    (AdEMAMix(b1=0.5, b2=0.9, b3=0.95, alpha=8.0, warmup_steps=5.0, eps=0.1, weight_decay=0.3), ademamix),
    (AdEMAMix(b3=0.5, warmup_steps=0.0), ademamix),
    (Prodigy(d0=1e-3), prodigy),
    (Prodigy(d0=0.01, bias_correction=False), prodigy),
    (Prodigy(b1=0.5, b2=0.9, b3=0.8, eps=0.1, d0=0.1, d_coef=2.0, weight_decay=0.3), prodigy),
    (Prodigy(d0=0.01, d_coef=20.0, safeguard_warmup=True), prodigy),
    (SOAP(b1=0.5, b2=0.9, eps=0.1, weight_decay=0.3, shampoo_decay=0.8, precondition_every=2), soap),
    (SOAP(max_precondition_size=4), soap),
]


@pytest.mark.parametrize(
    ("optimizer", "reference", "dtype"),
    [(*case, "float64") for case in CASES] + [(*CASES[i], "float32") for i in (1, 4, 6)],
)
def test_first_seven_steps(optimizer, reference, dtype):
    with jax.enable_x64(dtype == "float64"):
        got = path_of(optimizer, dtype, GRADS)
    expected = reference(START, GRADS, **optimizer.get_params())
    tolerance = {"rtol": 1e-9, "atol": 1e-10} if dtype == "float64" else {"rtol": 2e-4, "atol": 1e-5}
    for got_params, expected_params in zip(got, expected, strict=True):
        assert {leaf.dtype for leaf in jax.tree.leaves(got_params)} == {np.dtype(dtype)}
        jax.tree.map(functools.partial(assert_allclose, **tolerance), got_params, expected_params)
    moved = jax.tree.map(lambda first, last: np.abs(first - last).max(), START, expected[-1])
    assert min(jax.tree.leaves(moved)) > 1e-6


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "optimizer",
    [
        SAM(rho=0.5, base=SGD()),
        SAM(rho=0.05, base=SGD(momentum=0.9)),
        SAM(rho=2.0, base=SGD(momentum=0.9), adaptive=True),
        SAM(rho=0.5, base=SGD(), adaptive=True, eta=0.3),
    ],
)
def test_first_seven_steps_of_sam(optimizer, dtype):
    with jax.enable_x64(dtype == "float64"):
        got = path_of(optimizer, dtype)
    expected = sam(START, **optimizer.get_params(deep=False))
    tolerance = {"rtol": 1e-9, "atol": 1e-10} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-5}
    for got_params, expected_params in zip(got, expected, strict=True):
        jax.tree.map(functools.partial(assert_allclose, **tolerance), got_params, expected_params)


@pytest.mark.parametrize("optimizer", [ADOPT(), AdEMAMix(), Prodigy(), SAM(), SAM(adaptive=True, base=Adam()), SOAP()])
def test_state_keeps_its_form(optimizer):
    """A step keeps tree, shapes and dtypes of the state, so that a loop can carry it."""
    params = jax.tree.map(np.float32, START)
    state = optimizer.init(params)
    number = np.float32(0.1)
    after, updates = jax.eval_shape(
        lambda *arguments: optimizer.update(*arguments, valley), params, state, params, number, number
    )
    kind = functools.partial(jax.tree.map, lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)))
    assert kind(after) == kind(state)
    assert kind(updates) == kind(params)
