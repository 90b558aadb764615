"""Temperature scaling: probabilities that fit held-out rows, by one factor of the logits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

_LARGEST_LOG, _N_HALVINGS = 16.0, 30
# If all held-out rows are classified correctly, the best temperature is 0, and all rows would get the same probabilities. So
# logits that differ by this much are not sharpened: float32 tells apart probabilities of larger ones no more.
_LARGEST_GAP, _SMALLEST_GAP = 15.0, 1e-3


@dataclasses.dataclass(frozen=True)
class Temperature:
    """Logits divided by a temperature, then probabilities mixed with the uniform distribution over the classes.

    Parameters
    ----------
    inverse : float
        1 / T.
    uniform_share : float
        The weight of the uniform distribution, so that no probability is 0.
    """

    inverse: float
    uniform_share: float

    def __call__(self, raw: Float[np.ndarray, "n raw"], is_softmax: bool) -> Float[np.ndarray, "n raw"]:
        """Return raw outputs with the calibrated probabilities: logarithms for a softmax, logits for sigmoids."""
        raw = np.asarray(raw, np.float64) * self.inverse
        if is_softmax:
            p = _softmax(raw)
            mixed: Float[np.ndarray, "n raw"] = np.log((1 - self.uniform_share) * p + self.uniform_share / raw.shape[1])
            return mixed
        half = self.uniform_share / 2
        present, absent = ((1 - self.uniform_share) * _sigmoid(sign * raw) + half for sign in (1, -1))
        return np.log(present) - np.log(absent)


def fit_temperature(
    raw: Float[np.ndarray, "n raw"],
    target: Shaped[np.ndarray, "n ..."],
    weight: Float[np.ndarray, " n"],
    is_softmax: bool,
) -> Temperature:
    """Return the temperature with the smallest weighted log loss of held-out rows, by bisection.

    The weight of the uniform distribution is 1 / (n + 1) for n rows of positive weight. If all rows are classified correctly, the
    temperature is not 0, as the log loss would have it, but such that rows keep different probabilities.

    Parameters
    ----------
    raw : ndarray (n, raw)
        Logits of classes for a softmax, or of single labels for sigmoids.
    target : ndarray (n,) of codes, or (n, labels) of 0 and 1
    weight : ndarray (n,)
    is_softmax : bool

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", arXiv 1706.04599; the bisection and the uniform distribution are those of
    "ts-mix" in the package probmetrics.
    """
    raw, weight = np.asarray(raw, np.float64), np.asarray(weight, np.float64)
    share = weight / weight.sum()

    def slope(inverse: float) -> Any:
        """Return the derivative of the log loss by 1 / T."""
        if is_softmax:
            expected = np.sum(raw * _softmax(raw * inverse), axis=1)
            return share @ (expected - raw[np.arange(len(raw)), target])
        labels = target.reshape(raw.shape)
        return share @ np.mean(raw * (_sigmoid(raw * inverse) - labels), axis=1)

    low, high = -_LARGEST_LOG, _LARGEST_LOG
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(np.exp(middle)) > 0 else (middle, high)
    largest = max(1.0, _LARGEST_GAP / max(_largest_gap(raw), _SMALLEST_GAP))
    return Temperature(min(float(np.exp((low + high) / 2)), largest), 1 / (int((weight > 0).sum()) + 1))


def _largest_gap(raw: Float[np.ndarray, "n raw"]) -> float:
    """Return the largest difference between logits of a row, or for single logits the largest distance to 0."""
    return float(np.ptp(raw, axis=1).max() if raw.shape[1] > 1 else np.abs(raw).max())


def _softmax(raw: Float[np.ndarray, "n raw"]) -> Float[np.ndarray, "n raw"]:
    e = np.exp(raw - raw.max(axis=1, keepdims=True))
    p: Float[np.ndarray, "n raw"] = e / e.sum(axis=1, keepdims=True)
    return p


def _sigmoid(raw: Float[np.ndarray, "n raw"]) -> Float[np.ndarray, "n raw"]:
    p: Float[np.ndarray, "n raw"] = np.exp(-np.logaddexp(0.0, -raw))
    return p
