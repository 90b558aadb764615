"""Layers and networks as pure functions, their parameters and example rows, and the compiled programs of their checks."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.component import Component
from skdeep.contract import Layer, Network, NetworkFunctions
from skdeep.core import as_traced
from skdeep.core.inputs import float_dtype
from skdeep.core.network import functions_of_module, without_losses
from skdeep.core.programs import TracedFunction
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.records import ModelState, Params
from skdeep.testing.dataflow import Dataflow, dataflow_of

N_ROWS, N_PADDED = 10, 16
N_OUTPUTS = 3
STEP = 1e-6

Shape: TypeAlias = tuple[int, ...]


class Made(NamedTuple):
    """A component with its initial parameters and model state, and example rows `(n, ...)`."""

    component: Any
    params: Params
    model_state: ModelState
    x: np.ndarray


def functions_for(component: Layer | Network, in_shape: Shape) -> NetworkFunctions:
    """Return the pure functions of the module that a layer or network builds."""
    module = component.build() if isinstance(component, Layer) else component.build(in_shape, N_OUTPUTS)
    return functions_of_module(module)


def init_params(component: Any, words: Any, x: Any) -> tuple[Params, ModelState]:
    """Return the initial parameters and model state, given the two words of a key."""
    return functions_for(component, x.shape[1:]).init(wrap_key(words), x)


_shared_init = TracedFunction(init_params, "init")


def make(component: Any, in_shape: Shape) -> Made:
    """Return a component with the parameters that `fit` would initialise on the host from seed 0, and example rows."""
    component = as_traced(component)
    x = example_rows(component, np.random.default_rng(7).normal(size=(N_ROWS, *in_shape)).astype(np.float32))
    params, model_state = _shared_init(component, key_of_seed(0), x)
    return Made(component, params, model_state, x)


def apply(
    component: Any, params: Params, model_state: ModelState, x: Any, row_mask: Any, train: bool, words: Any = None
) -> Any:
    """Return `(output, model_state, reported)`, where `reported` is the sum of the losses that modules report.

    In training, the key is made of `words`; the default is one fixed key.
    """
    key = wrap_key(key_of_seed(3) if words is None else words) if train else None
    output, changed = functions_for(component, x.shape[1:]).apply(params, model_state, x, train, key, row_mask)
    changed, reported = without_losses(model_state, changed)
    return output, changed, jnp.zeros((), float_dtype(x)) if reported is None else reported


class Flows(NamedTuple):
    """The dataflow of three functions.

    The first is `init(component, words, x)`; the other two are `f(component, words, x, params, model_state)`.
    """

    init: Dataflow
    training: Dataflow
    prediction: Dataflow


@functools.lru_cache(maxsize=4)
def init_flow_of(component: Any, in_shape: Shape) -> Dataflow:
    """Return the dataflow of the initialisation, traced again."""
    made = make(component, in_shape)
    return dataflow_of(init_params, made.component, key_of_seed(0), made.x)


@functools.lru_cache(maxsize=4)
def flows_of(component: Any, in_shape: Shape) -> Flows:
    """Return the dataflow of the initialisation, of the forward pass in training, and of prediction."""
    made, words = make(component, in_shape), key_of_seed(0)

    def run(train: bool, component: Any, words: Any, x: Any, params: Params, model_state: ModelState) -> Any:
        return apply(component, params, model_state, x, jnp.ones(len(x), float_dtype(x)), train, words)

    arguments = (made.component, words, made.x, made.params, made.model_state)
    training, prediction = (dataflow_of(functools.partial(run, train), *arguments) for train in (True, False))
    return Flows(init_flow_of(component, in_shape), training, prediction)


# The checks share the programs below, so that each is compiled once per component.


@jax.jit
def predict(component: Any, params: Params, model_state: ModelState, x: Any) -> Any:
    """Return `(output, model_state)` at prediction."""
    return apply(component, params, model_state, x, jnp.ones(len(x), float_dtype(x)), train=False)[:2]


@jax.jit
def train(component: Any, params: Params, model_state: ModelState, x: Any) -> Any:
    """Return total, its gradient with respect to parameters and rows, output, and model state, in training.

    Rows after the first `N_ROWS` are padding.
    """

    def of_point(params: Params, x: Any) -> Any:
        return total(component, params, x, model_state)

    differentiate = jax.value_and_grad(of_point, argnums=(0, 1), has_aux=True, allow_int=True)
    (value, (output, state)), (by_params, by_rows) = differentiate(params, x)
    by_rows = by_rows if jnp.issubdtype(x.dtype, jnp.floating) else jnp.zeros(x.shape)  # ids have no gradient
    return value, (by_params, by_rows), output, state


def total(component: Any, params: Params, x: Any, model_state: ModelState) -> Any:
    """Return the weighted sum of the training output over the rows that are not padding, and `(output, model_state)`.

    The losses that modules report are added to it.
    """
    row_mask = (jnp.arange(len(x)) < N_ROWS).astype(float_dtype(x))
    output, state, reported = apply(component, params, model_state, x, row_mask, train=True)
    kept = output[:N_ROWS]
    return jnp.sum(kept * _cotangent(kept)) + reported, (output, state)


def padded(made: Made, padding: np.ndarray | None = None) -> Made:
    """Return `made` with padding rows appended to x; by default they repeat its first rows."""
    padding = made.x if padding is None else padding
    return made._replace(x=np.concatenate([made.x, padding[: N_PADDED - N_ROWS]]))


def example_shape(component: Component) -> Shape:
    """Return the `example_shape` of a component, or that of the module or factory that it wraps, if there is one."""
    default: Shape = type(component).example_shape  # type: ignore[attr-defined]  # layers and networks have one
    inner = getattr(component, "module", None) or getattr(component, "factory", None)
    shape: Shape = getattr(inner, "example_shape", default)
    return shape


def example_rows(component: Layer | Network, x: np.ndarray) -> np.ndarray:
    """Return standard normal x unchanged, or mapped to ids if the component takes ids (int32 if it has `n_ids`)."""
    n_ids = component.example_ids
    if n_ids is None:
        return x
    ids = np.clip(np.round(x + (n_ids - 1) / 2), 0, n_ids - 1)
    return ids if component.n_ids is None else ids.astype(np.int32)


def _cotangent(output: Any) -> Any:
    """Return fixed random weights for the outputs, so that errors do not cancel in their sum."""
    return jnp.asarray(np.random.default_rng(11).normal(size=output.shape), output.dtype)
