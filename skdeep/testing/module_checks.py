"""Checks for layers and networks: shapes, initialisation, independent rows, padding, gradients, traced floats."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from skdeep.contract import Network
from skdeep.testing.component_checks import expect_each_used
from skdeep.testing.module_programs import (
    N_OUTPUTS,
    N_ROWS,
    Shape,
    flows_of,
    init_flow_of,
    make,
    padded,
    predict,
    total,
    train,
)
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite, expect_same_form
from skdeep.testing.stopped import values_with_stopped

STEP = 1e-6
RTOL, ATOL = 1e-4, 1e-5


@contract_check("keep axis 0 (the rows), return floats in the dtype of x, and, in a network, return `(n, n_outputs)`.")
def check_output(component: Any, in_shape: Shape) -> None:
    """The output is finite and has as many rows as x; that of a network has `n_outputs` columns."""
    made = make(component, in_shape)
    _expect_output(component, made.x, predict(*made)[0])
    longer = padded(made)
    value, _, output, _ = train(*longer)
    _expect_output(component, longer.x, output)
    expect_finite(value, "The sum of the losses that it reports")


def _expect_output(component: Any, x: np.ndarray, output: Any) -> None:
    shape = np.shape(output)
    expect(shape[:1] == x.shape[:1], f"For {len(x)} rows of shape {x.shape[1:]} it returned shape {shape}.")
    if isinstance(component, Network):
        expect(
            shape == (len(x), N_OUTPUTS),
            f"The network must return the shape {(len(x), N_OUTPUTS)}, but returned {shape}.",
        )
    expect(output.dtype == np.float32, f"For float32 rows it returned {output.dtype}.")
    expect_finite(np.asarray(output)[:N_ROWS], "The output ")


@contract_check(
    "let shapes depend on the fields and on the shape of x only, and keep the form of the model state that `init` returns."
)
def check_init_gives_one_form(component: Any, in_shape: Shape) -> None:
    """Two initialisations give parameters of equal form, and a training step keeps the form of the model state."""
    made = make(component, in_shape)
    again = init_flow_of(component, in_shape).traced[0].out_avals  # the module is built again too
    forms = [[(leaf.shape, leaf.dtype) for leaf in leaves] for leaves in (jax.tree.leaves(made[1:3]), again)]
    expect(forms[0] == forms[1], f"Two initialisations give different shapes or dtypes: {forms[0]} and {forms[1]}.")
    expect_finite((made.params, made.model_state), "The initial value of ")
    state = jax.eval_shape(train, *padded(made))[3]
    expect_same_form(state, made.model_state, "A training step changes the form of the model state.")


@contract_check(
    "let the prediction of a row depend on that row alone: use running averages if the module mixes rows in training "
    "(`train: bool`), and no random numbers when `train` is False."
)
def check_rows_are_independent(component: Any, in_shape: Shape) -> None:
    """At prediction, a row's output does not depend on the other rows, and is the same at every call."""
    made = make(component, in_shape)
    output, state = jax.device_get(predict(*made))
    half = N_ROWS // 2
    others = np.concatenate([made.x[:half], 3 * made.x[half:][::-1]])
    beside_others, _ = jax.device_get(predict(*made._replace(x=others)))
    expect_close(beside_others[:half], output[:half], "The prediction of a row depends on the other rows.")
    alone, _ = predict(*made._replace(x=made.x[:half]))
    expect_close(alone, output[:half], "The prediction of a row changes if there are fewer rows.", rtol=1e-4, atol=1e-5)
    again, _ = predict(*made)
    expect_close(again, output, "A second call gives other predictions for the same rows.", rtol=0, atol=0)
    expect_close(state, made.model_state, "Prediction changes the model state.", rtol=0, atol=0)


