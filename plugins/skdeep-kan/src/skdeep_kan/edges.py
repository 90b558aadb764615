"""The learned edge functions of a fitted network as arrays, for any network that contains KAN layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline

from skdeep_kan.found import FoundLayer, find_layer, split_pipeline, values_seen
from skdeep_kan.splines import bspline_basis


class EdgeFunctions(NamedTuple):
    """The functions of one layer's edges.

    Attributes
    ----------
    x : ndarray (points,)
        The points at which the functions are evaluated, in the units of the layer's input.
    y : ndarray (inputs, outputs, points)
        The function of each edge at x.
    mean, std : ndarray (inputs, outputs)
        Mean and standard deviation of each function over the rows of X, or over x if no X was given. `std` measures
        the importance of an edge. `mean` does not, since adding a constant to one edge of an output and subtracting it
        from another one leaves the output unchanged.
    input_names, output_names : tuple of str
        The names of features if the layer reads the rows, and of classes or targets if it returns the raw outputs; else
        `"h0"`, `"h1"` and so on.
    seen : ndarray (rows, inputs) or None
        The values that reach the layer for the rows of X.
    """

    x: np.ndarray
    y: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    seen: np.ndarray | None


def edge_functions(estimator: Any, layer: int = 0, *, X: Any = None, points: Any = 101) -> EdgeFunctions:
    """Return the learned functions of one KAN layer, computed in float64.

    Each output of the layer is the sum of these functions over its inputs. The raw output of a network with a single
    layer is thus that sum, which `DeepRegressor.predict` then converts to the scale of y.

    Parameters
    ----------
    estimator : DeepClassifier, DeepRegressor or Pipeline
        A fitted estimator; a Pipeline must end in one of the other two.
    layer : int, default=0
        Index of the KAN layer, in the order of application; -1 is the last one.
    X : array (n, ...) or DataFrame, default=None
        Rows as for `predict`, from which the values that reach the layer are computed. A few hundred rows suffice.
    points : int or array (points,), default=101
        Number of evenly spaced points from `lower` to `upper` of the layer, or the points themselves.

    Returns
    -------
    EdgeFunctions

    Raises
    ------
    TypeError
        If the estimator is not one of the types above, or its network is not a linen module.
    ValueError
        If the network has no KAN layer, or `layer` is out of range.
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import DeepRegressor
    >>> from skdeep_kan import KAN, edge_functions
    >>> X = np.random.default_rng(0).uniform(-2, 2, size=(400, 2))
    >>> y = np.sin(2 * X[:, 0]) + X[:, 1] ** 2
    >>> model = DeepRegressor(network=KAN(widths=()), learning_rate=0.05, max_epochs=100, tol=None, random_state=0)
    >>> edges = edge_functions(model.fit(X, y), points=[-1.0, 0.0, 1.0])
    >>> edges.y.shape
    (2, 1, 3)
    >>> parabola = (edges.y[1, 0] - edges.y[1, 0, 1]) * y.std()  # y is standardised for training
    >>> bool(np.allclose(parabola, [1, 0, 1], atol=0.1))
    True
    """
    model, steps = split_pipeline(estimator)
    found = find_layer(model, layer)
    lower, upper = float(found.module.lower), float(found.module.upper)
    x = np.linspace(lower, upper, points) if np.ndim(points) == 0 else np.asarray(points, np.float64)
    y = np.stack([_curves(found, i, x) for i in range(found.n_inputs)])
    seen = None if X is None else values_seen(model, steps, layer, X)
    at = np.broadcast_to(x[:, None], (len(x), found.n_inputs)) if seen is None else seen
    values = [_curves(found, i, at[:, i]) for i in range(found.n_inputs)]
    mean, std = (np.stack([reduce(v, axis=1) for v in values]) for reduce in (np.mean, np.std))
    return EdgeFunctions(x, y, mean, std, _input_names(found, model, steps), _output_names(found, model), seen)


def _curves(found: FoundLayer, i: int, x: np.ndarray) -> np.ndarray:
    """Return the functions of the edges that leave input i, `(outputs, points)`."""
    module = found.module
    base, scale, coef = (np.asarray(found.params[name][i], np.float64) for name in ("base", "scale", "coef"))
    lower, upper = float(module.lower), float(module.upper)
    basis = bspline_basis(np.clip(x, lower, upper), module.grid_size, module.degree, lower, upper, xp=np)
    silu = x * np.exp(-np.logaddexp(0.0, -x))
    curves: np.ndarray = np.outer(base, silu) + (basis @ (scale * coef)).T
    return curves


def _input_names(found: FoundLayer, model: Any, steps: Pipeline | None) -> tuple[str, ...]:
    if not found.takes_rows:
        return tuple(f"h{i}" for i in range(found.n_inputs))
    names = getattr(model, "feature_names_in_", None)
    if names is None and steps is not None:
        try:
            names = steps.get_feature_names_out()
        except (AttributeError, ValueError):  # a step has no names for its output features
            names = None
    if names is None or len(names) != found.n_inputs:
        names = [f"x{i}" for i in range(found.n_inputs)]
    return tuple(map(str, names))


def _output_names(found: FoundLayer, model: Any) -> tuple[str, ...]:
    n = int(found.params["base"].shape[1])
    if not found.makes_raw:
        return tuple(f"h{j}" for j in range(n))
    classes = getattr(model, "classes_", ())
    if len(classes) == 2 and n == 1:  # one raw output: the log odds of the second class
        classes = classes[1:]
    if len(classes) == n:
        return tuple(map(str, classes))
    return ("y",) if n == 1 else tuple(f"y{j}" for j in range(n))
