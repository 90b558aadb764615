"""Classes in an order: one score, and cut points between the classes that training learns."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from skdeep import Loss
from skdeep.contract import Task


class CumulativeLogit(Loss):
    r"""The proportional odds model: negative log-likelihood of ordered classes.

    .. math:: P(y \le k) = \sigma(c_k - f(x)), \qquad c_0 < c_1 < \dots < c_{K-2}

    The network has one output :math:`f(x)`, whatever the number of classes: a larger score means a higher class, and the
    log-odds of all cut points move by the same amount. The cut points are parameters of the loss, learned with the
    network. They stay in order, because what is learned is the first one and the logarithms of the differences. They
    start where the classes are equally frequent at a score of 0. A constant that is added to all scores and
    cut points changes nothing.

    The classes are ordered as sorted. Give numbers, or labels whose sorted order is the one that is meant: not "high", "low",
    "medium".

    References
    ----------
    McCullagh, "Regression Models for Ordinal Data", Journal of the Royal Statistical Society B 42, 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import DeepClassifier
    >>> from skdeep_statistics import CumulativeLogit, cut_points
    >>> X = np.linspace(-3, 3, 200)[:, None]
    >>> y = np.digitize(X[:, 0], [-1, 1])
    >>> model = DeepClassifier(network="linear", loss=CumulativeLogit(), learning_rate=0.1, max_epochs=50, tol=None)
    >>> model.fit(X, y).predict([[-2.5], [0.0], [2.5]])
    array([0, 1, 2])
    >>> cut_points(model.params_["loss"]["cuts"]).shape
    (2,)
    """

    tasks = ("binary", "multiclass")
    probabilistic = True
    plugin_api = (1, 1)

    def n_raw(self, task: Task) -> dict[str, int]:
        return {"score": 1}

    def parameters(self, task: Task) -> dict[str, Any]:
        n_classes = max(2, task.n_targets)
        share = np.arange(1, n_classes) / n_classes
        cuts = np.log(share) - np.log1p(-share)
        return {"cuts": np.concatenate([cuts[:1], np.log(np.diff(cuts))])}

    def __call__(self, raw: Any, target: jax.Array) -> jax.Array:
        log_probability = _log_probabilities(raw, jnp)
        is_true = jnp.arange(log_probability.shape[1])[None, :] == target[:, None]
        return -jnp.sum(jnp.where(is_true, log_probability, 0.0), axis=1)

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        return xp.exp(_log_probabilities(raw, xp))


def cut_points(cuts: Any) -> np.ndarray:
    """Return the cut points of a fitted model, increasing, from `params_["loss"]["cuts"]`.

    Examples
    --------
    >>> from skdeep_statistics import cut_points
    >>> cut_points([-1.0, 0.0, 0.0])
    array([-1.,  0.,  1.])
    """
    learned = np.asarray(cuts)
    return np.cumsum(np.concatenate([learned[:1], np.exp(learned[1:])]))


def _log_probabilities(raw: Any, xp: Any) -> Any:
    r"""Return the logarithms of the probabilities, `(n, classes)`.

    With :math:`a > b`, :math:`\sigma(a) - \sigma(b) = \sigma(a)\,\sigma(-b)\,(1 - e^{b - a})`, so that no difference of nearly
    equal numbers is taken.
    """
    score, log_steps = raw["score"], raw["cuts"][:, 1:]
    steps = xp.exp(log_steps)
    cuts = xp.cumsum(xp.concatenate([raw["cuts"][:, :1], steps], axis=1), axis=1)
    nothing = xp.zeros_like(score)
    below = xp.concatenate([-xp.logaddexp(0.0, score - cuts), nothing], axis=1)
    above = xp.concatenate([nothing, -xp.logaddexp(0.0, cuts - score)], axis=1)
    between = xp.concatenate([nothing, xp.log(-xp.expm1(-steps)), nothing], axis=1)
    return below + above + between
