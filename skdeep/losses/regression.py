"""Losses for regression. Each returns the mean over outputs, on targets that are scaled as its `scaling` says."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from skdeep.contract import Loss
from skdeep.records import Task, TaskKind

_REGRESSION: tuple[TaskKind, ...] = ("regression",)


class SquaredError(Loss):
    r"""Squared error :math:`(z - y)^2`; predicts the mean.

    The mean over rows equals `sklearn.metrics.mean_squared_error` of the scaled target.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import SquaredError
    >>> SquaredError()(jnp.array([[3.0]]), jnp.array([[1.0]]))
    Array([4.], dtype=float32)
    """

    tasks = _REGRESSION
    scaling = "standard"

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        return jnp.mean((raw - target) ** 2, axis=1)


class AbsoluteError(Loss):
    r"""Absolute error :math:`|z - y|`; predicts the median.

    The mean over rows equals `sklearn.metrics.mean_absolute_error` of the scaled target.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import AbsoluteError
    >>> AbsoluteError()(jnp.array([[3.0]]), jnp.array([[1.0]]))
    Array([2.], dtype=float32)
    """

    tasks = _REGRESSION
    scaling = "standard"

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        return jnp.mean(jnp.abs(raw - target), axis=1)


class Huber(Loss):
    r"""Huber loss of :math:`r = z - y`: :math:`r^2/2` if :math:`|r| \le \delta`, else :math:`\delta(|r| - \delta/2)`.

    Parameters
    ----------
    delta : float, default=1.0
        Error :math:`\delta` above which the loss is linear, in standard deviations of y; positive.

    References
    ----------
    Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import Huber
    >>> Huber(delta=1.0)(jnp.array([[3.0]]), jnp.array([[1.0]]))
    Array([1.5], dtype=float32)
    """

    delta: float = 1.0

    tasks = _REGRESSION
    scaling = "standard"

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        distance = jnp.abs(raw - target)
        inside = jnp.minimum(distance, self.delta)
        return jnp.mean(0.5 * inside**2 + self.delta * (distance - inside), axis=1)

    def check_fields(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"The 'delta' field of Huber must be positive. Got {self.delta!r} instead.")


class Quantile(Loss):
    r"""Pinball loss :math:`\max(q(y-z), (q-1)(y-z))`; predicts one or several quantiles.

    With several levels, the network has one raw output per output of y and level, and the loss is the mean over levels.
    `predict` returns `(n, levels)`, or `(n, outputs, levels)` if y has several outputs. The values are sorted, so that
    quantiles never cross (the rearrangement of Chernozhukov et al.). `score` uses the middle level, or the upper of the
    two middle ones.

    Parameters
    ----------
    quantile : float or tuple of float, default=0.5
        Levels in (0, 1), increasing.

    References
    ----------
    Koenker and Bassett, "Regression Quantiles", Econometrica 46, 1978; Chernozhukov,
    Fernandez-Val and Galichon, "Quantile and Probability Curves without Crossing", arXiv 0704.3649.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import Quantile
    >>> Quantile(quantile=0.9)(jnp.array([[0.0]]), jnp.array([[1.0]]))
    Array([0.9], dtype=float32)
    """

    quantile: float | tuple[float, ...] = 0.5

    tasks = _REGRESSION
    scaling = "standard"

    @property
    def levels(self) -> tuple[Any, ...]:
        """The quantile levels as a tuple, also if `quantile` is one float."""
        return self.quantile if isinstance(self.quantile, tuple) else (self.quantile,)

    def n_raw(self, task: Task) -> int:
        return task.n_targets * len(self.levels)

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        level = jnp.stack([jnp.asarray(q, raw.dtype) for q in self.levels])[None, None, :]
        error = target[:, :, None] - raw.reshape(*target.shape, len(self.levels))
        return jnp.mean(jnp.maximum(level * error, (level - 1) * error), axis=(1, 2))

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        if len(self.levels) == 1:
            return raw
        return xp.sort(raw.reshape(len(raw), task.n_targets, len(self.levels)), axis=2)

    def point(self, prediction: Any) -> Any:
        return prediction if len(self.levels) == 1 else prediction[:, :, len(self.levels) // 2]

    def check_fields(self) -> None:
        increasing = all(a < b for a, b in zip(self.levels, self.levels[1:], strict=False))
        if not (self.levels and increasing and all(0 < q < 1 for q in self.levels)):
            raise ValueError(
                f"The 'quantile' field of Quantile must be a float in (0, 1), or a tuple of them in increasing order. "
                f"Got {self.quantile!r} instead."
            )


class Poisson(Loss):
    r"""Half the Poisson deviance, with the log link: :math:`y\log(y/\mu) - y + \mu`, :math:`\mu=e^z`.

    For counts and other non-negative targets. They are divided by their mean before training, so that a raw output of 0
    predicts the mean. Twice the mean of this loss over rows, in units of y, is `sklearn.metrics.mean_poisson_deviance`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import Poisson
    >>> Poisson()(jnp.array([[0.0]]), jnp.array([[0.0]]))
    Array([1.], dtype=float32)
    """

    tasks = _REGRESSION
    scaling = "mean"
    domain = "non-negative"

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        return jnp.mean(jax.scipy.special.xlogy(target, target) - target * raw - target + jnp.exp(raw), axis=1)

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        return xp.exp(raw)


class Bernoulli(Loss):
    r"""Cross-entropy of targets in [0, 1], with the sigmoid link: :math:`-y\log\mu - (1-y)\log(1-\mu)`, :math:`\mu=\sigma(z)`.

    For shares and probabilities, and for the pixels of an autoencoder. Other libraries call it binary cross-entropy.

    References
    ----------
    Papke and Wooldridge, "Econometric Methods for Fractional Response Variables", Journal of Applied Econometrics 11, 1996.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import Bernoulli
    >>> Bernoulli()(jnp.array([[0.0]]), jnp.array([[0.3]]))
    Array([0.6931472], dtype=float32)
    """

    tasks = _REGRESSION
    domain = "unit"

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        return jnp.mean(jnp.logaddexp(0.0, raw) - target * raw, axis=1)

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        return xp.exp(-xp.logaddexp(0.0, -raw))


class GaussianNLL(Loss):
    r"""Negative log-likelihood of a normal distribution whose mean and standard deviation are both predicted.

    .. math:: \log\sigma + \frac{(y-\mu)^2}{2\sigma^2} + \tfrac12\log 2\pi

    The network has two raw outputs per output of y, first all :math:`\eta`, then all :math:`s`:

    .. math:: \mu = \eta\,\sigma^2, \qquad \sigma = \sqrt{\tfrac12\left(s + \sqrt{s^2+4}\right)} + \sigma_{min}

    :math:`\eta = \mu/\sigma^2` is the first natural parameter of the normal distribution. The gradient of the loss with
    respect to :math:`\eta` is :math:`\mu - y`, as for half the squared error, so it does not grow if :math:`\sigma` is
    small. Raw outputs of zero predict the mean of y, with a standard deviation of 1 (plus `min_std`) in units of the scaled
    target. For large :math:`|s|` the variance is about :math:`s` if :math:`s > 0` and :math:`1/|s|` if :math:`s < 0`, so
    the random outputs of an untrained network do not put any row near `min_std`. `predict(X, return_std=True)` returns the
    mean and the standard deviation.

    Parameters
    ----------
    min_std : float, default=1e-3
        Smallest standard deviation, in standard deviations of y; positive.

    References
    ----------
    Nix and Weigend, "Estimating the Mean and Variance of the Target Probability Distribution", ICNN 1994. Immer et al.,
    "Effective Bayesian Heteroscedastic Regression with Deep Neural Networks", NeurIPS 2023, for the natural parameters;
    they make the precision positive by another function.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import GaussianNLL
    >>> GaussianNLL()(jnp.zeros((1, 2)), jnp.zeros((1, 1))).round(4)
    Array([0.9199], dtype=float32)
    """

    min_std: float = 1e-3

    tasks: ClassVar[tuple[TaskKind, ...]] = _REGRESSION
    scaling = "standard"
    has_std = True

    def n_raw(self, task: Task) -> int:
        return 2 * task.n_targets

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        mean, std = self._mean_and_std(raw, target.shape[1], jnp)
        standardised = (target - mean) / std
        return jnp.mean(jnp.log(std) + 0.5 * standardised**2 + 0.5 * math.log(2 * math.pi), axis=1)

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        return self._mean_and_std(raw, task.n_targets, xp)[0]

    def std(self, raw: Any, task: Task, xp: Any) -> Any:
        return self._mean_and_std(raw, task.n_targets, xp)[1]

    def _mean_and_std(self, raw: Any, n_outputs: int, xp: Any) -> tuple[Any, Any]:
        # exp(arcsinh(s / 2)) equals (s + sqrt(s^2 + 4)) / 2, without the cancellation of the latter at negative s.
        std = xp.exp(0.5 * xp.arcsinh(0.5 * raw[:, n_outputs:])) + self.min_std
        return raw[:, :n_outputs] * std**2, std

    def check_fields(self) -> None:
        if not self.min_std > 0:
            raise ValueError(f"The 'min_std' field of GaussianNLL must be positive. Got {self.min_std!r} instead.")
