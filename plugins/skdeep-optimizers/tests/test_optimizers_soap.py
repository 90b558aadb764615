"""SOAP: its steps do not depend on a rotation of the axes, and without rotations it is AdamW."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skdeep_optimizers import SOAP
from skdeep_optimizers.eigenbasis import refreshed, rotate, rotate_back, rotated_axes

from skdeep.optimizers import Adam, AdamW

RNG = np.random.default_rng(0)
OPTIMUM, START = RNG.normal(size=(2, 6, 5))
CURVATURE = RNG.uniform(0.1, 3.0, size=(6, 5))


def orthogonal(size):
    return np.linalg.qr(RNG.normal(size=(size, size)))[0]


LEFT, RIGHT = orthogonal(6), orthogonal(5)


def objective(kernel):
    return jnp.sum(CURVATURE * jnp.log(jnp.cosh(kernel - OPTIMUM)))


def path_of(optimizer, objective, start, n_steps=25):
    def body(carry, _):
        state, params = carry
        value, grad = jax.value_and_grad(objective)(params)
        state, updates = optimizer.update(grad, state, params, 0.1, value, objective)
        return (state, params + updates), params + updates

    return np.asarray(jax.lax.scan(body, (optimizer.init(start), start), length=n_steps)[1])


def rotated_difference(optimizer):
    """Return the largest distance between the path on a problem with rotated axes and the rotated path."""
    with jax.enable_x64(True):
        path = path_of(optimizer, objective, jnp.asarray(START))
        turned = path_of(
            optimizer, lambda kernel: objective(LEFT @ kernel @ RIGHT.T), jnp.asarray(LEFT.T @ START @ RIGHT)
        )
    return np.abs(LEFT @ turned @ RIGHT.T - path).max()


def test_rotating_the_axes_of_a_problem_rotates_the_path():
    """SOAP does not depend on the axes of a kernel; Adam does."""
    assert rotated_difference(SOAP(precondition_every=3, b2=0.9, shampoo_decay=0.8)) < 1e-6
    assert rotated_difference(Adam()) > 0.1


def test_without_rotations_it_is_adamw_from_the_second_gradient_on():
    grads = RNG.normal(size=(6, 6, 5)).astype(np.float32)
    soap = SOAP(b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.2, max_precondition_size=1)
    adamw = AdamW(b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.2)
    params = {"kernel": START.astype(np.float32)}
    soap_state, adamw_state = soap.init(params), adamw.init(params)
    step = jax.jit(lambda optimizer, state, grad: optimizer.update({"kernel": grad}, state, params, 0.1, 0.0, None))
    soap_state, got = step(soap, soap_state, grads[0])
    assert_array_equal(got["kernel"], np.zeros((6, 5)))
    for grad in grads[1:]:
        soap_state, got = step(soap, soap_state, grad)
        adamw_state, expected = step(adamw, adamw_state, grad)
        assert_allclose(got["kernel"], expected["kernel"], rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "max_size", "expected"),
    [
        ((), 8, ()),
        ((4,), 8, (False,)),
        ((4, 8), 8, (True, True)),
        ((9, 8), 8, (False, True)),
        ((9, 9), 8, (False, False)),
        ((4, 1), 8, (True, False)),
        ((3, 3, 1, 9), 8, (True, True, False, False)),
        ((4, 8), 1, (False, False)),
    ],
)
def test_rotated_axes(shape, max_size, expected):
    assert rotated_axes(shape, max_size) == expected
    state = SOAP(max_precondition_size=max_size).init({"kernel": np.zeros(shape, np.float32)})
    sizes = tuple(size for size, is_rotated in zip(shape, expected, strict=True) if is_rotated)
    assert [f.shape for f in jax.tree.leaves(state.factors)] == [(size, size) for size in sizes]
    assert jax.tree.structure(state.factors) == jax.tree.structure(state.bases)


def test_refreshing_converges_to_sorted_eigenvectors():
    eigenvalues = np.array([0.1, 4.0, 1.0, 0.3])
    vectors = orthogonal(4)
    factor = jnp.asarray(vectors * eigenvalues @ vectors.T, jnp.float32)
    bases = (jnp.eye(4),)
    for _ in range(40):
        bases, squares = refreshed((factor,), bases, jnp.arange(4.0))
    turned = bases[0].T @ factor @ bases[0]
    assert_allclose(turned, np.diag([4.0, 1.0, 0.3, 0.1]), atol=1e-5)
    assert_array_equal(squares, np.arange(4.0))


def test_refreshing_reorders_the_squares():
    """Columns in the wrong order are sorted, and so are the mean squares of their coordinates."""
    factor = jnp.diag(jnp.array([1.0, 3.0, 2.0]))
    squares = jnp.arange(6.0).reshape(3, 2)
    (basis, other), moved = refreshed((factor, None), (jnp.eye(3), None), squares)
    assert other is None
    assert_allclose(np.abs(basis), np.eye(3)[:, [1, 2, 0]], atol=1e-6)
    assert_array_equal(moved, squares[jnp.array([1, 2, 0])])


def test_rotating_back_undoes_rotating():
    x = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    bases = (jnp.asarray(orthogonal(2), jnp.float32), None, jnp.asarray(orthogonal(4), jnp.float32))
    rotated = rotate(x, bases)
    assert_allclose(rotated, np.einsum("ai,abc,ck->ibk", bases[0], x, bases[2]), rtol=1e-4, atol=1e-6)
    assert_allclose(rotate_back(rotated, bases), x, rtol=1e-4, atol=1e-6)


def test_gradients_of_zero_change_nothing():
    optimizer, params = SOAP(precondition_every=1), {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)}
    zero, state = jax.tree.map(jnp.zeros_like, params), optimizer.init(params)
    update = jax.jit(lambda state: optimizer.update(zero, state, params, 0.1, 0.0, None))
    for _ in range(4):
        state, updates = update(state)
        jax.tree.map(assert_array_equal, updates, zero)
    for basis in jax.tree.leaves(state.bases):
        assert_allclose(basis.T @ basis, np.eye(len(basis)), atol=1e-6)
