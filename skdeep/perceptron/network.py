"""The network of the perceptron, and the conversion of its parameters from and to `coefs_` and `intercepts_`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from skdeep.contract import Layer, Network, NetworkFunctions
from skdeep.layers.activation import Activation, activation_function
from skdeep.layers.basic import Dense, Dropout
from skdeep.layers.composite import NORMALIZATIONS
from skdeep.networks.sequential import Sequential
from skdeep.records import ModelState, Params


class Perceptron(Network):
    """Dense layers with an activation after each but the last, as pure functions without Flax.

    Its parameters have the names that the same layers have in a Flax network. `init` sets them to zero, since the
    estimator replaces them by weights drawn as in scikit-learn (`initial_weights`).

    Parameters
    ----------
    widths : tuple of int
        Widths of the hidden layers.
    activation : str or callable, default="relu"
        Activation of the hidden layers.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.perceptron.network import Perceptron
    >>> init, apply = Perceptron((3,)).build((2,), 1)
    >>> params, state = init(None, np.ones((1, 2), np.float32))
    >>> {name: layer["kernel"].shape for name, layer in params.items()}
    {'Dense_0': (2, 3), 'output': (3, 1)}
    """

    widths: tuple[int, ...]
    activation: str | Callable[[Any], Any] = "relu"

    def build(self, in_shape: tuple[int, ...], n_outputs: int) -> NetworkFunctions:
        names = layer_names(len(self.widths))
        function = activation_function(self.activation)

        def init(key: Array, x: Array) -> tuple[Params, ModelState]:
            sizes = pairwise((math.prod(in_shape), *self.widths, n_outputs))
            return {
                name: {"bias": jnp.zeros(fan_out, x.dtype), "kernel": jnp.zeros((fan_in, fan_out), x.dtype)}
                for name, (fan_in, fan_out) in zip(names, sizes, strict=True)
            }, {}

        def apply(params: Params, model_state: ModelState, x: Array, *_: Any) -> tuple[Array, ModelState]:
            for name in names[:-1]:
                with jax.named_scope(name):
                    x = function(_dense(params[name], x))
            with jax.named_scope("output"):
                return _dense(params["output"], x), model_state

        return NetworkFunctions(init, apply)

    def check_fields(self) -> None:
        activation_function(self.activation)


def _dense(params: dict[str, Any], x: Array) -> Array:
    return x @ params["kernel"] + params["bias"][None, :]


def perceptron(widths: tuple[int, ...], activation: Any, dropout: float | None, normalization: str | None) -> Network:
    """Return the network: a `Perceptron`, or a `Sequential` of Flax layers if there is dropout or a normalisation."""
    if dropout is None and normalization is None:
        return Perceptron(widths, activation)
    norm = () if normalization is None else (NORMALIZATIONS[normalization](),)
    drop = () if dropout is None else (Dropout(dropout),)
    layers: list[Layer] = []
    for width in widths:
        layers += [Dense(width), *norm, Activation(activation), *drop]
    return Sequential(tuple(layers))


def layer_names(n_hidden: int) -> list[str]:
    """Return the names of the dense layers in the parameters, from first to last."""
    return [*(f"Dense_{i}" for i in range(n_hidden)), "output"]


def dense_params(coefs: Sequence[Any], intercepts: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters of the dense layers, given the lists `coefs_` and `intercepts_`."""
    names = layer_names(len(coefs) - 1)
    return {name: {"bias": bias, "kernel": kernel} for name, kernel, bias in zip(names, coefs, intercepts, strict=True)}


def split_params(params: Params, n_hidden: int) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Return the list of kernels, the list of biases, and a dict of the parameters of all other layers."""
    names = layer_names(n_hidden)
    others = {name: value for name, value in params.items() if name not in names}
    return [params[name]["kernel"] for name in names], [params[name]["bias"] for name in names], others


def initial_weights(
    units: Sequence[int], activation: Any, rng: np.random.RandomState, dtype: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw the same kernels and biases as scikit-learn's perceptron draws from `rng`.

    They are uniform in `+-sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio, AISTATS 2010), with 2 instead of 6 for the
    logistic activation. The bias of a layer has the bounds of its kernel and is drawn after it.

    Parameters
    ----------
    units : sequence of int
        Number of columns of X, widths of the hidden layers, number of raw outputs.
    """
    factor = 2.0 if activation in ("logistic", "sigmoid") else 6.0
    coefs, intercepts = [], []
    for fan_in, fan_out in pairwise(units):
        bound = np.sqrt(factor / (fan_in + fan_out))
        coefs.append(rng.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype, copy=False))
        intercepts.append(rng.uniform(-bound, bound, fan_out).astype(dtype, copy=False))
    return coefs, intercepts


def cast(tree: Any, dtype: Any) -> Any:
    """Return the pytree with its arrays as NumPy arrays of this dtype."""
    return jax.tree.map(lambda leaf: np.asarray(leaf).astype(dtype, copy=False), tree)
