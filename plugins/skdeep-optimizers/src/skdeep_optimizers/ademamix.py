"""AdEMAMix: Adam with a second, much longer memory of gradients."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from skdeep import Optimizer
from skdeep.kernels import are_kernels
from skdeep_optimizers.fields import check_numbers


class AdEMAMix(Optimizer):
    r"""Adam whose step mixes a fast and a slow running mean of the gradients.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
        n_t = \beta_3(t)\, n_{t-1} + (1 - \beta_3(t))\, g_t \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \theta_t &= \theta_{t-1} - \eta \left(
            \frac{m_t / (1 - \beta_1^t) + \alpha(t)\, n_t}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}
            + \lambda \theta_{t-1} \right)

    The slow mean is not corrected for its start at zero. Over the first `warmup_steps` steps :math:`T`, with
    :math:`u = \min(t / T, 1)`, its weight grows as :math:`\alpha(t) = \alpha u`, and its memory from
    :math:`\beta_1` to :math:`\beta_3`, so that the time in which a gradient is forgotten grows linearly:
    :math:`1 / \log \beta_3(t) = (1 - u) / \log \beta_1 + u / \log \beta_3`.

    The computation is that of `optax.contrib.ademamix`, whose schedules count from 0: they are shifted here,
    as the paper counts from 1. With `alpha=0` it is AdamW.

    Once warm, a gradient that keeps its sign moves a parameter :math:`1 + \alpha` times as far as Adam does:
    start from half of Adam's learning rate or less.

    Parameters
    ----------
    b1, b2 : float, default=0.9, 0.999
        Decay of the fast running mean of gradients, and of their squares, in [0, 1).
    b3 : float, default=0.999
        Decay of the slow running mean, in (0, 1). It remembers 1 / (1 - b3) steps, which should be well below
        the number of steps of the fit (epochs times rows / `batch_size`); the paper, with fits of 100,000
        steps and more, takes 0.9999.
    alpha : float, default=5.0
        Weight of the slow mean, at least 0; 4 to 10 in the paper.
    warmup_steps : float, default=1000.0
        At least 0; 0: no warm-up. The paper takes the number of steps of the whole fit.
    eps : float, default=1e-8
        Added to the denominator; positive.
    weight_decay : float, default=0.0
        Decoupled and multiplied by the learning rate, on kernels only; at least 0.

    References
    ----------
    Pagliardini, Ablin and Grangier, "The AdEMAMix Optimizer: Better, Faster, Older", arXiv 2409.03137.

    Examples
    --------
    >>> from skdeep import DeepRegressor
    >>> model = DeepRegressor(optimizer="ademamix", learning_rate=5e-4).set_params(optimizer__alpha=4)
    >>> model.optimizer.alpha
    4
    """

    b1: float = 0.9
    b2: float = 0.999
    b3: float = 0.999
    alpha: float = 5.0
    warmup_steps: float = 1000.0
    eps: float = 1e-8
    weight_decay: float = 0.0

    def transformation(self, learning_rate: Any) -> Any:
        from optax.contrib import ademamix

        return ademamix(
            learning_rate,
            b1=self.b1,
            b2=self.b2,
            b3=self._b3_after,
            alpha=lambda count: self.alpha * self._warmth(count),
            eps=self.eps,
            weight_decay=self.weight_decay,
            mask=are_kernels,
        )

    def _warmth(self, count: Any) -> Any:
        """Return how much of the warm-up is done at the step after `count` others, in (0, 1]."""
        return jnp.minimum((count + 1) / jnp.maximum(self.warmup_steps, 1.0), 1.0)

    def _b3_after(self, count: Any) -> Any:
        warmth = self._warmth(count)
        # Logarithms of decays are negative; that of b1 = 0 is -inf, and drops out.
        rate = 1.0 / ((1.0 - warmth) / jnp.log(self.b1) + warmth / jnp.log(self.b3))
        return jnp.where(warmth < 1.0, jnp.minimum(jnp.exp(rate), self.b3), self.b3)

    def check_fields(self) -> None:
        check_numbers(self, "[0, 1)", "b1", "b2")
        check_numbers(self, "(0, 1)", "b3")
        check_numbers(self, "(0, inf)", "eps")
        check_numbers(self, "[0, inf)", "alpha", "warmup_steps", "weight_decay")
