"""Prodigy: Adam with an estimated step size."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from skdeep import Optimizer
from skdeep.contract import Params
from skdeep.kernels import are_kernels
from skdeep_optimizers.fields import check_numbers


class ProdigyState(NamedTuple):
    """`d` is the estimated distance; `numerator` and `gradient_sum` are r and s of the paper, divided by d0."""

    count: Any
    d: Any
    numerator: Any
    gradient_sum: Params
    mean: Params
    mean_square: Params
    start: Params


class Prodigy(Optimizer):
    r"""Adam whose step size is a running estimate of the distance from the initial parameters to the optimum.

    **Give the estimator `learning_rate=1.0`**: it multiplies the estimated step size. With the estimators' default of 1e-3,
    which suits Adam, the estimate hardly grows and training makes no progress. With :math:`\gamma` the learning rate of the
    step and :math:`c_t = \sqrt{1 - \beta_2^t} / (1 - \beta_1^t)` (1 without `bias_correction`),

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, d_{t-1} g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, d_{t-1}^2 g_t^2 \\
        r_t &= \beta_3 r_{t-1} + \gamma c_t d_{t-1}^2 \langle g_t, \theta_0 - \theta_{t-1} \rangle, \qquad
        s_t = \beta_3 s_{t-1} + \gamma c_t d_{t-1}^2 g_t \\
        d_t &= \max\left(d_{t-1}, d_\mathrm{coef}\, r_t / \lVert s_t \rVert_1 \right) \\
        \theta_t &= \theta_{t-1} - \gamma c_t d_{t-1} \left(
            \frac{m_t}{\sqrt{v_t} + d_{t-1} \epsilon} + \lambda \theta_{t-1} \right)

    The bias correction (as in `optax.contrib.prodigy`) and the decoupled weight decay are not in the paper's algorithm. This
    class does not use Optax's version for two reasons. That version applies weight decay to biases too. It also becomes NaN
    if the first gradient or the first learning rate is zero, as with `schedule="warmup_cosine"`; here the estimate does not
    change then.

    Parameters
    ----------
    b1, b2 : float, default=0.9, 0.999
        Decay per step of the running means of the gradients and of their squares, in [0, 1).
    b3 : float or None, default=None
        Decay per step of the sums from which the distance is estimated, in [0, 1). None means the root of `b2`.
    eps : float, default=1e-8
        Added to the denominator after multiplication by the distance; positive.
    d0 : float, default=1e-6
        Initial estimate of the distance; positive. Any value far below the true distance works, if steps of this size
        still change float32 parameters: at least 1e-7 times the largest parameter.
    d_coef : float, default=1.0
        Factor of the estimates; positive. Reduce it (0.5) if steps are too long, increase it (2) if they are too short.
    weight_decay : float, default=0.0
        Strength of the decoupled weight decay of kernels, multiplied by the step size; at least 0.
    bias_correction : bool, default=True
        If True, correct the bias of the running means, which start at zero, as Adam does.
    safeguard_warmup : bool, default=False
        If True, leave the learning rate out of :math:`s_t`, so that a long warm-up does not increase the estimate.

    References
    ----------
    Mishchenko and Defazio, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", arXiv 2306.06101.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skdeep import DeepClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = DeepClassifier(
    ...     optimizer="prodigy", learning_rate=1.0, schedule="cosine", max_epochs=40, tol=None, random_state=0
    ... )
    >>> model.fit(scale(X), y).score(scale(X), y) > 0.98
    True
    """

    b1: float = 0.9
    b2: float = 0.999
    b3: float | None = None
    eps: float = 1e-8
    d0: float = 1e-6
    d_coef: float = 1.0
    weight_decay: float = 0.0
    bias_correction: bool = True
    safeguard_warmup: bool = False

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        def update(grad: Params, state: ProdigyState, params: Params | None = None) -> tuple[Params, ProdigyState]:
            return self._step(grad, state, params, learning_rate)

        return optax.GradientTransformation(self._start, update)

    def _start(self, params: Params) -> ProdigyState:
        dtype = jnp.result_type(*jax.tree.leaves(params))
        zeros = jax.tree.map(jnp.zeros_like, params)
        return ProdigyState(
            count=jnp.zeros((), jnp.int32),
            d=jnp.asarray(self.d0, dtype),
            numerator=jnp.zeros((), dtype),
            gradient_sum=zeros,
            mean=zeros,
            mean_square=zeros,
            start=params,
        )

    def _step(self, grad: Params, state: ProdigyState, params: Params, learning_rate: Any) -> tuple[Params, Any]:
        count, d = state.count + 1, state.d
        step_size = d * learning_rate * self._correction(count)
        b3 = jnp.sqrt(self.b2) if self.b3 is None else self.b3
        weight = d / self.d0 * step_size  # r and s are divided by d0: otherwise they may underflow in float32
        sum_weight = d / self.d0 * d if self.safeguard_warmup else weight
        travelled = jax.tree.map(lambda g, first, p: jnp.sum(g * (first - p)), grad, state.start, params)
        numerator = b3 * state.numerator + weight * sum(jax.tree.leaves(travelled))
        gradient_sum = jax.tree.map(lambda s, g: b3 * s + sum_weight * g, state.gradient_sum, grad)
        mean = jax.tree.map(lambda m, g: self.b1 * m + (1 - self.b1) * d * g, state.mean, grad)
        mean_square = jax.tree.map(lambda v, g: self.b2 * v + (1 - self.b2) * (d * g) ** 2, state.mean_square, grad)

        def update_of(m: Any, v: Any, p: Any, decays: bool) -> Any:
            direction = m / (jnp.sqrt(v) + d * self.eps)
            return -step_size * (direction + self.weight_decay * p if decays else direction)

        updates = jax.tree.map(update_of, mean, mean_square, params, are_kernels(params))
        estimate = self._estimate(numerator, gradient_sum)
        after = ProdigyState(count, jnp.maximum(d, estimate), numerator, gradient_sum, mean, mean_square, state.start)
        return updates, after

    def _correction(self, count: Any) -> Any:
        return jnp.sqrt(1 - self.b2**count) / (1 - self.b1**count) if self.bias_correction else 1.0

    def _estimate(self, numerator: Any, gradient_sum: Params) -> Any:
        """Return the distance estimated from the sums; 0 if all gradients so far were 0."""
        norm = sum(jnp.sum(jnp.abs(s)) for s in jax.tree.leaves(gradient_sum))
        return jnp.where(norm > 0, self.d_coef * numerator / jnp.where(norm > 0, norm, 1.0), 0.0)

    def check_fields(self) -> None:
        check_numbers(self, "[0, 1)", "b1", "b2")
        check_numbers(self, "(0, inf)", "eps", "d0", "d_coef")
        check_numbers(self, "[0, inf)", "weight_decay")
        if self.b3 is not None:
            check_numbers(self, "[0, 1)", "b3")
