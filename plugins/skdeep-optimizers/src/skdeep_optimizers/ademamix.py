"""AdEMAMix: Adam with a second, much slower running mean of gradients."""

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

    The slow mean :math:`n` has no bias correction. Over the first `warmup_steps` steps :math:`T`, with
    :math:`u = \min(t / T, 1)`, its weight grows as :math:`\alpha(t) = \alpha u`. Its decay grows from :math:`\beta_1` to
    :math:`\beta_3` such that the half-life of a gradient grows linearly:
    :math:`1 / \log \beta_3(t) = (1 - u) / \log \beta_1 + u / \log \beta_3`.

    The computation is that of `optax.contrib.ademamix`. Optax counts steps from 0, the paper from 1; the schedules are
    shifted by one step to follow the paper. With `alpha=0` this is AdamW.

    After the warm-up, a constant gradient moves a parameter :math:`1 + \alpha` times as far as with Adam. Start with half of
    Adam's learning rate or less.

    Parameters
    ----------
    b1, b2 : float, default=0.9, 0.999
        Decay per step of the fast running mean of gradients, and of the running mean of their squares, in [0, 1).
    b3 : float, default=0.999
        Decay per step of the slow running mean, in (0, 1). It averages over about 1 / (1 - b3) steps, which should be
        well below the number of steps of the fit (epochs times rows / `batch_size`). The paper uses 0.9999 in fits of
        100,000 steps and more.
    alpha : float, default=5.0
        Weight of the slow mean, at least 0. The paper uses 4 to 10.
    warmup_steps : float, default=1000.0
        Number of warm-up steps, at least 0; 0 means no warm-up. The paper uses the number of steps of the whole fit.
    eps : float, default=1e-8
        Added to the denominator; positive.
    weight_decay : float, default=0.0
        Strength of the decoupled weight decay of kernels, multiplied by the learning rate; at least 0.

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
        """Return the completed share of the warm-up, in (0, 1], at the step that follows `count` steps."""
        return jnp.minimum((count + 1) / jnp.maximum(self.warmup_steps, 1.0), 1.0)

    def _b3_after(self, count: Any) -> Any:
        warmth = self._warmth(count)
        # Logarithms of decays are negative. If b1 is 0, its logarithm is -inf, and the first term is 0.
        rate = 1.0 / ((1.0 - warmth) / jnp.log(self.b1) + warmth / jnp.log(self.b3))
        return jnp.where(warmth < 1.0, jnp.minimum(jnp.exp(rate), self.b3), self.b3)

    def check_fields(self) -> None:
        check_numbers(self, "[0, 1)", "b1", "b2")
        check_numbers(self, "(0, 1)", "b3")
        check_numbers(self, "(0, inf)", "eps")
        check_numbers(self, "[0, inf)", "alpha", "warmup_steps", "weight_decay")
