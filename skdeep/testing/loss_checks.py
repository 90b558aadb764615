"""Checks for losses: the value of each row, its dependencies, and its gradient. `link_checks` checks the link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.contract import Loss
from skdeep.core import as_traced
from skdeep.core.raw import by_name, raw_widths
from skdeep.records import Task
from skdeep.testing.component_checks import expect_each_used
from skdeep.testing.dataflow import dataflow_of
from skdeep.testing.loss_cases import (
    N_ROWS,
    Case,
    call,
    cases_of,
    example_target,
    served_tasks,
    single,
    tasks_of,
    value_and_grad,
    values_of,
)
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite

STEP = 1e-6
EXTREME = 30.0


@contract_check("return one finite float per row, `(n,)`, without the mean over rows: weights are applied later.")
def check_one_value_per_row(loss: Loss) -> None:
    """For each of its tasks, inside `jit`, the loss returns `(n,)` finite floats in the dtype of raw."""
    for case in cases_of(loss):
        raw, target = single(case.raw), single(case.target)
        values = values_of(as_traced(loss), raw, target)
        where = f"for {case.task.kind}, raw {raw.shape} and target {target.shape}"
        expect(np.shape(values) == (N_ROWS,), f"{where} it returned shape {np.shape(values)}, not {(N_ROWS,)}.")
        expect(values.dtype == np.float32, f"{where} it returned {values.dtype}, not the float32 of raw.")
        expect_finite(values, f"{where} the loss ")


@contract_check(
    "compute each row from that row alone: no mean, maximum, sort or comparison over axis 0. A loss that is meant to compare "
    "rows says so, `of_batch = True`, and takes their weights."
)
def check_rows_are_independent(loss: Loss) -> None:
    """A row's loss does not depend on the values of the other rows, nor on their number.

    The loss of a batch may depend on them: see `check_batch`.
    """
    if loss.of_batch:
        return
    for case in cases_of(loss):
        raw, target = single(case.raw), single(case.target)
        values = np.asarray(values_of(as_traced(loss), raw, target))
        half = N_ROWS // 2
        part = values_of(as_traced(loss), raw[:half], target[:half])
        expect_close(
            part,
            values[:half],
            f"({case.task.kind}) The loss of a row changes if there are fewer rows.",
        )
        others = np.concatenate([raw[:half], EXTREME * np.sign(raw[half:])])
        with_others = np.asarray(values_of(as_traced(loss), others, target))
        expect_close(
            with_others[:half],
            values[:half],
            f"({case.task.kind}) The loss of a row depends on the other rows.",
        )


@contract_check(
    "use the weights that a loss of a batch is given: multiply by them before each sum over rows, and leave rows of weight 0 "
    "out of counts, maxima and comparisons; guard what is divided by, since all weights may be 0."
)
def check_batch(loss: Loss) -> None:
    """In a loss of a batch, rows of weight 0 change no other row, and the order of rows does not matter."""
    if not loss.of_batch:
        return
    rng = np.random.default_rng(2)
    for case in cases_of(loss):
        kind, raw, target = case.task.kind, single(case.raw), single(case.target)
        weight = rng.uniform(0.5, 1.5, N_ROWS).astype(np.float32)
        values = np.asarray(values_of(as_traced(loss), raw, target, weight))
        order = rng.permutation(N_ROWS)
        shuffled = values_of(as_traced(loss), raw[order], target[order], weight[order])
        expect_close(shuffled, values[order], f"({kind}) Another order of the rows gives other values.")
        for others in (raw, EXTREME * np.sign(raw)):
            more = np.concatenate([raw, others]), np.concatenate([target, target[order]])
            padded = values_of(as_traced(loss), *more, np.concatenate([weight, np.zeros_like(weight)]))
            expect_close(padded[:N_ROWS], values, f"({kind}) Rows of weight 0 change the values of the others.")
        nothing = values_of(as_traced(loss), raw, target, np.zeros(N_ROWS, np.float32))
        expect_finite(nothing, f"({kind}) Where all weights are 0, the loss")


@contract_check(
    "compute the loss of each row from that row alone, with finite values and gradients also for raw outputs of +-30."
)
def check_padding_is_neutral(loss: Loss) -> None:
    """Rows of weight 0 change neither the weighted sum of losses nor its gradient, also with raw outputs of +-30."""
    for case in cases_of(loss):
        raw, target = single(case.raw), single(case.target)
        padded = np.concatenate([raw, EXTREME * np.sign(raw)]), np.concatenate([target, target])
        weight = np.repeat(np.array([1, 0], np.float32), N_ROWS)
        plain_value, plain_grad = value_and_grad(loss, raw, target)
        value, grad = value_and_grad(loss, *padded, weight)
        expect_close(value, plain_value, f"({case.task.kind}) Padding rows change the sum.")
        expect_close(grad[:N_ROWS], plain_grad, f"({case.task.kind}) Padding rows change the gradient.")
        expect_close(
            grad[N_ROWS:], np.zeros_like(raw), f"({case.task.kind}) Padding rows have a gradient that is not 0."
        )


@contract_check(
    "compute in the dtype of raw, in a form that does not overflow (log_sigmoid, logaddexp, log1p), and give each branch "
    "of a `where` arguments at which its gradient is finite."
)
def check_gradient(loss: Loss) -> None:
    """The gradient equals finite differences in float64, and is finite also at raw outputs of +-30."""
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        for case in cases_of(loss):
            direction = rng.normal(size=case.raw.shape)
            double = jax.tree.map(np.float64, loss)
            values, slope = _value_and_slope(double, case.raw, case.target, direction)
            expect(
                values.dtype == np.float64, f"({case.task.kind}) For float64 raw outputs it returned {values.dtype}."
            )
            ahead, behind = (
                _value_and_slope(double, case.raw + s * STEP * direction, case.target, direction)[0] for s in (1, -1)
            )
            wanted = (ahead - behind) / (2 * STEP)
            message = f"({case.task.kind}) The gradient is not the slope of the loss."
            expect_close(slope, wanted, message, rtol=1e-5, atol=1e-6)
    for case in cases_of(loss):
        _, grad = value_and_grad(loss, EXTREME * np.sign(case.raw), case.target)
        expect_finite(grad, f"({case.task.kind}) At raw outputs of {EXTREME:g} and {-EXTREME:g} the gradient ")


@contract_check(
    "use `jnp.where` instead of `if` on float fields, or declare a field that decides the shape of the computation as "
    "`skdeep.static(default)`."
)
def check_floats_are_traced(loss: Loss) -> None:
    """The loss can be traced with abstract numbers in all float fields, so that another number compiles nothing."""
    for case in cases_of(loss):
        jax.eval_shape(call, as_traced(loss), single(case.raw), single(case.target))


@contract_check("use the field, or remove it: a search over it would compare equal models.")
def check_float_fields_matter(loss: Loss) -> None:
    """Each float field changes the loss, the link or the standard deviation."""
    expect_each_used(loss, _used_by, "neither the loss nor the prediction")


def _used_by(loss: Loss) -> set[int]:
    traced = as_traced(loss)
    used: set[int] = set()
    for case in cases_of(loss):
        used |= dataflow_of(call, traced, single(case.raw), single(case.target)).used
        if not used.issuperset(range(len(jax.tree.leaves(loss)))):
            used |= _used_by_predictions(traced, case)
    return used


def _used_by_predictions(loss: Loss, case: Case) -> frozenset[int]:
    def predict(loss: Loss, raw: Any) -> Any:
        std = loss.std(raw, case.task, jnp) if loss.has_std else ()
        return loss.link(raw, case.task, jnp), std

    return dataflow_of(predict, loss, single(case.raw)).used


@contract_check("make the loss of a row depend on each of its targets: every label, every output, and the class.")
def check_every_target_counts(loss: Loss) -> None:
    """For each target, other values of it change the loss of at least one row."""
    for case in cases_of(loss):
        values = np.asarray(values_of(as_traced(loss), single(case.raw), single(case.target)))
        for column, changed in enumerate(_with_one_changed(case)):
            others = np.asarray(values_of(as_traced(loss), single(case.raw), single(changed)))
            what = f"target {column} of {case.task.n_targets}" if case.target.ndim == 2 else "the class"
            expect(not np.array_equal(others, values), f"({case.task.kind}) The loss does not depend on {what}.")


def _with_one_changed(case: Case) -> Iterator[np.ndarray]:
    """Yield the targets with other values in one column, for each column; or with other classes."""
    if case.target.ndim == 1:
        yield ((case.target + 1) % case.task.n_targets).astype(case.target.dtype)
        return
    for column in range(case.target.shape[1]):
        changed = case.target.copy()
        values = case.target[:, column]
        changed[:, column] = 1 - values if case.task.kind == "multilabel" else np.roll(values, 1)
        yield changed


@contract_check(
    "let `parameters(task)` return a dict of vectors `(k,)` of finite floats, made of float fields by `jax.numpy` only, "
    "and read them in the loss under their names; the raw outputs need names beside them (`n_raw` returns a dict)."
)
def check_learned_parameters(loss: Loss) -> None:
    """Initial values of a loss's parameters are vectors, can be traced, and the loss has a gradient by each of them."""
    for task in (task for kind in tasks_of(loss) for task in served_tasks(loss, kind)):
        widths = by_name(raw_widths(loss, task))
        traced = jax.eval_shape(lambda loss, task=task: loss.parameters(task), as_traced(loss))
        shapes = {name: value.shape for name, value in traced.items()}
        known = {name: np.shape(value) for name, value in loss.parameters(task).items()}
        expect(shapes == known, f"({task.kind}) Parameters of the shapes {known} have the shapes {shapes} if traced.")
        grad = _grad_by_parameters(loss, task, widths) if known else {}
        for name, values in grad.items():
            expect_finite(values, f"({task.kind}) The gradient by the parameter {name!r} ")
            expect(np.any(values), f"({task.kind}) The loss does not depend on its parameter {name!r}.")


