"""SAM: steps by the gradient of the worst point nearby, around any other optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from skdeep import Optimizer
from skdeep.contract import OptimizerState, Params, arguments_for
from skdeep.kernels import are_kernels
from skdeep.optimizers import Adam
from skdeep_optimizers.fields import check_numbers


class SAM(Optimizer):
    r"""Sharpness-aware minimisation: looks for parameters whose whole neighbourhood has a low loss.

    Each step climbs to the (linearised) worst point of a ball of radius :math:`\rho`, and hands the gradient
    found there, on the same rows and with the same dropout, to another optimizer, which steps from where it was:

    .. math::
        \hat\epsilon = \rho\, \frac{T^2 \nabla L(\theta)}{\lVert T \nabla L(\theta) \rVert_2}, \qquad
        g = \nabla L(\theta + \hat\epsilon)

    :math:`T = 1` for SAM. With `adaptive`, :math:`T = |\theta| + \eta` for kernels and 1 for other parameters
    (ASAM): the neighbourhood of a weight is then relative to its size. A step costs two gradients, about
    twice the time. The learning rate is that which suits the inner optimizer. With `rho=0` it is the inner optimizer.

    `clip_norm` of the estimator has no effect on the second gradient, and so none on training. Running
    averages of batch statistics are those of the first pass. `optax.contrib.sam` spreads a step over two
    calls, or wants a gradient function that its caller must pass; this is written anew for skdeep's
    interface, which has both in one call.

    Parameters
    ----------
    rho : float, default=0.05
        Radius of the neighbourhood, at least 0: 0.05 to 0.5, larger where labels are noisy. With `adaptive` about
        ten times larger: 0.5 to 2.
    base : Optimizer
        The inner optimizer, Adam unless given; its fields are `base__b1` and so on, in an estimator
        `optimizer__base__b1`. One that takes all rows at once, with a line search, does not fit.
    adaptive : bool, default=False
        Scale the neighbourhood by the size of the weights.
    eta : float, default=0.01
        Added to the size of the weights; at least 0; used with `adaptive` only.

    References
    ----------
    Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization", arXiv 2010.01412;
    Kwon et al., "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant Learning of Deep Neural
    Networks", arXiv 2102.11600.

    Examples
    --------
    >>> from skdeep import DeepClassifier
    >>> from skdeep.optimizers import SGD
    >>> from skdeep_optimizers import SAM
    >>> model = DeepClassifier(optimizer=SAM(base=SGD(momentum=0.9)), learning_rate=0.1)
    >>> model.set_params(optimizer__rho=0.1, optimizer__base__momentum=0.8).optimizer
    SAM(rho=0.1, base=SGD(momentum=0.8, nesterov=False), adaptive=False, eta=0.01)
    """

    rho: float = 0.05
    base: Optimizer = Adam()
    adaptive: bool = False
    eta: float = 0.01

    def init(self, params: Params) -> OptimizerState:
        return self.base.init(params)

    def update(
        self,
        grad: Params,
        state: OptimizerState,
        params: Params,
        learning_rate: Any,
        value: Any,
        objective: Callable[[Params], Any],
        **more: Any,
    ) -> tuple[OptimizerState, Params]:
        grad_nearby = jax.grad(objective)(self._worst_nearby(grad, params))
        more = arguments_for(self.base.update, **more)
        return self.base.update(grad_nearby, state, params, learning_rate, value, objective, **more)

    def eval_params(self, params: Params, state: OptimizerState) -> Params:
        return self.base.eval_params(params, state)

    def _worst_nearby(self, grad: Params, params: Params) -> Params:
        sizes = jax.tree.map(self._size, params, are_kernels(params))
        scaled = jax.tree.map(jnp.multiply, sizes, grad)
        norm = jnp.sqrt(sum(jnp.sum(s * s) for s in jax.tree.leaves(scaled)))
        length = jnp.where(norm > 0, self.rho / jnp.where(norm > 0, norm, 1.0), 0.0)  # no gradient, no way up
        return jax.tree.map(lambda p, size, s: (p + length * size * s).astype(p.dtype), params, sizes, scaled)

    def _size(self, leaf: Any, is_kernel: bool) -> Any:
        return jnp.abs(leaf) + self.eta if self.adaptive and is_kernel else jnp.ones((), leaf.dtype)

    def check_fields(self) -> None:
        check_numbers(self, "[0, inf)", "rho", "eta")
        if not isinstance(self.base, Optimizer):
            raise ValueError(
                f"The 'base' field of SAM must be an optimizer component. Got {self.base!r} instead. "
                "Write base=SGD(momentum=0.9), with a class of skdeep.optimizers or of your own."
            )
        if self.base.full_batch:
            raise ValueError(
                f"The 'base' field of SAM must step by gradients of batches. Got {self.base!r} instead, which searches "
                "along a line on all rows, where the gradient of another point misleads it. Take Adam() or SGD()."
            )
