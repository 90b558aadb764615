"""B-splines on a uniform grid, the basis of all edge functions."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import jax.numpy as jnp


def bspline_basis(x: Any, grid_size: int, degree: int, lower: Any, upper: Any, xp: Any = jnp) -> Any:
    r"""Return the values of all B-splines of a uniform grid at each x.

    The grid divides `[lower, upper]` into :math:`G` intervals of width :math:`h`. The knots continue for :math:`k` more
    intervals on either side; knots are not repeated. All splines are then shifts of one function,
    :math:`B_i(x) = M_k\big((x - l) / h - m_i\big)`, with the centres :math:`m_i = i + (1 - k) / 2` for
    :math:`i = 0 \dots G + k - 1`, and

    .. math:: M_k(s) = \frac{1}{k!} \sum_{j=0}^{\lfloor k/2 \rfloor} (-1)^j \binom{k+1}{j}
        \left(\tfrac{k+1}{2} - j - |s|\right)_+^k

    The splines sum to 1 inside the grid, fall to 0 over the :math:`k` intervals beside it, and are 0 beyond them. The sum over
    all :math:`k + 2` knots equals the Cox-de Boor recursion. Since :math:`M_k` is even, the sum over the half of the knots that
    is nearer to :math:`s` suffices. This is less work (two terms for cubic splines), and it avoids the cancellation between
    the terms of the other half. There are no branches on x or on the ends of the grid, so both may be traced.

    Parameters
    ----------
    x : array of floats (...)
        Points at which the splines are evaluated.
    grid_size : int
        Number of intervals G, at least 1.
    degree : int
        Degree k of the polynomial pieces, at least 1.
    lower, upper : float
        Ends of the grid.
    xp : module, default=jax.numpy
        The array module; with `numpy` the computation is on the host, in the dtype of x.

    Returns
    -------
    array (..., grid_size + degree)
        The value of each spline at each point; the splines are the last axis.

    Raises
    ------
    ValueError
        If `grid_size` or `degree` is not a positive int.

    References
    ----------
    Schoenberg, "Contributions to the Problem of Approximation of Equidistant Data by Analytic Functions",
    Quarterly of Applied Mathematics 4, 1946; de Boor, "A Practical Guide to Splines", 1978.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep_kan import bspline_basis
    >>> bspline_basis(np.array([0.0, 0.25, 9.0]), grid_size=2, degree=1, lower=0.0, upper=1.0, xp=np)
    array([[1. , 0. , 0. ],
           [0.5, 0.5, 0. ],
           [0. , 0. , 0. ]])
    """
    check_counts("parameter of bspline_basis", grid_size=grid_size, degree=degree)
    grid_size, degree = int(grid_size), int(degree)  # with NumPy's ints, the power below would be one of floats
    position = ((x - lower) * (grid_size / (upper - lower)))[..., None]
    middles = xp.arange(grid_size + degree, dtype=position.dtype) + (1 - degree) / 2
    distance = xp.abs(position - middles.reshape((1,) * x.ndim + (-1,)))
    basis = 0.0
    for j in range(degree // 2 + 1):
        factor = (-1) ** j * math.comb(degree + 1, j) / math.factorial(degree)
        basis = basis + factor * xp.maximum((degree + 1) / 2 - j - distance, 0.0) ** degree
    return basis


def check_counts(owner: str, **counts: Any) -> None:
    """Raise ValueError unless each named value is a positive int; `owner` is the owner in the message."""
    for name, value in counts.items():
        if not is_count(value):
            raise ValueError(f"The {name!r} {owner} must be an int in [1, inf). Got {value!r} instead.")


def is_count(value: Any) -> bool:
    """Tell whether a value is a positive int."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
