"""A display of losses at increasing learning rates."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skdeep.display.axes import COLOURS, panels


class LearningRateDisplay:
    """The loss against the learning rate, on a log axis, with the suggested learning rate.

    The vertical axis ends a little above the largest loss at rates up to that of the smallest loss, so that the losses of a
    diverged training do not flatten the rest. Losses that are NaN or infinite are gaps.

    Parameters
    ----------
    learning_rates : array-like (n,)
        Positive and increasing.
    losses : array-like (n,)
        The loss at each learning rate.
    suggestion : float or None, default=None
        The suggested learning rate.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The losses.
    suggestion_line_ : matplotlib Line2D or None
        The vertical line at the suggestion.

    Raises
    ------
    ValueError
        If the arrays do not have one dimension and the same length of 2 or more, the learning rates are not positive and
        increasing, no loss is finite, or the suggestion is not positive.

    References
    ----------
    Smith, "Cyclical Learning Rates for Training Neural Networks", section 3.3, arXiv 1506.01186.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skdeep.display import LearningRateDisplay
    >>> display = LearningRateDisplay([1e-4, 1e-3, 1e-2, 1e-1], [2.3, 2.0, 1.2, 5.0], suggestion=3e-3).plot()
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(self, learning_rates: ArrayLike, losses: ArrayLike, suggestion: float | None = None) -> None:
        self.learning_rates, self.losses = np.asarray(learning_rates, float), np.asarray(losses, float)
        self.suggestion = suggestion
        self._check()

    def plot(self, ax: Any = None, *, line_kw: dict[str, Any] | None = None) -> Self:
        """Draw the losses.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; by default those of a new figure.
        line_kw : dict, default=None
            Arguments of matplotlib's `plot` for the losses.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = panels("LearningRateDisplay.plot", ax, 1)[0]
        losses = np.where(np.isfinite(self.losses), self.losses, np.nan)
        style = {"color": COLOURS[0], "linewidth": 1.8, **(line_kw or {})}
        (self.line_,) = ax.plot(self.learning_rates, losses, **style)
        self.suggestion_line_ = None
        if self.suggestion is not None:
            label = f"suggestion: {self.suggestion:.2g}"
            self.suggestion_line_ = ax.axvline(self.suggestion, color=COLOURS[1], linestyle="--", label=label)
            ax.legend()
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=_limits(losses))
        ax.grid(alpha=0.3)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _check(self) -> None:
        rates, losses = self.learning_rates, self.losses
        if rates.ndim != 1 or rates.shape != losses.shape or len(rates) < 2:
            raise ValueError(
                "learning_rates and losses of LearningRateDisplay must have one dimension and the same length, at least 2. "
                f"Got shapes {rates.shape} and {losses.shape} instead."
            )
        if not (np.isfinite(rates).all() and rates[0] > 0 and (np.diff(rates) > 0).all()):
            raise ValueError("learning_rates of LearningRateDisplay must be positive, finite and increasing.")
        if not np.isfinite(losses).any():
            raise ValueError("losses of LearningRateDisplay has no finite value. Begin at a smaller learning rate.")
        if self.suggestion is not None and not self.suggestion > 0:
            raise ValueError(
                f"The 'suggestion' parameter of LearningRateDisplay must be positive. Got {self.suggestion!r} instead."
            )


def _limits(losses: np.ndarray) -> tuple[float, float]:
    """Return the limits of the vertical axis: all losses up to the smallest one, with margins."""
    lowest = int(np.nanargmin(losses))
    smallest, largest = losses[lowest], np.nanmax(losses[: lowest + 1])
    span = largest - smallest or np.nanmax(losses) - smallest or max(abs(smallest), 1.0)
    return float(smallest - 0.08 * span), float(smallest + 1.25 * span)