def _grad_by_parameters(loss: Loss, task: Task, widths: Any) -> dict[str, np.ndarray]:
    """Return the gradient of the mean loss of example rows, near the initial values of the parameters."""
    rng = np.random.default_rng(2)
    target = jnp.asarray(single(example_target(loss, task, rng)))
    parameters = {
        name: jnp.asarray(value + 0.1 * rng.normal(size=np.shape(value)), jnp.float32)
        for name, value in loss.parameters(task).items()
    }
    outputs = {
        name: jnp.asarray(rng.normal(size=(N_ROWS, width)), jnp.float32)
        for name, width in widths.items()
        if name not in parameters
    }

    def mean(parameters: dict[str, Any]) -> Any:
        beside = {name: jnp.broadcast_to(value, (N_ROWS, *value.shape)) for name, value in parameters.items()}
        return jnp.mean(call(as_traced(loss), outputs | beside, target, jnp.ones(N_ROWS)))

    grad: dict[str, np.ndarray] = jax.device_get(jax.jit(jax.grad(mean))(parameters))
    return grad


LOSS_CHECKS = (
    check_one_value_per_row,
    check_rows_are_independent,
    check_batch,
    check_padding_is_neutral,
    check_gradient,
    check_floats_are_traced,
    check_float_fields_matter,
    check_every_target_counts,
)


@jax.jit
def _value_and_slope(loss: Loss, raw: Any, target: Any, direction: Any) -> Any:
    return jax.jvp(lambda raw: call(loss, raw, target), (raw,), (direction,))
