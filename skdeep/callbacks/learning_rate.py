"""The range test of learning rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from skdeep.callbacks.metrics import is_number

if TYPE_CHECKING:
    from skdeep.display import LearningRateDisplay

_SMOOTHED_SHARE = 0.03  # the width of the smoothing, as a share of the steps
_LAST = 5  # the number of last losses whose mean shows divergence


@dataclass(frozen=True, eq=False)
class LearningRateCurve:
    """The losses of a training whose learning rate grows at each step; `find_learning_rate` returns it.

    Attributes
    ----------
    learning_rates_ : ndarray of shape (n_steps,)
        The learning rate of each step that was done.
    losses_ : ndarray of shape (n_steps,)
        The weighted mean loss of the batch of each step, without penalties.
    smoothed_losses_ : ndarray of shape (n_steps,)
        Weighted means of neighbouring losses; the weights are those of a normal distribution, with a standard deviation of 3% of the steps.
        Losses above the limit of divergence count as this limit, so that the last ones do not hide those before them.
    suggestion_ : float
        The learning rate at which the smoothed loss falls fastest against the logarithm of the rate, among those before its lowest
        value. NaN if the smoothed loss never falls.
    """

    learning_rates_: np.ndarray
    losses_: np.ndarray
    smoothed_losses_: np.ndarray
    suggestion_: float

    def plot(self, ax: Any = None) -> LearningRateDisplay:
        """Draw the smoothed losses against the learning rates, the losses of the batches, and the suggestion.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            None makes a new figure. Needs matplotlib (extra `plot`).

        Returns
        -------
        skdeep.display.LearningRateDisplay
            It has the attributes `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If the training diverged before its second step.
        """
        from skdeep.display import LearningRateDisplay

        suggestion = None if math.isnan(self.suggestion_) else self.suggestion_
        display = LearningRateDisplay(self.learning_rates_, self.smoothed_losses_, suggestion)
        display.plot(ax, line_kw={"label": "smoothed", "zorder": 3})
        ax = display.ax_
        ax.plot(self.learning_rates_, self.losses_, ".", color="0.7", markersize=4, label="loss of a batch")
        ax.set_ylabel("training loss")
        ax.legend()
        return display


def find_learning_rate(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    start: float = 1e-6,
    stop: float = 1.0,
    n_steps: int = 100,
) -> LearningRateCurve:
    """Train for some steps with growing learning rates, and suggest a rate by the losses (the range test).

    The rate of step i is `start * (stop / start) ** (i / (n_steps - 1))`. While it is too small, the loss hardly changes; then the loss falls;
    then it rises, as training diverges. The suggestion is the rate at which it falls fastest. All rates share one compiled program.

    The test ends early if training diverges: if a loss is not finite, or if the mean of the last 5 losses is above
    `low + 3 * max(|low|, first - low)`, where `low` is the lowest such mean and `first` the first one. The test is that of Smith [1]_
    with exponential steps and a suggestion as in fastai. Unlike there, the losses are smoothed with neighbours on both sides, so that
    the curve does not lag behind, and the limit of divergence also serves losses that can be negative.

    Parameters
    ----------
    estimator : DeepClassifier, DeepRegressor, TabularClassifier, TabularRegressor, or a Pipeline that ends with one of them
        Its parameters, but for `learning_rate` and `schedule`, are those of the test. It does not change: a clone is trained, from new
        parameters. Members of an ensemble share one test. With `early_stopping=True`, the test trains on the rows that `fit` would
        train on. The other steps of a pipeline are fitted and transform X before the test.
    X, y : as in `fit`
    sample_weight : array-like of shape (n_samples,) or None, default=None
    start, stop : float, default=(1e-6, 1.0)
        The first and the last learning rate; 0 < start < stop.
    n_steps : int, default=100
        The number of steps, at least 10. If there are more than an epoch has, the test goes through the rows again.

    Returns
    -------
    LearningRateCurve

    Raises
    ------
    TypeError
        If the estimator is none of those above.
    ValueError
        If a parameter is invalid, or the optimizer does not use the learning rate, as L-BFGS does not.

    References
    ----------
    .. [1] Smith, "Cyclical Learning Rates for Training Neural Networks", 2015, arXiv 1506.01186.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import DeepClassifier
    >>> from skdeep.callbacks import find_learning_rate
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(batch_size=32, random_state=0)
    >>> curve = find_learning_rate(model, X, y)
    >>> bool(1e-6 < curve.suggestion_ < 1)
    True
    >>> model = model.set_params(learning_rate=curve.suggestion_)
    """
    from skdeep.estimators.range_test import losses_at_rates  # loads JAX, which callbacks do not need
    from skdeep.estimators.training import FitData

    _check(start, stop, n_steps)

    rates, losses = losses_at_rates(
        estimator, FitData(X, y, sample_weight), float(start), float(stop), int(n_steps), has_diverged
    )
    is_finite = np.isfinite(losses)
    rates, losses = rates[is_finite], losses[is_finite]
    smoothed = smooth(np.minimum(losses, limit_of(losses)), _SMOOTHED_SHARE * n_steps)
    return LearningRateCurve(rates, losses, smoothed, steepest(rates, smoothed))


def has_diverged(losses: list[float]) -> bool:
    """Return True if the last of these losses show that training diverges.

    Examples
    --------
    >>> from skdeep.callbacks.learning_rate import has_diverged
    >>> has_diverged([2.0] * 5 + [1.0] * 5), has_diverged([2.0] * 5 + [1.0] * 5 + [9.0] * 5)
    (False, True)
    """
    if not math.isfinite(losses[-1]):
        return True
    return len(losses) >= _LAST and bool(_means(losses)[-1] > limit_of(losses))


def limit_of(losses: Any) -> float:
    """Return the mean of 5 consecutive losses above which training diverges; infinity if there are fewer losses."""
    if len(losses) < _LAST:
        return math.inf
    means = _means(losses)
    low = means.min()
    return float(low + 3 * max(abs(low), means[0] - low))


def _means(losses: Any) -> np.ndarray:
    return np.convolve(losses, np.full(_LAST, 1 / _LAST), "valid")


def smooth(losses: np.ndarray, width: float) -> np.ndarray:
    """Return means of neighbouring losses, with the weights of a normal distribution of this standard deviation, in steps."""
    steps = np.arange(len(losses))
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / width) ** 2)
    return np.asarray(weights @ losses / weights.sum(axis=1))


def steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return the rate at which losses fall fastest against its logarithm, up to the lowest loss; NaN if they never fall.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.callbacks.learning_rate import steepest
    >>> float(steepest(np.array([0.001, 0.01, 0.1, 1.0, 10.0]), np.array([5.0, 4.9, 3.0, 1.0, 7.0])))
    0.1
    """
    lowest = int(np.argmin(losses)) if len(losses) else 0
    if lowest == 0:
        return math.nan
    slopes = np.gradient(losses, np.log(rates))
    return float(rates[np.argmin(slopes[: lowest + 1])])


def _check(start: Any, stop: Any, n_steps: Any) -> None:
    if not (is_number(start) and is_number(stop) and 0 < start < stop):
        raise ValueError(
            f"The start and stop of find_learning_rate must be numbers with 0 < start < stop. Got {start!r} and {stop!r} instead."
        )
    if not isinstance(n_steps, Integral) or isinstance(n_steps, bool) or n_steps < 10:
        raise ValueError(f"The n_steps of find_learning_rate must be an int >= 10. Got {n_steps!r} instead.")
