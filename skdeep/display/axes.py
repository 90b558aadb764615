"""The axes of displays, and their colours and markers. matplotlib is imported inside functions only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The colours of Okabe and Ito, which readers with a colour vision deficiency can tell apart."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One marker per colour, so that lines can be told apart in grey."""


def pyplot_for(caller: str) -> Any:
    """Return matplotlib.pyplot; raise ImportError with the name of the caller if matplotlib is not installed."""
    try:
        import matplotlib.pyplot as pyplot
    except ImportError as err:
        raise ImportError(
            f"{caller} requires matplotlib. Install it with the extra 'plot': pip install \"skdeep-flax[plot]\"."
        ) from err
    return pyplot


def panels(
    caller: str, ax: Any, n: int, *, n_columns: int = 1, size: tuple[float, float] = (6.4, 4.4), **shared: Any
) -> np.ndarray:
    """Return `n` Axes in one dimension.

    Parameters
    ----------
    caller : str
        Name of the method, for messages.
    ax : Axes, array-like of Axes or None
        None makes a new figure. One Axes is used itself if `n` is 1; otherwise the panels take its place. An array-like must
        hold `n` Axes.
    n : int
    n_columns : int, default=1
    size : tuple of float, default=(6.4, 4.4)
        Width and height of one panel of a new figure, in inches.
    **shared : bool or str
        `sharex` and `sharey` of new panels, as in `matplotlib.pyplot.subplots`.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If an array-like holds another number of Axes, or one Axes is in no grid, so that panels cannot take its place.
    """
    pyplot = pyplot_for(caller)
    if ax is not None and not hasattr(ax, "figure"):
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) != n:
            raise ValueError(
                f"The 'ax' parameter of {caller} must be one Axes or {n} of them. Got {len(given)} instead."
            )
        return given
    if ax is not None and n == 1:
        return np.array([ax], dtype=object)
    n_columns = min(n, n_columns)
    n_rows = math.ceil(n / n_columns)
    if ax is None:
        figsize = (size[0] * n_columns, size[1] * n_rows)
        _, grid = pyplot.subplots(n_rows, n_columns, figsize=figsize, layout="constrained", squeeze=False, **shared)
    else:
        grid = _grid_inside(caller, ax, n).subgridspec(n_rows, n_columns).subplots(squeeze=False, **shared)
    return _without_rest(grid, n)


def _grid_inside(caller: str, ax: Any, n: int) -> Any:
    """Hide the Axes, and return the part of the figure where it was."""
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError(
            f"The 'ax' parameter of {caller} is an Axes outside of any grid, but the plot needs {n} panels. Make it with "
            f"plt.subplots, or give {n} Axes."
        )
    ax.set_axis_off()
    return spec


def _without_rest(grid: np.ndarray, n: int) -> np.ndarray:
    """Remove the cells of a grid after the first `n`, and show the x ticks of the cells above them."""
    axes, n_columns = grid.ravel(), grid.shape[1]
    for k in range(n, len(axes)):
        axes[k].remove()
        axes[k - n_columns].xaxis.set_tick_params(which="both", labelbottom=True)
    kept: np.ndarray = axes[:n]
    return kept


def label_outer(axes: np.ndarray, xlabel: str, ylabel: str) -> None:
    """Label the horizontal axes of the lowest panels and the vertical axes of the panels on the left."""
    for panel in axes:
        spec = panel.get_subplotspec()
        if spec is None or spec.is_first_col():
            panel.set_ylabel(ylabel)
        if not any(_is_below(other.get_subplotspec(), spec) for other in axes):
            panel.set_xlabel(xlabel)


def _is_below(other: Any, spec: Any) -> bool:
    """Return True if a cell is in the same grid and column as another one, and below it."""
    if other is None or spec is None or other.get_gridspec() is not spec.get_gridspec():
        return False
    return bool(other.colspan.start == spec.colspan.start and other.rowspan.start > spec.rowspan.start)


def place_legend(ax: Any, *, is_outside: bool, handles: list[Any] | None = None) -> None:
    """Add a legend, inside the axes or to the right of them; by default of all labelled artists."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False} if is_outside else {}
    known = {} if handles is None else {"handles": handles}
    ax.legend(fontsize="small", handlelength=2.8, **known, **place)


def log_helps(values: Any) -> bool:
    """Return True if a log axis shows positive values better: they span a factor of 10 or more, and most are small.

    Most are small if their median is at most half of the middle of their range. Two values only have to span the factor.
    """
    distinct = np.unique(np.asarray(values, dtype=np.float64))
    if len(distinct) < 2 or distinct[0] <= 0 or distinct[-1] < 10 * distinct[0]:
        return False
    return len(distinct) == 2 or bool(np.median(distinct) <= (distinct[0] + distinct[-1]) / 4)
