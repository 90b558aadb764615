"""Plots of edge functions."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from skdeep_kan.edges import EdgeFunctions, edge_functions

MAX_PANELS = 6


def plot_edges(
    estimator: Any,
    layer: int = 0,
    *,
    X: Any = None,
    inputs: Sequence[int | str] | None = None,
    outputs: Sequence[int | str] | None = None,
    figure: Any = None,
) -> Any:
    """Plot the learned functions of one KAN layer: one panel per edge, one column per input, one row per output.

    Each curve is plotted over the grid, minus its mean, since constants are not determined (see `EdgeFunctions.mean`). All
    panels of an output share the vertical axis. The smaller the `std` of an edge, the paler its curve. With X, the marks at
    the bottom are the deciles of the values that reach the layer, and a curve is dotted outside the range of these values.
    The caption gives the share of values outside the grid, if there are any: if it is large, scale the features or widen the
    grid.

    Parameters
    ----------
    estimator : DeepClassifier, DeepRegressor or Pipeline
        A fitted estimator, as for `edge_functions`.
    layer : int, default=0
        Index of the KAN layer, as for `edge_functions`.
    X : array (n, ...) or DataFrame, default=None
        Rows as for `predict`; recommended.
    inputs, outputs : sequence of int or str, default=None
        Positions or names to plot. By default the 6 with the largest `std`; inputs are sorted by it.
    figure : matplotlib Figure or SubFigure, default=None
        Figure to plot into. By default a new one, with a size that depends on the number of panels.

    Returns
    -------
    ndarray of Axes (outputs, inputs)
        The panels; their figure is `axes[0, 0].figure`.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If an input or output has no such name or position.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep_kan import plot_edges
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = DeepClassifier(network="kan", max_epochs=2, tol=None).fit(X, y)
    >>> axes = plot_edges(model, layer=-1, X=X)
    >>> axes.shape  # hidden values to classes
    (3, 6)
    """
    pyplot = _pyplot()
    edges = edge_functions(estimator, layer, X=X)
    columns = _chosen("inputs", inputs, edges.input_names, edges.std.max(axis=1))
    rows = _chosen("outputs", outputs, edges.output_names, edges.std.max(axis=0))
    if outputs is None:
        rows = sorted(rows)
    if figure is None:
        size = (1.0 + 1.6 * len(columns), 0.8 + 1.4 * len(rows))
        figure = pyplot.figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(columns), sharex="col", sharey="row", squeeze=False)
    strongest = max(edges.std[np.ix_(columns, rows)].max(), np.finfo(np.float64).tiny)
    for row, j in enumerate(rows):
        for column, i in enumerate(columns):
            _draw(axes[row, column], edges, i, j, edges.std[i, j] / strongest)
        axes[row, 0].set(ylabel=edges.output_names[j], ylim=_limits(edges, columns, j))
    for column, i in enumerate(columns):
        axes[0, column].set_title(edges.input_names[i], fontsize="medium")
    figure.supxlabel(_caption(edges, layer, columns, rows), fontsize="small")
    return axes


def _draw(axes: Any, edges: EdgeFunctions, i: int, j: int, share: float) -> None:
    """Plot one edge; `share` in [0, 1] is its `std` divided by the largest one of all panels."""
    curve, alpha = edges.y[i, j] - edges.mean[i, j], 0.25 + 0.75 * share
    axes.axhline(0.0, color="0.85", linewidth=0.8, zorder=0)
    axes.set_xlim(edges.x[0], edges.x[-1])
    axes.plot(edges.x, np.where(_is_seen(edges, i), curve, np.nan), color="C0", alpha=alpha, linewidth=2.0)
    if edges.seen is not None:
        axes.plot(edges.x, curve, color="C0", alpha=alpha, linewidth=1.0, linestyle=":")
        deciles = np.quantile(edges.seen[:, i], np.linspace(0.1, 0.9, 9))
        axes.plot(deciles, np.zeros(9), "|", color="0.3", markersize=8, transform=axes.get_xaxis_transform())


def _is_seen(edges: EdgeFunctions, i: int) -> np.ndarray:
    """Return a mask of the points within the range of the values of input i; all True without X."""
    if edges.seen is None:
        return np.ones(len(edges.x), bool)
    step = edges.x[1] - edges.x[0]  # one step of margin: a constant input is then within the range too
    is_seen: np.ndarray = (edges.x >= edges.seen[:, i].min() - step) & (edges.x <= edges.seen[:, i].max() + step)
    return is_seen


def _limits(edges: EdgeFunctions, columns: list[int], j: int) -> tuple[float, float]:
    """Return limits for all curves of one output within the range of the data, so that large tails do not flatten the rest."""
    curves = [(edges.y[i, j] - edges.mean[i, j])[_is_seen(edges, i)] for i in columns]
    values = np.concatenate([*curves, [0.0]])
    margin = 0.1 * max(np.ptp(values), np.finfo(np.float32).tiny)
    return float(values.min() - margin), float(values.max() + margin)


def _chosen(
    parameter: str, wanted: Sequence[int | str] | None, names: tuple[str, ...], strength: np.ndarray
) -> list[int]:
    """Return positions, given names or positions; by default those with the largest `strength`."""
    if wanted is None:
        return [int(i) for i in np.argsort(-strength, kind="stable")[:MAX_PANELS]]
    positions: list[int] = []
    for item in wanted:
        position = names.index(item) if item in names else item
        if not isinstance(position, Integral) or not 0 <= int(position) < len(names):
            raise ValueError(
                f"The {parameter!r} parameter of plot_edges must hold names or positions in [0, {len(names)}). "
                f"Got {item!r} instead. The names are {list(names)}."
            )
        positions.append(int(position))
    return positions


def _caption(edges: EdgeFunctions, layer: int, columns: list[int], rows: list[int]) -> str:
    """Return the caption: the layer, the numbers of edges shown, and the share of input values outside the grid."""
    caption, (n_inputs, n_outputs) = f"input of layer {layer}", edges.std.shape
    if (len(columns), len(rows)) != (n_inputs, n_outputs):
        caption += f" ({len(columns)} of {n_inputs} inputs, {len(rows)} of {n_outputs} outputs)"
    if edges.seen is not None:
        share = np.mean((edges.seen < edges.x[0]) | (edges.seen > edges.x[-1]))
        caption += f"; {share:.1%} of the values are outside the grid" if share >= 0.001 else ""
    return caption


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as pyplot
    except ImportError as err:
        raise ImportError(
            "plot_edges needs matplotlib. Install it, or install skdeep-kan with its extra 'plot'."
        ) from err
    return pyplot
