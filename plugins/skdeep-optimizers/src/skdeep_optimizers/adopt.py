"""ADOPT: Adam whose denominator does not contain the current gradient."""

from __future__ import annotations

from typing import Any

from skdeep import Optimizer
from skdeep.kernels import are_kernels
from skdeep_optimizers.fields import check_numbers


class ADOPT(Optimizer):
    r"""Adam whose denominator is computed from earlier gradients only, so that it converges for any `b2`.

    The first step only stores :math:`v_0 = g_0^2`. For :math:`t = 1, 2, \dots`,

    .. math::
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\,
               \mathrm{clip}\!\left(\frac{g_t}{\max(\sqrt{v_{t-1}}, \epsilon)}, \pm t^c\right) \\
        \theta_t &= \theta_{t-1} - \eta\,(m_t + \lambda \theta_{t-1}) \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2

    with :math:`c` the `clip_exponent` and :math:`\lambda` the `weight_decay` of kernels. The computation is that of
    `optax.contrib.scale_by_adopt`, with weight decay added. Learning rates that suit Adam suit ADOPT too, such as the
    estimators' default of 1e-3.

    Parameters
    ----------
    b1 : float, default=0.9
        Decay per step of the running mean of scaled gradients, in [0, 1).
    b2 : float, default=0.9999
        Decay per step of the running mean of squared gradients, in [0, 1).
    eps : float, default=1e-6
        Smallest value of the denominator; positive.
    clip_exponent : float or None, default=0.25
        Scaled gradients are clipped to `+-t ** clip_exponent`, so that a parameter whose first gradient was close to zero
        does not take a very long step. At least 0. None means no clipping, as in the paper's first version.
    weight_decay : float, default=0.0
        Strength of the decoupled weight decay of kernels, multiplied by the learning rate; at least 0.

    References
    ----------
    Taniguchi et al., "ADOPT: Modified Adam Can Converge with Any :math:`\beta_2` with the Optimal Rate",
    arXiv 2411.02853.

    Examples
    --------
    >>> from skdeep import DeepClassifier
    >>> DeepClassifier(optimizer="adopt").set_params(optimizer__b2=0.99).optimizer
    ADOPT(b1=0.9, b2=0.99, eps=1e-06, clip_exponent=0.25, weight_decay=0.0)
    """

    b1: float = 0.9
    b2: float = 0.9999
    eps: float = 1e-6
    clip_exponent: float | None = 0.25
    weight_decay: float = 0.0

    def transformation(self, learning_rate: Any) -> Any:
        import optax
        from optax.contrib import scale_by_adopt

        return optax.chain(
            scale_by_adopt(
                b1=self.b1,
                b2=self.b2,
                eps=self.eps,
                use_clipping=self.clip_exponent is not None,
                clip_value_fn=lambda step: step**self.clip_exponent,
            ),
            optax.add_decayed_weights(self.weight_decay, are_kernels),
            optax.scale_by_learning_rate(learning_rate),
        )

    def check_fields(self) -> None:
        check_numbers(self, "[0, 1)", "b1", "b2")
        check_numbers(self, "(0, inf)", "eps")
        check_numbers(self, "[0, inf)", "weight_decay")
        if self.clip_exponent is not None:
            check_numbers(self, "[0, inf)", "clip_exponent")
