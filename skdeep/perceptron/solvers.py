"""scikit-learn's two stochastic solvers, with the same operations in the same order; they do not use Optax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from skdeep.contract import Optimizer
from skdeep.records import OptimizerState, Params


class SGDSolver(Optimizer):
    r"""Stochastic gradient descent with momentum.

    The velocity is :math:`v \leftarrow m v - \eta g`, with momentum m, learning rate :math:`\eta` and gradient g. The update
    is :math:`v`, or :math:`m v - \eta g` with Nesterov's momentum. Unlike in Optax, the learning rate is part of the
    velocity, so a lower learning rate does not scale down the velocity that past gradients have built up.

    Parameters
    ----------
    momentum : float, default=0.9
        Decay per step of the velocity, in [0, 1).
    nesterov : bool, default=True
        If True, use Nesterov's momentum.

    References
    ----------
    Sutskever et al., "On the Importance of Initialization and Momentum in Deep Learning", ICML 2013.

    Examples
    --------
    >>> from skdeep.perceptron.solvers import SGDSolver
    >>> solver = SGDSolver(momentum=0.5, nesterov=False)
    >>> velocity, update = solver.update(1.0, solver.init(0.0), 0.0, 0.5, None, None)
    >>> float(update)
    -0.5
    """

    momentum: float = 0.9
    nesterov: bool = True

    def init(self, params: Params) -> OptimizerState:
        return jax.tree.map(jnp.zeros_like, params)

    def update(
        self, grad: Params, state: OptimizerState, params: Params, learning_rate: Any, value: Any, objective: Any
    ) -> tuple[OptimizerState, Params]:
        def advance(velocity: Any, g: Any) -> Any:
            return self.momentum * velocity - learning_rate * g

        velocity = jax.tree.map(advance, state, grad)
        return velocity, jax.tree.map(advance, velocity, grad) if self.nesterov else velocity


class AdamSolver(Optimizer):
    r"""Adam (Kingma and Ba, arXiv 1412.6980), in the more efficient form at the end of section 2 of the paper.

    The update :math:`-\eta \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t} \frac{m}{\sqrt{v} + \epsilon}` adds
    :math:`\epsilon` before the bias correction of :math:`v`, as Keras does. Optax and PyTorch add it after the correction.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay per step of the running means of the gradients and of their squares, in [0, 1).
    epsilon : float, default=1e-8
        Added to the denominator.

    Examples
    --------
    >>> from skdeep.perceptron.solvers import AdamSolver
    >>> solver = AdamSolver()
    >>> _, update = solver.update(2.0, solver.init(0.0), 0.0, 0.1, None, None)
    >>> round(float(update), 5)
    -0.1
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def init(self, params: Params) -> OptimizerState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return jnp.int32(0), zeros, zeros

    def update(
        self,
        grad: Params,
        state: OptimizerState,
        params: Params,
        learning_rate: Float[Array, ""],
        value: Any,
        objective: Any,
    ) -> tuple[OptimizerState, Params]:
        n_steps, mean, square = state
        n_steps = n_steps + 1
        mean = jax.tree.map(lambda m, g: self.beta_1 * m + (1 - self.beta_1) * g, mean, grad)
        square = jax.tree.map(lambda v, g: self.beta_2 * v + (1 - self.beta_2) * g**2, square, grad)
        corrected = learning_rate * jnp.sqrt(1 - self.beta_2**n_steps) / (1 - self.beta_1**n_steps)
        updates = jax.tree.map(lambda m, v: -corrected * m / (jnp.sqrt(v) + self.epsilon), mean, square)
        return (n_steps, mean, square), updates
