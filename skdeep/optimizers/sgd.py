"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from skdeep.contract import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent with heavy-ball or Nesterov momentum.

    Parameters
    ----------
    momentum : float, default=0.0
        Decay per step of the velocity, in [0, 1).
    nesterov : bool, default=False
        If True, use Nesterov's momentum (Sutskever et al., ICML 2013).

    Examples
    --------
    >>> from skdeep import DeepRegressor
    >>> model = DeepRegressor(optimizer="sgd", learning_rate=0.1).set_params(optimizer__momentum=0.9)
    >>> model.optimizer
    SGD(momentum=0.9, nesterov=False)
    """

    momentum: float = 0.0
    nesterov: bool = False

    def transformation(self, learning_rate: Any) -> Any:
        import optax

        return optax.sgd(learning_rate, momentum=self.momentum, nesterov=self.nesterov)