@contract_check(
    "if the module mixes rows in training, take `row_mask: (n,)` in `__call__` and leave out the rows where it is 0, as "
    "`skdeep.layers.BatchNorm` does: batches are padded."
)
def check_padding_is_neutral(component: Any, in_shape: Shape) -> None:
    """In training, padding rows change neither the output of other rows, nor gradients, nor the model state.

    They do not change the losses that modules report either.
    """
    made = make(component, in_shape)
    (value, grad, output, state), (other_value, other_grad, other_output, other_state) = (
        jax.device_get(train(*padded(made, padding))) for padding in (made.x, 3 * made.x[::-1])
    )
    for what, a, b in (
        ("output", output[:N_ROWS], other_output[:N_ROWS]),
        ("sum of the losses that it reports", value, other_value),
        ("gradient", grad[0], other_grad[0]),
        ("model state", state, other_state),
    ):
        expect_close(a, b, f"The values of padding rows change the {what}.", rtol=1e-4, atol=1e-5)


@contract_check(
    "compute in the dtype of x (no hard-coded float32), and give each branch of a `where` arguments at which its gradient "
    "is finite. If the gradient differs on purpose, as in a straight-through estimator, write it with `stop_gradient`; if it "
    "comes from a custom rule, declare the failure in `expected_failed_checks`."
)
def check_gradient(component: Any, in_shape: Shape) -> None:
    """In training, the gradient with respect to parameters and rows is finite and equals finite differences in float64.

    The finite differences hold the arguments of `stop_gradient` fixed, and do not change rows of ids.
    """
    rng = np.random.default_rng(5)
    with jax.enable_x64(True):
        component, params, state, x = jax.tree.map(_double, tuple(make(component, in_shape)))
        point = (params, x)
        direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), point)
        if component.example_ids is not None:  # values between two ids are not valid
            direction = (direction[0], np.zeros_like(x))

        def moved(step: float) -> Any:
            return jax.tree.map(lambda p, d: p + step * d, point, direction)

        def run(point: Any) -> Any:
            return train(component, point[0], state, point[1])

        _, grad, output, _ = run(point)
        expect_finite(grad, "The gradient ")
        expect(output.dtype == np.float64, f"For float64 rows it returned {output.dtype}.")
        slope = sum(np.vdot(g, d) for g, d in zip(jax.tree.leaves(grad), jax.tree.leaves(direction), strict=True))
        wanted = [(run(moved(STEP))[0] - run(moved(-STEP))[0]) / (2 * STEP)]
        if not np.allclose(slope, wanted[0], rtol=RTOL, atol=ATOL):
            ahead, behind = values_with_stopped(
                lambda params, x: total(component, params, x, state)[0], point, moved(STEP), moved(-STEP)
            )
            wanted.append((ahead - behind) / (2 * STEP))
    expect_close(slope, wanted[-1], "The gradient is not the slope of the output.", rtol=RTOL, atol=ATOL)


@contract_check(
    "use `jnp.where` or `lax.cond` instead of `if` on float fields (Flax's Dropout tests `if rate == 0`: use "
    "`skdeep.layers.Dropout`), or declare a field that decides shapes as `skdeep.static(default)`."
)
def check_floats_are_traced(component: Any, in_shape: Shape) -> None:
    """Module, initialisation and output can be traced with abstract numbers in all float fields."""
    flows_of(component, in_shape)


@contract_check("use the field, or remove it: a search over it would compare equal models.")
def check_float_fields_matter(component: Any, in_shape: Shape) -> None:
    """Each float field changes the initial parameters, the outputs or the model state."""

    def used_by(component: Any) -> frozenset[int]:
        return frozenset().union(*(flow.used for flow in flows_of(component, in_shape)))

    expect_each_used(component, used_by, "neither the initial parameters nor the output")


MODULE_CHECKS = (
    check_output,
    check_init_gives_one_form,
    check_rows_are_independent,
    check_padding_is_neutral,
    check_gradient,
    check_floats_are_traced,
    check_float_fields_matter,
)


def _double(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype == np.float32 else array
