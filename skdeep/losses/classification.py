"""Losses for classification. Binary and multilabel tasks use the sigmoid form, multiclass tasks the softmax form."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Shaped

from skdeep.contract import Loss, Schedule
from skdeep.records import Task, TaskKind

_CLASSIFICATION: tuple[TaskKind, ...] = ("binary", "multiclass", "multilabel")


def is_sigmoid_form(raw: Any, target: Any) -> bool:
    """Tell from the shapes whether each raw output is a separate binary decision (sigmoid form)."""
    return bool(target.ndim == 2 or raw.shape[1] == 1)


def as_labels(raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, "n raw"]:
    """Return 0/1 targets in the shape and dtype of the raw outputs (sigmoid form)."""
    return target.reshape(raw.shape).astype(raw.dtype)


def is_truth(raw: Float[Array, "n raw"], target: Shaped[Array, " n"]) -> Any:
    """Return `(n, raw)`, True at each row's true class.

    A comparison is used instead of a gather, since it and its gradient compile to fewer operations.
    """
    return jnp.arange(raw.shape[1])[None, :] == target[:, None]


def log_sum_exp(raw: Float[Array, "n raw"]) -> Float[Array, " n"]:
    """Return `log(sum(exp(raw)))` of each row, as `jax.nn.logsumexp` does, but for finite values only."""
    largest = lax.stop_gradient(jnp.max(raw, axis=1))
    return largest + jnp.log(jnp.sum(jnp.exp(raw - largest[:, None]), axis=1))


class CrossEntropy(Loss):
    r"""Cross-entropy (log loss) with optional label smoothing.

    Multiclass, with :math:`K` classes and smoothing :math:`a`:

    .. math:: -\sum_k \left((1-a)\,[k=y] + a/K\right) \log \mathrm{softmax}(z)_k

    Binary and multilabel: the same with a sigmoid and :math:`K=2`; a multilabel row has the mean over its labels.
    At :math:`a=0`, the mean over rows equals `sklearn.metrics.log_loss` of the probabilities.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Share :math:`a` of the target that is spread evenly over the classes, in [0, 1).
    binary_outputs : {1, 2}, default=1
        Number of raw outputs of a binary task: one with a sigmoid, or one per class with a softmax. Both have the same minimum.
        Gradient descent with two has steps of another size.
    smoothing_schedule : Schedule or None, default=None
        Factor of `label_smoothing` over the training; None for 1. Validation uses `label_smoothing` itself.

    References
    ----------
    Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", arXiv 1512.00567.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import CrossEntropy
    >>> CrossEntropy()(jnp.zeros((1, 2)), jnp.array([1]))
    Array([0.6931472], dtype=float32)
    """

    label_smoothing: float = 0.0
    binary_outputs: Literal[1, 2] = 1
    smoothing_schedule: Schedule | None = None

    tasks = _CLASSIFICATION
    probabilistic = True

    @property
    def uses_progress(self) -> bool:  # type: ignore[override]  # depends on a field
        return self.smoothing_schedule is not None

    def at_progress(self, progress: Any) -> CrossEntropy:
        assert self.smoothing_schedule is not None  # `uses_progress` says so
        return self.with_traced(label_smoothing=self.label_smoothing * self.smoothing_schedule(progress))

    def n_raw(self, task: Task) -> int:
        return self.binary_outputs if task.kind == "binary" else task.n_raw

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        if is_sigmoid_form(raw, target):
            smooth = as_labels(raw, target) * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
            return jnp.mean(jnp.logaddexp(0.0, raw) - smooth * raw, axis=1)
        truth = jnp.sum(jnp.where(is_truth(raw, target), raw, 0.0), axis=1)
        smooth = (1 - self.label_smoothing) * truth + self.label_smoothing * jnp.mean(raw, axis=1)
        return log_sum_exp(raw) - smooth

    def check_fields(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"The 'label_smoothing' field of CrossEntropy must be in [0, 1). Got {self.label_smoothing!r} instead."
            )


class ZeroOne(Loss):
    """The share of wrong predictions: 1 if the predicted class is wrong, else 0. It judges validation rows (`scoring`).

    A multilabel row has the share of its labels that are wrong. It takes the raw outputs of any loss with the built-in link. A raw
    output of 0 predicts the first class, as `predict` does.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import ZeroOne
    >>> ZeroOne()(jnp.array([[0.3], [-0.3]]), jnp.array([1, 1]))
    Array([0., 1.], dtype=float32)
    """

    tasks = _CLASSIFICATION
    probabilistic = True
    differentiable: ClassVar[bool] = False

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        if is_sigmoid_form(raw, target):
            return jnp.mean(((raw > 0) != (as_labels(raw, target) > 0)).astype(raw.dtype), axis=1)
        return (jnp.argmax(raw, axis=1) != target).astype(raw.dtype)


class Focal(Loss):
    r"""Focal loss: cross-entropy with less weight on rows whose true class already has a high probability.

    .. math:: -(1 - p_y)^{\gamma} \log p_y

    with :math:`p_y` the predicted probability of the true class; at :math:`\gamma=0` it is the cross-entropy.
    A multilabel row has the mean over its labels.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing parameter, at least 0.

    References
    ----------
    Lin et al., "Focal Loss for Dense Object Detection", arXiv 1708.02002 (without its class factor
    alpha: use `class_weight`).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import Focal
    >>> Focal(gamma=2.0)(jnp.zeros((1, 1)), jnp.array([1]))
    Array([0.1732868], dtype=float32)
    """

    gamma: float = 2.0

    tasks = _CLASSIFICATION
    probabilistic = True

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        # The power is taken as exp(gamma * log(1 - p)): its gradient stays finite where p is 1.
        if is_sigmoid_form(raw, target):
            towards_truth = jnp.where(as_labels(raw, target) > 0, raw, -raw)
            log_p, log_rest = jax.nn.log_sigmoid(towards_truth), jax.nn.log_sigmoid(-towards_truth)
            return jnp.mean(-jnp.exp(self.gamma * log_rest) * log_p, axis=1)
        log_norm, is_true = log_sum_exp(raw), is_truth(raw, target)
        log_p = jnp.sum(jnp.where(is_true, raw, 0.0), axis=1) - log_norm
        log_rest = log_sum_exp(jnp.where(is_true, jnp.finfo(raw.dtype).min, raw)) - log_norm
        return -jnp.exp(self.gamma * log_rest) * log_p

    def check_fields(self) -> None:
        if not self.gamma >= 0:
            raise ValueError(f"The 'gamma' field of Focal must be at least 0. Got {self.gamma!r} instead.")


class Hinge(Loss):
    r"""Hinge loss; the classifier has `decision_function`, but no `predict_proba`.

    Binary, with :math:`y = \pm 1`: :math:`\max(0, 1 - y z)`; a multilabel row has the mean over its labels. Multiclass
    (Crammer and Singer, JMLR 2, 2001): :math:`\max(0, 1 + \max_{k \ne y} z_k - z_y)`. The mean over rows equals
    `sklearn.metrics.hinge_loss`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import Hinge
    >>> Hinge()(jnp.array([[0.5]]), jnp.array([1]))
    Array([0.5], dtype=float32)
    """

    tasks: ClassVar[tuple[TaskKind, ...]] = _CLASSIFICATION

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        if is_sigmoid_form(raw, target):
            sign = 2 * as_labels(raw, target) - 1
            return jnp.mean(jnp.maximum(0.0, 1 - sign * raw), axis=1)
        is_true = is_truth(raw, target)
        of_truth = jnp.sum(jnp.where(is_true, raw, 0.0), axis=1)
        best_other = jnp.max(jnp.where(is_true, jnp.finfo(raw.dtype).min, raw), axis=1)
        return jnp.maximum(0.0, 1 + best_other - of_truth)
