"""A reference for Kolmogorov-Arnold layers: a loop over edges with SciPy's B-splines, in float64."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import BSpline


def edge_by_scipy(layer, params, i, j, x):
    """Return the function of the edge from input i to output j at x; `layer` has the fields of the grid."""
    grid_size, degree = layer.grid_size, layer.degree
    knots = layer.lower + (layer.upper - layer.lower) / grid_size * np.arange(-degree, grid_size + degree + 1)
    spline = BSpline(knots, np.float64(params["coef"][i, :, j]), degree)
    silu = x / (1 + np.exp(-x))
    return params["base"][i, j] * silu + params["scale"][i, j] * spline(np.clip(x, layer.lower, layer.upper))


def layer_by_loop(layer, params, x):
    """Return, for each output, the sum over inputs of the edge functions, over the last axis of x."""
    n_in, n_out = params["base"].shape
    output = np.zeros((*x.shape[:-1], n_out))
    for i in range(n_in):
        for j in range(n_out):
            output[..., j] += edge_by_scipy(layer, params, i, j, x[..., i])
    return output
