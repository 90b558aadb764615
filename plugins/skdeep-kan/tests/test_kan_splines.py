"""The basis against SciPy's B-splines, which use de Boor's recursion on given knots, in float64."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import BSpline
from skdeep_kan import bspline_basis

GRIDS = [  # grid_size, degree, lower, upper
    (1, 1, 0.0, 1.0),
    (1, 3, -1.0, 1.0),
    (2, 2, -1.5, 2.25),
    (5, 3, -3.0, 3.0),
    (8, 1, -3.0, 3.0),
    (7, 4, 10.0, 11.0),
    (20, 5, -3.0, 3.0),
    (3, 7, -2.0, 0.5),
]


def knots_of(grid_size, degree, lower, upper):
    width = (upper - lower) / grid_size
    return lower + width * np.arange(-degree, grid_size + degree + 1)


def scipy_basis(x, grid_size, degree, lower, upper, order=0):
    """Return the value of each spline by SciPy, from its own knots; zero outside them."""
    knots = knots_of(grid_size, degree, lower, upper)
    columns = []
    for i in range(grid_size + degree):
        spline = BSpline.basis_element(knots[i : i + degree + 2], extrapolate=False)
        columns.append(np.nan_to_num(spline(x, nu=order)))
    return np.stack(columns, axis=-1)


def points_of(grid):
    """Return points inside the grid, at the knots, in the extension beside the grid, and beyond it."""
    knots = knots_of(*grid)
    span = knots[-1] - knots[0]
    inside = np.random.default_rng(0).uniform(knots[0], knots[-1], 200)
    return np.concatenate([inside, knots, [knots[0] - span, knots[-1] + span, knots[0] - 1e6, knots[-1] + 1e6]])


@pytest.mark.parametrize("grid", GRIDS)
def test_values_equal_scipys(grid):
    x = points_of(grid)
    np.testing.assert_allclose(bspline_basis(x, *grid, xp=np), scipy_basis(x, *grid), rtol=0, atol=1e-12)


@pytest.mark.parametrize("grid", GRIDS[::3])
def test_float32_in_a_program_with_traced_limits(grid):
    grid_size, degree, lower, upper = grid
    x = np.float32(points_of(grid)[:-2])
    basis = jax.jit(lambda x, lower, upper: bspline_basis(x, grid_size, degree, lower, upper))
    values = basis(x, jnp.float32(lower), jnp.float32(upper))
    assert values.dtype == np.float32
    # Rounding of x limits the precision of the position in the grid, here to 11 / 2**23 in intervals of 1 / 7.
    np.testing.assert_allclose(values, scipy_basis(np.float64(x), *grid), rtol=0, atol=5e-5)


@pytest.mark.parametrize("grid", [(2, 2, -1.5, 2.25), (5, 3, -3.0, 3.0), (20, 5, -3.0, 3.0)])
def test_derivatives_equal_scipys(grid):
    knots = knots_of(*grid)
    x = np.random.default_rng(0).uniform(knots[0], knots[-1], 200)
    with jax.enable_x64(True):
        slope = jax.jit(lambda x: jax.jvp(lambda x: bspline_basis(x, *grid), (x,), (jnp.ones_like(x),))[1])(x)
    assert slope.dtype == np.float64
    np.testing.assert_allclose(slope, scipy_basis(x, *grid, order=1), rtol=0, atol=1e-11)


@pytest.mark.parametrize("degree", [2, 3])
def test_derivatives_at_and_beyond_knots_equal_those_from_both_sides(degree):
    grid = (4, degree, -1.0, 1.0)
    knots = knots_of(*grid)
    x = np.concatenate([knots, [knots[0] - 3.0, knots[-1] + 3.0]])
    with jax.enable_x64(True):
        slope = jax.jit(lambda x: jax.jvp(lambda x: bspline_basis(x, *grid), (x,), (jnp.ones_like(x),))[1])(x)
    for side in (-1e-9, 1e-9):
        np.testing.assert_allclose(slope, scipy_basis(x + side, *grid, order=1), rtol=0, atol=1e-7)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_splines_sum_to_one_on_the_grid_and_fall_to_zero_beside_it(grid):
    _, _, lower, upper = grid
    total = bspline_basis(np.linspace(lower, upper, 101), *grid, xp=np).sum(axis=-1)
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    knots = knots_of(*grid)
    beside = bspline_basis(np.linspace(upper, knots[-1], 50)[1:], *grid, xp=np).sum(axis=-1)
    assert (np.diff(beside) < 0).all()
    assert beside[-1] == pytest.approx(0.0, abs=1e-12)


def test_axes_are_kept_and_splines_come_last():
    x = np.linspace(-3, 3, 24).reshape(2, 3, 4)
    basis = bspline_basis(x, 5, 3, -3.0, 3.0, xp=np)
    assert basis.shape == (2, 3, 4, 8)
    np.testing.assert_array_equal(basis[1, 2], bspline_basis(x[1, 2], 5, 3, -3.0, 3.0, xp=np))


def test_numpy_ints_are_accepted():
    x = np.linspace(-4, 4, 9)
    with_numpy = bspline_basis(x, np.int64(4), np.int32(2), -3.0, 3.0, xp=np)
    np.testing.assert_array_equal(with_numpy, bspline_basis(x, 4, 2, -3.0, 3.0, xp=np))


@pytest.mark.parametrize(
    ("grid_size", "degree", "message"),
    [
        (0, 3, "The 'grid_size' parameter of bspline_basis must be an int in [1, inf). Got 0 instead."),
        (5, 0, "The 'degree' parameter of bspline_basis must be an int in [1, inf). Got 0 instead."),
        (5, 2.0, "The 'degree' parameter of bspline_basis must be an int in [1, inf). Got 2.0 instead."),
        (True, 3, "The 'grid_size' parameter of bspline_basis must be an int in [1, inf). Got True instead."),
    ],
)
def test_bad_counts(grid_size, degree, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        bspline_basis(np.zeros(1), grid_size, degree, -1.0, 1.0, xp=np)
