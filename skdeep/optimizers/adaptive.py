"""Optimizers with adaptive step sizes: past gradients of a parameter, or their signs, scale its step.

`weight_decay` is decoupled (Loshchilov and Hutter, arXiv 1711.05101): it is multiplied by the learning rate, and applied
to kernels only (`skdeep.kernels`), that is, not to biases, embedding tables and the parameters of norms.
"""

from __future__ import annotations

from typing import Any

from skdeep.contract import Optimizer
from skdeep.kernels import are_kernels
from skdeep.records import OptimizerState, Params


class Adam(Optimizer):
    """Adam (Kingma and Ba, arXiv 1412.6980).

    Parameters
    ----------
    b1, b2 : float, default=0.9, 0.999
        Decay per step of the running means of the gradients and of their squares, in [0, 1).
    eps : float, default=1e-8
        Added to the denominator.

    Examples
    --------
    >>> from skdeep.optimizers import Adam
    >>> Adam(b1=0.8)
    Adam(b1=0.8, b2=0.999, eps=1e-08)
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        return optax.adam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


class AdamW(Optimizer):
    """Adam with decoupled weight decay on kernels (Loshchilov and Hutter, arXiv 1711.05101).

    Parameters
    ----------
    b1, b2, eps : float
        As in `Adam`.
    weight_decay : float, default=1e-4
        Strength of the decoupled weight decay.

    Examples
    --------
    >>> from skdeep.optimizers import AdamW
    >>> AdamW(weight_decay=0.01).weight_decay
    0.01
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 1e-4

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        return optax.adamw(
            learning_rate, b1=self.b1, b2=self.b2, eps=self.eps, weight_decay=self.weight_decay, mask=are_kernels
        )


class NAdam(Optimizer):
    """Adam with Nesterov momentum (Dozat, 2016).

    Parameters
    ----------
    b1, b2, eps : float
        As in `Adam`.

    Examples
    --------
    >>> from skdeep.optimizers import NAdam
    >>> NAdam().b1
    0.9
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        return optax.nadam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


class RMSProp(Optimizer):
    """RMSProp with momentum (Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, Coursera 2012).

    Parameters
    ----------
    decay : float, default=0.9
        Decay per step of the running mean of squared gradients, in [0, 1).
    eps : float, default=1e-8
        Added to the running mean, inside the root.
    momentum : float, default=0.0
        Decay per step of the velocity, in [0, 1).

    Examples
    --------
    >>> from skdeep.optimizers import RMSProp
    >>> RMSProp(decay=0.99).decay
    0.99
    """

    decay: float = 0.9
    eps: float = 1e-8
    momentum: float = 0.0

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        return optax.rmsprop(learning_rate, decay=self.decay, eps=self.eps, momentum=self.momentum)


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, JMLR 12, 2011).

    Parameters
    ----------
    initial_accumulator : float, default=0.1
        Initial value of the sum of squared gradients.
    eps : float, default=1e-7
        Added to the sum, inside the root.

    Examples
    --------
    >>> from skdeep.optimizers import Adagrad
    >>> Adagrad().initial_accumulator
    0.1
    """

    initial_accumulator: float = 0.1
    eps: float = 1e-7

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        return optax.adagrad(learning_rate, initial_accumulator_value=self.initial_accumulator, eps=self.eps)


class Lion(Optimizer):
    """Lion: steps along the sign of an interpolated momentum (Chen et al., arXiv 2302.06675).

    Its steps are larger than Adam's at the same learning rate: use a learning rate 3 to 10 times smaller than Adam's.

    Parameters
    ----------
    b1, b2 : float, default=0.9, 0.99
        `b1` interpolates between momentum and gradient in the update; `b2` is the decay per step of the momentum.
    weight_decay : float, default=1e-3
        Strength of the decoupled weight decay.

    Examples
    --------
    >>> from skdeep.optimizers import Lion
    >>> Lion().b2
    0.99
    """

    b1: float = 0.9
    b2: float = 0.99
    weight_decay: float = 1e-3

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        return optax.lion(learning_rate, b1=self.b1, b2=self.b2, weight_decay=self.weight_decay, mask=are_kernels)


class Lamb(Optimizer):
    """LAMB: Adam with layer-wise trust ratios, for large batches (You et al., arXiv 1904.00962).

    Parameters
    ----------
    b1, b2, eps : float, default=0.9, 0.999, 1e-6
        As in `Adam`.
    weight_decay : float, default=0.0
        Strength of the weight decay, which is part of the update that the trust ratio scales.

    Examples
    --------
    >>> from skdeep.optimizers import Lamb
    >>> Lamb().eps
    1e-06
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-6
    weight_decay: float = 0.0

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        return optax.lamb(
            learning_rate, b1=self.b1, b2=self.b2, eps=self.eps, weight_decay=self.weight_decay, mask=are_kernels
        )


class ScheduleFreeAdamW(Optimizer):
    """Schedule-free AdamW: validation and prediction use an average of the iterates instead of a schedule.

    Use `schedule="constant"`, and a learning rate 1 to 10 times as large as Adam's.

    Parameters
    ----------
    b1, b2, eps : float, default=0.9, 0.999, 1e-8
        The gradient is taken at `b1 * average + (1 - b1) * iterate`; `b1` must be in (0, 1). `b2` and `eps` are as in
        `Adam`.
    weight_decay : float, default=0.0
        Strength of the decoupled weight decay.

    References
    ----------
    Defazio et al., "The Road Less Scheduled", arXiv 2405.15682.

    Examples
    --------
    >>> from skdeep.optimizers import ScheduleFreeAdamW
    >>> ScheduleFreeAdamW().b1
    0.9
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def transformation(self, learning_rate: Any) -> Any:
        import optax.contrib

        base = optax.adamw(
            learning_rate, b1=0.0, b2=self.b2, eps=self.eps, weight_decay=self.weight_decay, mask=are_kernels
        )
        return optax.contrib.schedule_free(base, learning_rate, b1=self.b1)

    def eval_params(self, params: Params, state: OptimizerState) -> Params:
        import optax.contrib

        return optax.contrib.schedule_free_eval_params(state, params)

    def check_fields(self) -> None:
        if not 0 < self.b1 < 1:
            raise ValueError(f"The 'b1' field of ScheduleFreeAdamW must be in (0, 1). Got {self.b1!r} instead.")
