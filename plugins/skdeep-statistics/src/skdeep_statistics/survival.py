"""Times until an event, some of which were cut off before it: risks, learned by comparing rows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from skdeep import Loss
from skdeep.contract import Task

_ROWS_AT_ONCE = 512


class CoxPartialLikelihood(Loss):
    r"""Cox's negative partial log-likelihood: the network gives the logarithm of a row's risk.

    .. math:: \ell_i = \delta_i \left( \log \sum_{j:\, t_j \ge t_i} w_j e^{f(x_j)} - f(x_i) \right)

    y `(n, 2)` holds the time :math:`t` and whether the event was seen (:math:`\delta`: 1, or 0 if the time was cut
    off before it), in this order; a structured array with these two fields will do. `predict` returns the log risk
    :math:`f(x)`, `(n,)`: a larger one means an earlier event. A constant that is added to all of them changes nothing.
    Events at equal times are treated as Breslow did: all rows of that time are at risk. `score` is Harrell's
    concordance index (`concordance_index`).

    A row is compared with the rows of its batch only, so that larger batches say more; with `batch_size` at least the
    number of rows it is the partial likelihood of all. Times are compared in float32, where times that
    differ by less than 1e-7 of their size are equal.

    References
    ----------
    Cox, "Regression Models and Life-Tables", Journal of the Royal Statistical Society B 34, 1972; Breslow's discussion of it
    there; Katzman et al., "DeepSurv", arXiv 1606.00931, who train a network by it.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import DeepRegressor
    >>> from skdeep_statistics import CoxPartialLikelihood
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2))
    >>> time, cut_off = rng.exponential(np.exp(-X[:, 0])), rng.exponential(2.0, size=300)
    >>> y = np.column_stack([np.minimum(time, cut_off), time <= cut_off])
    >>> model = DeepRegressor(network="linear", loss=CoxPartialLikelihood(), batch_size=300, learning_rate=0.1, max_epochs=50)
    >>> model.set_params(tol=None, random_state=0).fit(X, y).predict(X).shape
    (300,)
    >>> bool(model.score(X, y) > 0.7)
    True
    """

    tasks = ("regression",)
    of_batch = True
    plugin_api = (1, 1)

    def n_raw(self, task: Task) -> int:
        if task.kind == "regression" and task.n_targets != 2:
            raise ValueError(
                "The loss CoxPartialLikelihood needs y with two columns, the time and whether the event was seen (1, or 0 if "
                f"the time was cut off). Got {task.n_targets}. Give np.column_stack([time, event])."
            )
        return 1

    def n_predicted(self, task: Task) -> int:
        return 1

    def check_target(self, y: np.ndarray) -> None:
        wrong = (y[:, 1] != 0) & (y[:, 1] != 1)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                "The loss CoxPartialLikelihood needs 1 in the second column of y where the event was seen, and 0 where the time was "
                f"cut off. Got {float(y[row, 1])} in row {row}. Give the time first: np.column_stack([time, event])."
            )

    def example_target(self, values: np.ndarray) -> np.ndarray:
        return np.column_stack([np.exp(values[:, 0]), values[:, 1] > -0.5])

    def __call__(self, raw: jax.Array, target: jax.Array, weight: jax.Array) -> jax.Array:  # type: ignore[override]  # of a batch
        log_risk, time, event = raw[:, 0], target[:, 0], target[:, 1] > 0
        counts = weight > 0
        log_weight = jnp.where(counts, jnp.log(jnp.where(counts, weight, 1.0)), jnp.finfo(raw.dtype).min / 4)
        latest_first = jnp.argsort(-time)
        log_sums = jax.lax.cumlogsumexp((log_risk + log_weight)[latest_first])
        # The sum over all rows that are as late or later ends at the last one of equal times.
        last = jnp.searchsorted(-time[latest_first], -time, side="right") - 1
        return jnp.where(event & counts, log_sums[last] - log_risk, 0.0)

    def score(self, prediction: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> float:
        return concordance_index(y[:, 0], y[:, 1], prediction[:, 0], sample_weight)


def concordance_index(time: Any, event: Any, risk: Any, sample_weight: Any = None) -> float:
    """Return Harrell's concordance index: the share of comparable pairs in which the earlier row has the larger risk.

    A pair is comparable if the earlier time is one of an event; of two equal times, if one of them is. Equal risks count
    half. A pair has the product of the weights of its rows.

    Parameters
    ----------
    time : array-like (n,)
    event : array-like (n,)
        1 where the event was seen, 0 where the time was cut off.
    risk : array-like (n,)
        A larger one means an earlier event.
    sample_weight : array-like (n,), default=None

    Returns
    -------
    float
        0.5 for risks without a meaning, 1 for risks in perfect order; NaN if no pair is comparable.

    References
    ----------
    Harrell et al., "Evaluating the Yield of Medical Tests", JAMA 247, 1982.

    Examples
    --------
    >>> from skdeep_statistics import concordance_index
    >>> concordance_index([1, 2, 3], [1, 1, 0], [0.9, 0.1, 0.5])
    0.6666666666666666
    """
    time, risk, seen = np.asarray(time, np.float64), np.asarray(risk, np.float64), np.asarray(event) > 0
    weight = np.ones(len(time)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    concordant = comparable = 0.0
    rows = np.flatnonzero(seen)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        i = rows[start : start + _ROWS_AT_ONCE, None]
        pairs = ((time[i] < time) | ((time[i] == time) & ~seen)) * weight[i] * weight
        right = (risk[i] > risk) + 0.5 * (risk[i] == risk)
        concordant += float(np.sum(pairs * right))
        comparable += float(np.sum(pairs))
    return concordant / comparable if comparable else float("nan")
