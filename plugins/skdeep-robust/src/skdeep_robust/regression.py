"""Losses for regression: amounts that are often zero, and predictions with a standard deviation."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from skdeep import Loss
from skdeep.contract import Task

SMALLEST = 1e-6
"""Added to each evidential parameter that must be positive, so that it stays positive at any raw output."""


class Tweedie(Loss):
    r"""Half the Tweedie deviance with a power between 1 and 2, and the log link :math:`\mu = e^z`.

    .. math:: \frac{y^{2-p}}{(1-p)(2-p)} - \frac{y\,\mu^{1-p}}{1-p} + \frac{\mu^{2-p}}{2-p}

    For amounts that are exactly zero in many rows and skewed in the others, such as insurance claims or rainfall. The
    distribution is that of a sum of gamma amounts with a Poisson number of terms. The variance is proportional to a power of
    the mean, :math:`\mathrm{Var}\,y \propto \mu^p`. For :math:`p \to 1` the deviance becomes the Poisson deviance, for
    :math:`p \to 2` the gamma deviance.

    Targets are divided by their mean before training, so that a raw output of 0 predicts the mean. The loss of a row is the
    mean over outputs. Twice its mean over rows is `sklearn.metrics.mean_tweedie_deviance` of the divided targets; multiplied by
    the mean of y to the power of :math:`2-p`, it is the deviance of y. Exponentials above 1.8e19 (the root of the largest
    float32) are replaced by their tangent at that value, so that the loss stays finite.

    Parameters
    ----------
    power : float, default=1.5
        The power p, in (1, 2). Both ends are excluded: 1 is skdeep's loss `poisson`, and 2 does not allow zeros.

    References
    ----------
    Jorgensen, "Exponential Dispersion Models", Journal of the Royal Statistical Society B 49, 1987. Smyth and
    Jorgensen, "Fitting Tweedie's Compound Poisson Model to Insurance Claims Data", ASTIN Bulletin 32, 2002.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep_robust import Tweedie
    >>> Tweedie(power=1.5)(jnp.array([[0.0], [0.0]]), jnp.array([[0.0], [4.0]]))
    Array([2., 2.], dtype=float32)
    """

    power: float = 1.5

    tasks = ("regression",)
    scaling = "mean"
    domain = "non-negative"

    def __call__(self, raw: jax.Array, target: jax.Array) -> jax.Array:
        # A power that rounds to 1 or 2 is replaced by the nearest number that does not.
        eps = jnp.finfo(raw.dtype).eps
        above, below = jnp.maximum(self.power - 1, eps), jnp.maximum(2 - self.power, eps)
        is_positive = target >= jnp.finfo(target.dtype).tiny
        log_target = jnp.log(jnp.where(is_positive, target, 1.0))
        scaled = below * log_target  # the logarithm of y^(2-p)
        distance = log_target - raw
        # The formula as differences: (y mu^(1-p) - y^(2-p)) / (p-1) + (mu^(2-p) - y^(2-p)) / (2-p).
        of_target = exp_difference(log_target - above * raw, scaled, above * distance)
        of_mean = exp_difference(below * raw, scaled, -below * distance)
        of_zero = bounded_exp(below * raw) / below
        return jnp.mean(jnp.where(is_positive, of_target / above + of_mean / below, of_zero), axis=1)

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        return xp.exp(raw)

    def check_fields(self) -> None:
        if not 1 < self.power < 2:
            raise ValueError(f"The 'power' field of Tweedie must be in (1, 2). Got {self.power!r} instead.")


def bounded_exp(x: jax.Array) -> jax.Array:
    """Return `exp(x)`, but its tangent above the root of the largest number of the dtype, so that it is finite at any x."""
    inside = jnp.minimum(x, 0.5 * math.log(jnp.finfo(x.dtype).max))
    return jnp.exp(inside) * (1 + (x - inside))


def exp_difference(x: jax.Array, y: jax.Array, gap: jax.Array) -> jax.Array:
    """Return `exp(x) - exp(y)`, given `gap = x - y`, without cancellation if the gap is small."""
    near = jnp.exp(y) * jnp.expm1(jnp.clip(gap, -1.0, 1.0))
    return jnp.where(jnp.abs(gap) < 1, near, bounded_exp(x) - jnp.exp(y))


class EvidentialRegression(Loss):
    r"""Evidential regression: negative log-likelihood of a predicted Student t distribution, plus a penalty on evidence.

    The network predicts the distribution of the mean and variance of y, a normal-inverse-gamma distribution with
    :math:`\gamma, \nu > 0, \alpha > 1, \beta > 0`. Then y has a Student t distribution with :math:`2\alpha` degrees of
    freedom, location :math:`\gamma` and squared scale :math:`\beta(1+\nu)/(\nu\alpha)`, and the loss is, with
    :math:`\Omega = 2\beta(1+\nu)`,

    .. math::
        \tfrac12\log\frac{\pi}{\nu} - \alpha\log\Omega
        + (\alpha+\tfrac12)\log\left((y-\gamma)^2\nu + \Omega\right)
        + \log\frac{\Gamma(\alpha)}{\Gamma(\alpha+\frac12)} + \lambda\,|y-\gamma|\,(2\nu + \alpha)

    The network has four raw outputs :math:`\eta, a, b, c` per output of y, grouped by kind. With
    :math:`h(z) = (z + \sqrt{z^2+4})/2`, which is positive and 1 at zero,

    .. math:: \nu = h(a), \quad \alpha = 1 + h(b), \quad \beta = \alpha\,h(c), \quad \gamma = \eta\,h(c)

    so that :math:`h(c)` is a variance, and the gradient with respect to :math:`\eta` does not grow if it is small. The random
    outputs of an untrained network do not put any row near the bounds of these parameters. The loss of a row is the mean over
    the outputs of y.

    `predict(X, return_std=True)` returns :math:`\gamma` and the standard deviation of y,
    :math:`\sqrt{\beta(1+\nu)/(\nu(\alpha-1))}`. Its square is the sum of the variance of the noise,
    :math:`\beta/(\alpha-1)`, and that of the mean, :math:`\beta/(\nu(\alpha-1))`.

    Parameters
    ----------
    coefficient : float, default=0.01
        Weight :math:`\lambda` of the penalty on evidence :math:`2\nu + \alpha` times the absolute error, which is in standard
        deviations of y; at least 0. From about 1 on, the penalty dominates, and the predicted standard deviations are far too
        large.

    References
    ----------
    Amini et al., "Deep Evidential Regression", arXiv 1910.02600. Here 1e-6 is added to positive parameters, so that
    they do not round to 0. Meinert, Gawlikowski and Lavin, "The Unreasonable Effectiveness of Deep Evidential
    Regression", arXiv 2205.10060, explains why the two parts of the variance are not strictly separated.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep_robust import EvidentialRegression
    >>> loss = EvidentialRegression()(jnp.zeros((1, 4)), jnp.zeros((1, 1)))
    >>> round(loss.item(), 2)
    1.33
    """

    coefficient: float = 0.01

    tasks = ("regression",)
    scaling = "standard"
    has_std = True

    def n_raw(self, task: Task) -> int:
        return 4 * task.n_targets

    def __call__(self, raw: jax.Array, target: jax.Array) -> jax.Array:
        mean, nu, alpha_minus_1, beta = evidence(raw, target.shape[1], jnp)
        alpha, residual = alpha_minus_1 + 1, target - mean
        # The logarithms of the formula, rearranged: log1p and betaln avoid cancellation at small residuals and large alpha.
        omega = 2 * beta * (1 + nu)
        likelihood = (
            0.5 * (jnp.log(omega) - jnp.log(nu))
            + (alpha + 0.5) * jnp.log1p(nu * residual**2 / omega)
            + jax.scipy.special.betaln(alpha, 0.5)
        )
        # jnp.abs has the gradient 1 at 0, which would move a mean that is right; this has the gradient 0.
        distance = residual * jnp.sign(residual)
        return jnp.mean(likelihood + self.coefficient * distance * (2 * nu + alpha), axis=1)

    def link(self, raw: Any, task: Task, xp: Any) -> Any:
        return evidence(raw, task.n_targets, xp)[0]

    def std(self, raw: Any, task: Task, xp: Any) -> Any:
        _, nu, alpha_minus_1, beta = evidence(raw, task.n_targets, xp)
        return xp.sqrt(beta * (1 + nu) / (nu * alpha_minus_1))

    def check_fields(self) -> None:
        if not self.coefficient >= 0:
            raise ValueError(
                f"The 'coefficient' field of EvidentialRegression must be at least 0. Got {self.coefficient!r} instead."
            )


def evidence(raw: Any, n_outputs: int, xp: Any) -> tuple[Any, Any, Any, Any]:
    """Return gamma, nu, alpha - 1 and beta, each `(n, outputs)`, from raw outputs `(n, 4 * outputs)`."""
    eta, *others = (raw[:, k * n_outputs : (k + 1) * n_outputs] for k in range(4))
    # exp(arcsinh(z / 2)) equals h(z) = (z + sqrt(z^2 + 4)) / 2, without the cancellation of the latter at negative z.
    nu, alpha_minus_1, variance = (xp.exp(xp.arcsinh(0.5 * z)) + SMALLEST for z in others)
    return eta * variance, nu, alpha_minus_1, variance * (1 + alpha_minus_1)
