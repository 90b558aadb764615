"""The scale of the numeric columns of a table: statistics of the training rows, and the transform by them, in float64."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri

Scaling: TypeAlias = Literal["standard", "robust", "quantile"]

# Larger numbers, infinities too, end at the ends of the smooth clip.
_LARGEST = 1e100
_CLIP = 3.0
# The quantile transform leaves out the ends of the normal distribution, as scikit-learn's does.
_TAIL = 1e-7
_FEWEST_QUANTILES, _MOST_QUANTILES, _ROWS_PER_QUANTILE = 10, 1000, 30


@dataclasses.dataclass(frozen=True)
class NumericScale:
    """The scale of numeric columns. A missing value becomes `fill`.

    Parameters
    ----------
    method : {"standard", "robust", "quantile"} or None
        None leaves numbers as they are, except for those where `factor` is not 1.
    center, factor : ndarray (columns,)
        Numbers x become `factor (x - center)`.
    fill : ndarray (columns,)
        In units of the result.
    quantiles : ndarray (q, columns) or None, default=None
        For "quantile": the quantiles of each column at even steps from 0 to 1.
    """

    method: Scaling | None
    center: Float[np.ndarray, " columns"]
    factor: Float[np.ndarray, " columns"]
    fill: Float[np.ndarray, " columns"]
    quantiles: Float[np.ndarray, "q columns"] | None = None

    def __call__(self, x: Float[np.ndarray, "n columns"]) -> Float[np.ndarray, "n columns"]:
        """Return scaled numbers in float64."""
        x = np.asarray(x, np.float64)
        if self.quantiles is not None:
            z = np.empty_like(x)
            for j in range(x.shape[1]):
                z[:, j] = _normal_scores(x[:, j], self.quantiles[:, j])
        elif self.method == "robust":
            z = smooth_clip(self.factor * (np.clip(x, -_LARGEST, _LARGEST) - self.center))
        else:
            z = self.factor * (x - self.center)
        return np.where(np.isnan(z), self.fill, z)


def smooth_clip(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return `z / sqrt(1 + (z / 3)^2)`, which is between -3 and 3.

    References
    ----------
    Holzmüller et al., arXiv 2407.04491.
    """
    return z / np.hypot(1.0, z / _CLIP)


def fit_scale(
    method: Scaling | None,
    x: Float[np.ndarray, "n columns"],
    weight: Float[np.ndarray, " n"],
    is_derived: Bool[np.ndarray, " columns"],
) -> NumericScale:
    """Return the scale of columns, learned from rows with weights. Missing and infinite values are ignored.

    Parameters
    ----------
    method : {"standard", "robust", "quantile"} or None
        - "standard": subtract the mean and divide by the standard deviation.
        - "robust": subtract the median, divide by the distance of the quartiles (by half of the range if that is 0), and apply
          `smooth_clip`.
        - "quantile": map the quantiles to those of the standard normal distribution.
        - None: leave the numbers as they are, and standardise the columns that are derived from dates.
    x : ndarray (n, columns)
    weight : ndarray (n,)
        Non-negative. A weight of 2 counts as a row given twice.
    is_derived : ndarray (columns,)
        The columns that were made from dates.

    Returns
    -------
    NumericScale
    """
    n = x.shape[1]
    center, factor, fill = np.zeros(n), np.ones(n), np.zeros(n)
    levels = np.linspace(0, 1, _n_quantiles(int((weight > 0).sum())))
    quantiles = np.zeros((len(levels), n))
    for j in range(n):
        column = np.asarray(x[:, j], np.float64)
        known = np.isfinite(column) & (weight > 0)
        values, w = column[known], weight[known]
        if not len(values):
            continue
        if method == "robust":
            center[j], factor[j] = _robust(values, w)
        elif method == "quantile":
            quantiles[:, j] = weighted_quantiles(values, w, levels)
            fill[j] = np.average(_normal_scores(values, quantiles[:, j]), weights=w)
        elif method == "standard" or is_derived[j]:
            center[j], factor[j] = _standard(values, w)
        else:
            fill[j] = np.average(values, weights=w)
    return NumericScale(method, center, factor, fill, quantiles if method == "quantile" else None)


def weighted_quantiles(
    values: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"], levels: Float[np.ndarray, " q"]
) -> Float[np.ndarray, " q"]:
    """Return quantiles with linear interpolation, where a weight of 2 counts as a value given twice.

    Only ratios of weights matter: the smallest weight counts as one value. With equal weights, this is `numpy.quantile`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.tables.scaling import weighted_quantiles
    >>> weighted_quantiles(np.array([1.0, 5.0]), np.array([3.0, 1.0]), np.array([0.5, 1.0])).tolist()
    [1.0, 5.0]
    """
    if (weight == weight[0]).all():
        return np.quantile(values, levels)
    order = np.argsort(values, kind="stable")
    count = weight[order] / weight.min()
    last = np.cumsum(count) - 1  # the positions of a value among the repeated values, from first to last
    first = np.concatenate([[0.0], last[:-1] + 1])
    place = np.stack([first, last], axis=1).ravel()
    return np.interp(levels * last[-1], place, np.repeat(values[order], 2))


def _robust(values: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]) -> tuple[float, float]:
    low, quartile, median, third, high = weighted_quantiles(values, weight, np.array([0, 0.25, 0.5, 0.75, 1]))
    if third > quartile:
        return median, 1 / (third - quartile)
    return median, 2 / (high - low) if high > low else 0.0


def _standard(values: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]) -> tuple[float, float]:
    mean = float(np.average(values, weights=weight))
    std = float(np.sqrt(np.average((values - mean) ** 2, weights=weight)))
    # A deviation that is no larger than rounding errors counts as 0: with weights, the mean of equal values is not quite the value.
    return mean, 1 / std if std > 10 * np.finfo(np.float64).eps * abs(mean) else 1.0


def _n_quantiles(n_rows: int) -> int:
    return max(min(n_rows // _ROWS_PER_QUANTILE, _MOST_QUANTILES), _FEWEST_QUANTILES)


def _normal_scores(x: Float[np.ndarray, " n"], quantiles: Float[np.ndarray, " q"]) -> Float[np.ndarray, " n"]:
    """Return the normal quantile of the share of training rows below each number: 0 for a constant column.

    Between equal quantiles the share is the middle, by interpolation from both sides as scikit-learn does.
    """
    levels = np.linspace(0, 1, len(quantiles))
    if quantiles[0] == quantiles[-1]:
        return np.where(np.isnan(x), np.nan, 0.0)
    below = np.interp(x, quantiles, levels)
    above = -np.interp(-x, -quantiles[::-1], -levels[::-1])
    return np.asarray(ndtri(np.clip((below + above) / 2, _TAIL, 1 - _TAIL)))
