"""SGLD: gradient descent with noise, whose parameters are samples of a posterior distribution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from skdeep import Optimizer
from skdeep.contract import OptimizerState, Params
from skdeep_optimizers.fields import check_numbers


class SGLD(Optimizer):
    r"""Stochastic gradient Langevin dynamics: gradient descent with normal noise of the right size.

    .. math:: \theta_t = \theta_{t-1} - \eta\, \nabla L(\theta_{t-1}) + \sqrt{2 \eta T}\; \xi_t, \qquad \xi_t \sim N(0, 1)

    For small learning rates :math:`\eta` the parameters are at last distributed as :math:`\exp(-L(\theta) / T)`. :math:`L` is
    the objective of the fit: the mean loss over rows, and the estimator's penalties. Where the loss is a negative log
    likelihood and there are n rows, `temperature=1 / n` makes that the posterior distribution, with `l2` as the prior: the
    step of Welling and Teh with :math:`\epsilon = 2 \eta / n`. Lower temperatures stay closer to the best parameters.

    A fit ends with one sample. For several, fit with several `random_state`, or go on by `partial_fit`. A schedule that lets
    the learning rate fall, as the paper has it, lets the noise fall by its square root.

    Parameters
    ----------
    temperature : float, default=1e-4
        T above, at least 0. With 0 this is gradient descent.
    burn_in : float, default=0.0
        Share of the training without noise at its beginning, in [0, 1].

    References
    ----------
    Welling and Teh, "Bayesian Learning via Stochastic Gradient Langevin Dynamics", ICML 2011.

    Examples
    --------
    >>> from skdeep import DeepClassifier
    >>> from skdeep_optimizers import SGLD
    >>> DeepClassifier(optimizer=SGLD(temperature=1e-3), learning_rate=0.1, schedule="linear").optimizer
    SGLD(temperature=0.001, burn_in=0.0)
    """

    temperature: float = 1e-4
    burn_in: float = 0.0

    plugin_api = (1, 1)

    def init(self, params: Params) -> OptimizerState:
        return ()

    def update(  # type: ignore[override]  # names progress and key
        self,
        grad: Params,
        state: OptimizerState,
        params: Params,
        learning_rate: Any,
        value: Any,
        objective: Callable[[Params], Any],
        *,
        progress: Any,
        key: Any,
    ) -> tuple[OptimizerState, Params]:
        std = jnp.where(progress >= self.burn_in, jnp.sqrt(2 * learning_rate * self.temperature), 0.0)
        leaves, tree = jax.tree.flatten(grad)
        keys = jax.random.split(key, len(leaves))
        steps = [
            (std * jax.random.normal(k, g.shape, g.dtype) - learning_rate * g).astype(g.dtype)
            for k, g in zip(keys, leaves, strict=True)
        ]
        return state, jax.tree.unflatten(tree, steps)

    def check_fields(self) -> None:
        check_numbers(self, "[0, inf)", "temperature")
        check_numbers(self, "[0, 1]", "burn_in")
