"""Checks for layers and networks: shapes, randomness, gradients, and rows that do not see each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.component import Component
from skdeep.contract import Layer, ModelState, Network, NetworkFunctions, Params
from skdeep.core import as_traced
from skdeep.core.network import functions_of_module
from skdeep.core.programs import TracedFunction
from skdeep.core.random import key_of_seed, wrap_key
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite, expect_same_form

N_ROWS, N_PADDED = 10, 16
N_OUTPUTS = 3
STEP = 1e-6

Shape: TypeAlias = tuple[int, ...]


class Made(NamedTuple):
    """A component with its first parameters and example rows `(n, ...)`."""

    component: Any
    params: Params
    model_state: ModelState
    x: np.ndarray


def functions_for(component: Layer | Network, in_shape: Shape) -> NetworkFunctions:
    """Return the pure functions of the module that a layer or network builds."""
    module = component.build() if isinstance(component, Layer) else component.build(in_shape, N_OUTPUTS)
    return functions_of_module(module)


def _init(component: Any, key: Any, x: Any) -> tuple[Params, ModelState]:
    return functions_for(component, x.shape[1:]).init(wrap_key(key), x)


_shared_init = TracedFunction(_init, "init")


def make(component: Any, in_shape: Shape, seed: int = 0, init: Callable[..., Any] = _shared_init) -> Made:
    """Return a component with parameters from a seed, made on the host as `fit` makes them."""
    component = as_traced(component)
    x = example_rows(component, np.random.default_rng(7).normal(size=(N_ROWS, *in_shape))).astype(np.float32)
    params, model_state = init(component, key_of_seed(seed), x)
    return Made(component, params, model_state, x)


def _apply(component: Any, params: Params, model_state: ModelState, x: Any, row_mask: Any, train: bool) -> Any:
    """Return `(output, model_state)`."""
    key = wrap_key(key_of_seed(3)) if train else None
    return functions_for(component, x.shape[1:]).apply(params, model_state, x, train, key, row_mask)


# Below are the programs that the checks share: what one has compiled for a component, the next one uses.


@jax.jit
def _predict(component: Any, params: Params, model_state: ModelState, x: Any) -> Any:
    """Return `(output, model_state)` of prediction."""
    return _apply(component, params, model_state, x, jnp.ones(len(x), x.dtype), train=False)


@jax.jit
def _train(component: Any, params: Params, model_state: ModelState, x: Any) -> Any:
    """Return total, gradient by parameters and rows, output and model state; rows after the first are padding."""
    row_mask = (jnp.arange(len(x)) < N_ROWS).astype(x.dtype)

    def total(params: Params, x: Any) -> Any:
        output, state = _apply(component, params, model_state, x, row_mask, train=True)
        kept = output[:N_ROWS]
        return jnp.sum(kept * _cotangent(kept)), (output, state)

    (value, (output, state)), grad = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)(params, x)
    return value, grad, output, state


def _padded(made: Made, padding: np.ndarray | None = None) -> Made:
    """Return it with rows of padding behind its own, by default its first rows again."""
    padding = made.x if padding is None else padding
    return made._replace(x=np.concatenate([made.x, padding[: N_PADDED - N_ROWS]]))


@contract_check(
    "let the module keep axis 0 (the rows), return floats of the type of x, and, for a network, be `(n, n_outputs)`."
)
def check_output(component: Any, in_shape: Shape) -> None:
    """The output has one finite row a row; that of a network has the width that was asked for."""
    made = make(component, in_shape)
    _expect_output(component, made.x, _predict(*made)[0])
    padded = _padded(made)
    _expect_output(component, padded.x, _train(*padded)[2])


def _expect_output(component: Any, x: np.ndarray, output: Any) -> None:
    shape = np.shape(output)
    expect(shape[:1] == x.shape[:1], f"For {len(x)} rows of shape {x.shape[1:]} it returned shape {shape}.")
    if isinstance(component, Network):
        expect(shape == (len(x), N_OUTPUTS), f"Of {N_OUTPUTS} outputs asked for it returned shape {shape}.")
    expect(output.dtype == np.float32, f"Of float32 rows it makes {output.dtype}.")
    expect_finite(np.asarray(output)[:N_ROWS], "The output ")


@contract_check("let shapes depend on fields and on the shape of x only, and keep model state in the form of `init`.")
def check_init_gives_one_form(component: Any, in_shape: Shape) -> None:
    """Two seeds give parameters of one form, and training keeps the form of the model state."""
    made = make(component, in_shape)
    again = make(component, in_shape, seed=1, init=TracedFunction(_init, "init"))  # the module is built anew as well
    expect_same_form(
        (made.params, made.model_state), (again.params, again.model_state), "Two initialisations differ in form."
    )
    expect_finite((made.params, made.model_state), "Initially ")
    state = jax.eval_shape(_train, *_padded(made))[3]
    expect_same_form(state, made.model_state, "A training step changes the form of the model state.")


@contract_check(
    "let predictions depend on nothing but the row: use running averages where the module mixes rows while training "
    "(`train: bool`), and no random numbers when `train` is False."
)
def check_rows_are_independent(component: Any, in_shape: Shape) -> None:
    """When predicting, a row's output does not depend on the other rows, and is the same at every call."""
    made = make(component, in_shape)
    output, state = jax.device_get(_predict(*made))
    half = N_ROWS // 2
    others = np.concatenate([made.x[:half], 3 * made.x[half:][::-1]])
    beside_others, _ = jax.device_get(_predict(*made._replace(x=others)))
    expect_close(beside_others[:half], output[:half], "Rows are predicted otherwise beside other rows.")
    alone, _ = _predict(*made._replace(x=made.x[:half]))
    expect_close(alone, output[:half], "Rows are predicted otherwise among fewer rows.", rtol=1e-4, atol=1e-5)
    again, _ = _predict(*made)
    expect_close(again, output, "The same rows are predicted otherwise at the second call.", rtol=0, atol=0)
    expect_close(state, made.model_state, "Predicting changes the model state.", rtol=0, atol=0)


