"""A plain function as a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Array, Float, Shaped

from skdeep.contract import Loss


class FunctionLoss(Loss):
    """A function `f(raw, target) -> (n,)`, as handed to `loss=`.

    In a classifier the link is then sigmoid (binary, multilabel) or softmax (multiclass), in a
    regressor the identity on the standardised target.

    Parameters
    ----------
    function : callable
        Of `raw (n, k)` and `target` (see `skdeep.Loss`); returns one value a row.

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
