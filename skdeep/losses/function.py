"""Functions as losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Float, Shaped

from skdeep.contract import Loss


class FunctionLoss(Loss):
    """A function `f(raw, target) -> (n,)` as a loss; an estimator makes one of a function given as `loss=`.

    The link is the sigmoid (binary, multilabel) or the softmax (multiclass) in a classifier. In a regressor it is the
    identity, and y is standardised for training.

    Parameters
    ----------
    function : callable
        Takes `raw` `(n, k)` and `target` (see `skdeep.Loss`), and returns one value per row, `(n,)`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from skdeep.losses import FunctionLoss
    >>> FunctionLoss(lambda raw, target: jnp.abs(raw - target)[:, 0])(jnp.zeros((1, 1)), jnp.ones((1, 1)))
    Array([1.], dtype=float32)
    """

    function: Callable[[Any, Any], Any]

    probabilistic = True
    scaling = "standard"

    def __call__(self, raw: Float[Array, "n raw"], target: Shaped[Array, "n ..."]) -> Float[Array, " n"]:
        return self.function(raw, target)