@contract_check(
    "if the module mixes rows while training, take `row_mask: (n,)` in `__call__` and leave rows out where it is 0, as "
    "`skdeep.layers.BatchNorm` does: batches are padded."
)
def check_padding_is_neutral(component: Any, in_shape: Shape) -> None:
    """While training, rows that are padding change neither the other rows' output, nor gradients, nor model state."""
    made = make(component, in_shape)
    (_, grad, output, state), (_, other_grad, other_output, other_state) = (
        jax.device_get(_train(*_padded(made, padding))) for padding in (made.x, 3 * made.x[::-1])
    )
    for what, a, b in (
        ("output", output[:N_ROWS], other_output[:N_ROWS]),
        ("gradient", grad[0], other_grad[0]),
        ("model state", state, other_state),
    ):
        expect_close(a, b, f"Other padding rows change the {what}.", rtol=1e-4, atol=1e-5)


@contract_check(
    "compute in the type of x (no hard-coded float32), and give each branch of a `where` arguments at which its gradient "
    "is finite."
)
def check_gradient(component: Any, in_shape: Shape) -> None:
    """While training, the gradient by parameters and rows is finite and equals finite differences in float64.

    Rows of ids are not moved.
    """
    rng = np.random.default_rng(5)
    with jax.enable_x64(True):
        component, params, state, x = jax.tree.map(_double, tuple(make(component, in_shape)))
        point = (params, x)
        direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), point)
        if component.example_ids is not None:  # between two ids there is nothing
            direction = (direction[0], np.zeros_like(x))

        def total_and_grad(step: float) -> Any:
            params, x = jax.tree.map(lambda p, d: p + step * d, point, direction)
            return _train(component, params, state, x)[:2]

        grad = total_and_grad(0.0)[1]
        expect_finite(grad, "The gradient ")
        slope = sum(np.vdot(g, d) for g, d in zip(jax.tree.leaves(grad), jax.tree.leaves(direction), strict=True))
        ahead, behind = (total_and_grad(step)[0] for step in (STEP, -STEP))
        expect(ahead.dtype == np.float64, f"Of float64 rows it makes {ahead.dtype}.")
        wanted = (ahead - behind) / (2 * STEP)
    expect_close(slope, wanted, "The gradient is not the slope of the output.", rtol=1e-4, atol=1e-5)


@contract_check(
    "use `jnp.where` or `lax.cond` instead of `if` on float fields (Flax's own Dropout asks `if rate == 0`: use "
    "`skdeep.layers.Dropout`), or declare a field that decides shapes as `skdeep.static(default)`."
)
def check_floats_are_traced(component: Any, in_shape: Shape) -> None:
    """Module, initial values and output can be traced with every float field as an abstract number."""
    made = make(component, in_shape)
    jax.eval_shape(_predict, *made)
    jax.eval_shape(_train, *_padded(made))


MODULE_CHECKS = (
    check_output,
    check_init_gives_one_form,
    check_rows_are_independent,
    check_padding_is_neutral,
    check_gradient,
    check_floats_are_traced,
)


def example_shape(component: Component) -> Shape:
    """Return the shape of a row that a layer or network says it takes; a module or factory inside may say so too."""
    default: Shape = type(component).example_shape  # type: ignore[attr-defined]  # layers and networks have one
    inner = getattr(component, "module", None) or getattr(component, "factory", None)
    shape: Shape = getattr(inner, "example_shape", default)
    return shape


def example_rows(component: Layer | Network, x: np.ndarray) -> np.ndarray:
    """Return measurements of unit size as the layer or network takes them: ids if it says so."""
    n_ids = component.example_ids
    return x if n_ids is None else np.clip(np.round(x + (n_ids - 1) / 2), 0, n_ids - 1)


def _cotangent(output: Any) -> Any:
    """Return fixed weights for the outputs, so that no error cancels in their sum."""
    return jnp.asarray(np.random.default_rng(11).normal(size=output.shape), output.dtype)


def _double(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype == np.float32 else array
