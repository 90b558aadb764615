"""The objective, the validation losses and the stopping rule of scikit-learn's perceptron."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from skdeep.config import Objective, StoppingRule
from skdeep.contract import Loss
from skdeep.core.link import predicted_classes, predicted_point
from skdeep.core.objective import share_of_full_batch
from skdeep.kernels import kernels_of
from skdeep.records import Batch, Params, Stopping, Task

SMALLEST_ADAPTIVE_RATE = 1e-6


class BatchMean(Objective):
    r"""Weighted mean of loss and penalty per batch: :math:`(s \sum_i w_i l_i + \frac{\alpha}{2} \sum k^2) / \sum_i w_i`.

    Here :math:`l_i` and :math:`w_i` are the loss and weight of row i, :math:`k` the values of the kernels, and :math:`s` is
    `scale`. Both parts are divided by the sum of the weights of this batch. The reported value, a sum over rows, is the same
    expression with `reported_scale` instead of `scale`, times the number of rows.

    Parameters
    ----------
    alpha : float
        Strength of the penalty on kernels.
    scale, reported_scale : float, default=1.0
        Factors of the loss in the minimised and in the reported value. scikit-learn minimises the sum over outputs of
        the loss (in regression, of half the squared error). For the squared error it reports the mean over outputs instead.
    largest_reported : float or None, default=None
        Upper limit of a row's loss in the reported value.
    by_rows : bool, default=False
        If True, multiply the minimised value by the batch's number of rows relative to a full batch. This is for networks
        with batch normalisation, whose statistics are poor in a small last batch. scikit-learn, which has no batch
        normalisation, gives all batches equal weight.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.records import Batch
    >>> from skdeep.perceptron.rules import BatchMean
    >>> weight, mask = np.array([1.0, 3.0, 0.0]), np.array([1.0, 1.0, 0.0])
    >>> batch = Batch(x=mask, target=mask, weight=weight, mask=mask)
    >>> value, reported = BatchMean(alpha=2.0)(np.array([2.0, 4.0, 9.0]), batch, {"kernel": np.eye(2)}, n_rows=2)
    >>> float(value), float(reported)
    (4.0, 8.0)
    """

    alpha: float
    scale: float = 1.0
    reported_scale: float = 1.0
    largest_reported: float | None = None
    by_rows: bool = False

    def __call__(
        self, losses: Float[Array, " batch"], batch: Batch, params: Params, n_rows: Int[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        loss_sum, weight = jnp.sum(losses * batch.weight), jnp.sum(batch.weight)
        penalty = 0.5 * self.alpha * sum(jnp.sum(k * k) for k in kernels_of(params))
        # A batch whose weights sum to 0 has the value 0 and the gradient 0.
        per_weight = jnp.where(weight > 0, 1 / jnp.where(weight > 0, weight, 1.0), 0.0)
        shown_sum = loss_sum
        if self.largest_reported is not None:
            shown_sum = jnp.sum(jnp.minimum(losses, self.largest_reported) * batch.weight)
        reported = (self.reported_scale * shown_sum + penalty) * per_weight * jnp.sum(batch.mask)
        value = (self.scale * loss_sum + penalty) * per_weight
        return value * share_of_full_batch(batch, n_rows) if self.by_rows else value, reported


class EpochsWithoutGain(StoppingRule):
    r"""Stop after more than `n_iter_no_change` consecutive epochs that do not improve on the best loss by `tol` or more.

    Parameters
    ----------
    tol : float
        Smallest decrease of the loss that counts as an improvement.
    n_iter_no_change : float
        Number of consecutive epochs without an improvement that are allowed.
    learning_rate : float
        Initial learning rate.
    adaptive : bool, default=False
        If True, divide the learning rate by 5 instead of stopping, as long as it is above 1e-6.
    power_t : float or None, default=None
        If given, the learning rate after an epoch is the initial one times :math:`(t + 1)^{-p}`, where :math:`t` is the
        number of rows seen so far and :math:`p` is `power_t`.
    n_seen_before : float, default=0.0
        Number of rows seen before this call of `fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.core.stopping import start
    >>> from skdeep.perceptron.rules import EpochsWithoutGain
    >>> rule = EpochsWithoutGain(tol=0.1, n_iter_no_change=0, learning_rate=0.1, adaptive=True)
    >>> record = start({}, {}, False, np.float32)._replace(best=np.float32(1.0))
    >>> record, has_ended = rule(record, np.float32(0.95), 100)
    >>> round(float(record.rate_factor), 3), bool(has_ended)
    (0.2, False)
    """

    tol: float
    n_iter_no_change: float
    learning_rate: float
    adaptive: bool = False
    power_t: float | None = None
    n_seen_before: float = 0.0

    def __call__(
        self, stopping: Stopping, score: Float[Array, ""], n_seen: Float[Array, ""]
    ) -> tuple[Stopping, Bool[Array, ""]]:
        n_stale = jnp.where(score > stopping.best - self.tol, stopping.n_stale + 1, 0)
        has_ended = n_stale.astype(score.dtype) > self.n_iter_no_change
        factor = stopping.rate_factor
        if self.power_t is not None:
            factor = (self.n_seen_before + n_seen + 1) ** -self.power_t
        if self.adaptive:
            lowers = has_ended & (self.learning_rate * factor > SMALLEST_ADAPTIVE_RATE)
            factor, n_stale = jnp.where(lowers, factor / 5, factor), jnp.where(lowers, 0, n_stale)
            has_ended &= ~lowers
        return stopping._replace(n_stale=n_stale, rate_factor=factor), has_ended


class ZeroOne(Loss):
    """The zero-one loss: 1 for a row with a wrong prediction, else 0. Its mean is 1 minus the accuracy.

    Parameters
    ----------
    task : Task
        The task. If it has only one class, every prediction is right.
    loss : Loss
        The loss whose link maps raw outputs to predictions.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.records import Task
    >>> from skdeep.perceptron.rules import ZeroOne
    >>> from skdeep.losses import CrossEntropy
    >>> ZeroOne(Task("binary", 2), CrossEntropy())(jnp.array([[0.5], [0.5]]), jnp.array([1, 0])).tolist()
    [0.0, 1.0]
    """

    task: Task
    loss: Loss

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        if self.task.kind != "multilabel" and self.task.n_targets == 1:
            return jnp.zeros_like(raw[:, 0])
        predicted = predicted_classes(self.loss, raw, self.task, jnp)
        truth = target > 0 if self.task.kind == "multilabel" else target
        is_wrong = predicted.astype(truth.dtype) != truth
        return (jnp.any(is_wrong, axis=1) if is_wrong.ndim == 2 else is_wrong).astype(raw.dtype)


class UnexplainedVariance(Loss):
    """Squared error divided by the variance of y, averaged over outputs: its weighted mean over the rows is 1 - R^2.

    An output of y whose variance is 0 in the dtype of training contributes 1, that is, an R^2 of 0.

    Parameters
    ----------
    loss : Loss
        The loss whose link maps raw outputs to predictions.
    task : Task
    deviations : tuple of float
        Weighted standard deviation of y on the held-out rows, one per output.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.records import Task
    >>> from skdeep.perceptron.rules import UnexplainedVariance
    >>> from skdeep.losses import SquaredError
    >>> judge = UnexplainedVariance(SquaredError(), Task("regression", 1), (2.0,))
    >>> float(judge(jnp.array([[3.0]]), jnp.array([[1.0]]))[0])
    1.0
    """

    loss: Loss
    task: Task
    deviations: tuple[float, ...]

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        deviation: Any = jnp.stack([jnp.asarray(d, raw.dtype) for d in self.deviations])[None, :]
        varies = deviation**2 >= jnp.finfo(raw.dtype).tiny
        predicted = predicted_point(self.loss, raw, self.task, jnp)
        share = ((predicted - target) / jnp.where(varies, deviation, 1.0)) ** 2
        return jnp.mean(jnp.where(varies, share, 1.0), axis=1)
