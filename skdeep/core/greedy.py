"""Greedy selection of an ensemble: models are added one at a time, with replacement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int


def greedy_counts(
    predictions: Float[np.ndarray, "models n ..."], loss: Callable[[np.ndarray], float], n_steps: int = 40
) -> Int[np.ndarray, " models"]:
    """Return how often each model is in the best ensemble, whose prediction is the mean.

    Each step adds the model with which the mean prediction has the smallest loss, the first of equally good ones. The counts are
    those after the best step, the first of equally good ones.

    Parameters
    ----------
    predictions : ndarray (models, n, ...)
        Predictions for the same rows by models that did not see them.
    loss : callable
        Of a prediction `(n, ...)`; lower is better.
    n_steps : int, default=40

    References
    ----------
    Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.core.greedy import greedy_counts
    >>> greedy_counts(np.array([[0.0], [3.0]]), lambda mean: float(abs(mean[0] - 1.0))).tolist()
    [2, 1]
    """
    counts = np.zeros(len(predictions), dtype=np.int64)
    total = np.zeros(predictions.shape[1:])
    best, best_loss = counts, np.inf
    for step in range(1, n_steps + 1):
        losses = [loss((total + prediction) / step) for prediction in predictions]
        chosen = int(np.argmin(losses))
        counts = counts + (np.arange(len(counts)) == chosen)
        total = total + predictions[chosen]
        if losses[chosen] < best_loss:
            best, best_loss = counts, losses[chosen]
    return best
