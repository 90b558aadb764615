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
    in_shape: Shape
    params: Params
    model_state: ModelState
    x: np.ndarray


def functions_for(component: Layer | Network, in_shape: Shape) -> NetworkFunctions:
    """Return the pure functions of the module that a layer or network builds."""
    module = component.build() if isinstance(component, Layer) else component.build(in_shape, N_OUTPUTS)
    return functions_of_module(module)


def make(component: Any, in_shape: Shape, seed: int = 0) -> Made:
    """Return a component with parameters from a seed, made on the host as `fit` makes them."""

    def init(component: Any, key: Any, x: Any) -> tuple[Params, ModelState]:
        return functions_for(component, in_shape).init(wrap_key(key), x)

    component = as_traced(component)
    x = example_rows(component, np.random.default_rng(7).normal(size=(N_ROWS, *in_shape))).astype(np.float32)
    params, model_state = TracedFunction(init, "init")(component, key_of_seed(seed), x)
    return Made(component, in_shape, params, model_state, x)


def _apply(in_shape: Shape, train: bool) -> Callable[..., Any]:
    """Return a function of (component, params, model_state, x, row_mask) -> (output, model_state)."""

    def apply(component: Any, params: Params, model_state: ModelState, x: Any, row_mask: Any) -> Any:
        key = wrap_key(key_of_seed(3)) if train else None
        return functions_for(component, in_shape).apply(params, model_state, x, train, key, row_mask)

    return apply


def _ones(n: int) -> np.ndarray:
    return np.ones(n, np.float32)


@contract_check(
    "let the module keep axis 0 (the rows), return floats of the type of x, and, for a network, be `(n, n_outputs)`."
)
def check_output(component: Any, in_shape: Shape) -> None:
    """The output has one finite row a row; that of a network has the width that was asked for."""
    made = make(component, in_shape)
    for train in (False, True):
        output, _ = jax.jit(_apply(in_shape, train))(*made[:1], *made[2:], _ones(N_ROWS))
        shape = np.shape(output)
        expect(shape[:1] == (N_ROWS,), f"For {N_ROWS} rows of shape {in_shape} it returned shape {shape}.")
        if isinstance(component, Network):
            expect(shape == (N_ROWS, N_OUTPUTS), f"Of {N_OUTPUTS} outputs asked for it returned shape {shape}.")
        expect(output.dtype == np.float32, f"Of float32 rows it makes {output.dtype}.")
        expect_finite(output, "The output ")


@contract_check("let shapes depend on fields and on the shape of x only, and keep model state in the form of `init`.")
def check_init_gives_one_form(component: Any, in_shape: Shape) -> None:
    """Two seeds give parameters of one form, and training keeps the form of the model state."""
    made, again = make(component, in_shape), make(component, in_shape, seed=1)
    expect_same_form(
        (made.params, made.model_state), (again.params, again.model_state), "Two initialisations differ in form."
    )
    expect_finite((made.params, made.model_state), "Initially ")
    _, state = jax.eval_shape(_apply(in_shape, True), *made[:1], *made[2:], _ones(N_ROWS))
    expect_same_form(state, made.model_state, "A training step changes the form of the model state.")


@contract_check(
    "let predictions depend on nothing but the row: use running averages where the module mixes rows while training "
    "(`train: bool`), and no random numbers when `train` is False."
)
def check_rows_are_independent(component: Any, in_shape: Shape) -> None:
    """When predicting, a row's output does not depend on the other rows, and is the same at every call."""
    made = make(component, in_shape)
    predict = jax.jit(_apply(in_shape, False))
    output, state = predict(*made[:1], *made[2:], _ones(N_ROWS))
    half = N_ROWS // 2
    others = np.concatenate([made.x[:half], 3 * made.x[half:][::-1]])
    beside_others, _ = predict(made.component, made.params, made.model_state, others, _ones(N_ROWS))
    expect_close(beside_others[:half], output[:half], "Rows are predicted otherwise beside other rows.")
    alone, _ = predict(made.component, made.params, made.model_state, made.x[:half], _ones(half))
    expect_close(alone, output[:half], "Rows are predicted otherwise among fewer rows.", rtol=1e-4, atol=1e-5)
    again, _ = predict(*made[:1], *made[2:], _ones(N_ROWS))
    expect_close(again, output, "The same rows are predicted otherwise at the second call.", rtol=0, atol=0)
    expect_close(state, made.model_state, "Predicting changes the model state.", rtol=0, atol=0)


@contract_check(
    "if the module mixes rows while training, take `row_mask: (n,)` in `__call__` and leave rows out where it is 0, as "
    "`skdeep.layers.BatchNorm` does: batches are padded."
)
def check_padding_is_neutral(component: Any, in_shape: Shape) -> None:
    """While training, rows that are padding change neither the other rows' output, nor gradients, nor model state."""
    made = make(component, in_shape)

    @jax.jit
    def train(component: Any, params: Params, model_state: ModelState, x: Any) -> Any:
        row_mask = (jnp.arange(N_PADDED) < N_ROWS).astype(x.dtype)

        def total(params: Params) -> Any:
            output, state = _apply(in_shape, True)(component, params, model_state, x, row_mask)
            kept = output[:N_ROWS]
            return jnp.sum(kept * _cotangent(kept)), (kept, state)

        (_, (kept, state)), grad = jax.value_and_grad(total, has_aux=True)(params)
        return kept, grad, state

    first, second = (
        train(*made[:1], *made[2:4], np.concatenate([made.x, padding]))
        for padding in (made.x[: N_PADDED - N_ROWS], 3 * made.x[::-1][: N_PADDED - N_ROWS])
    )
    for what, a, b in zip(("output", "gradient", "model state"), first, second, strict=True):
        expect_close(a, b, f"Other padding rows change the {what}.", rtol=1e-4, atol=1e-5)


@contract_check(
    "compute in the type of x (no hard-coded float32), and give each branch of a `where` arguments at which its gradient "
    "is finite."
)
def check_gradient(component: Any, in_shape: Shape) -> None:
    """While training, the gradient by parameters and rows is finite and equals finite differences in float64.

    Rows of ids are not moved.
    """
    made = make(component, in_shape)
    rng = np.random.default_rng(5)
    with jax.enable_x64(True):
        component, params, state, x = jax.tree.map(_double, (made.component, *made[2:]))

        @jax.jit
        def total(params: Params, x: Any) -> Any:
            output, _ = _apply(in_shape, True)(component, params, state, x, jnp.ones(N_ROWS, x.dtype))
            return jnp.sum(output * _cotangent(output))

        point = (params, x)
        direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), point)
        if component.example_ids is not None:  # between two ids there is nothing
            direction = (direction[0], np.zeros_like(x))
        grad = jax.jit(jax.grad(total, argnums=(0, 1)))(*point)
        expect_finite(grad, "The gradient ")
        slope = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(grad), jax.tree.leaves(direction), strict=True))
        ahead, behind = (total(*jax.tree.map(lambda p, d, s=s: p + s * STEP * d, point, direction)) for s in (1, -1))
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
    for train in (False, True):
        jax.eval_shape(_apply(in_shape, train), *made[:1], *made[2:], _ones(N_ROWS))


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
