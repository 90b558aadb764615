"""Activation functions, by their names in `jax.nn` and by scikit-learn's names "identity" and "logistic"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from skdeep import errors
from skdeep.contract import Layer

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "celu": jax.nn.celu,
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_silu": jax.nn.hard_silu,
    "hard_swish": jax.nn.hard_swish,
    "hard_tanh": jax.nn.hard_tanh,
    "identity": lambda x: x,
    "leaky_relu": jax.nn.leaky_relu,
    "log_sigmoid": jax.nn.log_sigmoid,
    "logistic": jax.nn.sigmoid,
    "mish": jax.nn.mish,
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "selu": jax.nn.selu,
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "soft_sign": jax.nn.soft_sign,
    "softmax": jax.nn.softmax,
    "softplus": jax.nn.softplus,
    "swish": jax.nn.swish,
    "tanh": jnp.tanh,
}


def activation_function(activation: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the activation function of this name; return a function unchanged.

    Raises
    ------
    ValueError
        If no activation has this name.
    """
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise errors.UnknownComponentError(errors.unknown_name("activation", activation, ACTIVATIONS))
    return ACTIVATIONS[activation]


class Activation(Layer):
    """Apply an activation function to every value.

    Parameters
    ----------
    function : str or callable, default="relu"
        A name such as "relu", "gelu", "tanh", or a function.

    Examples
    --------
    >>> from skdeep.layers import Activation
    >>> Activation("tanh")
    Activation(function='tanh')
    """

    function: str | Callable[[Any], Any] = "relu"

    def build(self) -> Any:
        from skdeep.layers.linen.function import Function

        return Function(activation_function(self.function))

    def check_fields(self) -> None:
        activation_function(self.function)
