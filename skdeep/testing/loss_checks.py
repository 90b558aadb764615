"""Checks for losses: the value of each row, what it depends on, and its gradient; the link is in `link_checks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.contract import Loss
from skdeep.core import as_traced
from skdeep.testing.component_checks import expect_each_used
from skdeep.testing.dataflow import dataflow_of
from skdeep.testing.loss_cases import N_ROWS, Case, call, cases_of, single, value_and_grad, values_of
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite

STEP = 1e-6
EXTREME = 30.0


@contract_check("return one finite float a row, `(n,)`, without the mean over rows: weights are applied later.")
def check_one_value_a_row(loss: Loss) -> None:
    """For each of its tasks, inside `jit`, the loss gives `(n,)` finite floats of the type of raw."""
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
    """A row's loss does not depend on the other rows, nor on their number, whatever they hold.

    A loss of a batch may depend on them: see `check_batch`.
    """
    if loss.of_batch:
        return
    for case in cases_of(loss):
        raw, target = single(case.raw), single(case.target)
        values = np.asarray(values_of(as_traced(loss), raw, target))
        half = N_ROWS // 2
        part = values_of(as_traced(loss), raw[:half], target[:half])
        expect_close(part, values[:half], f"({case.task.kind}) Other values for the first {half} rows alone.")
        others = np.concatenate([raw[:half], EXTREME * np.sign(raw[half:])])
        with_others = np.asarray(values_of(as_traced(loss), others, target))
        expect_close(with_others[:half], values[:half], f"({case.task.kind}) Other values beside other rows.")


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


@contract_check("let the loss do without padding: rows of weight 0 must not make NaN or infinite values or gradients.")
def check_padding_is_neutral(loss: Loss) -> None:
    """Rows of weight 0 change neither the weighted sum of losses nor its gradient, however far off they are."""
    for case in cases_of(loss):
        raw, target = single(case.raw), single(case.target)
        padded = np.concatenate([raw, EXTREME * np.sign(raw)]), np.concatenate([target, target])
        weight = np.repeat(np.array([1, 0], np.float32), N_ROWS)
        plain_value, plain_grad = value_and_grad(loss, raw, target)
        value, grad = value_and_grad(loss, *padded, weight)
        expect_close(value, plain_value, f"({case.task.kind}) Padding changed the sum.")
        expect_close(grad[:N_ROWS], plain_grad, f"({case.task.kind}) Padding changed the gradient.")
        expect_close(grad[N_ROWS:], np.zeros_like(raw), f"({case.task.kind}) Padding has a gradient of its own.")


@contract_check(
    "compute in the type of raw, in a form that does not overflow (log_sigmoid, logaddexp, log1p), and give each branch "
    "of a `where` arguments at which its gradient is finite."
)
def check_gradient(loss: Loss) -> None:
    """The gradient is finite, also far out, and equals finite differences in float64."""
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        for case in cases_of(loss):
            direction = rng.normal(size=case.raw.shape)
            double = jax.tree.map(np.float64, loss)
            values, slope = _value_and_slope(double, case.raw, case.target, direction)
            expect(values.dtype == np.float64, f"({case.task.kind}) Of float64 it makes {values.dtype}.")
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
    """The loss can be traced with every float field as an abstract number, so that a new one needs no compile."""
    for case in cases_of(loss):
        jax.eval_shape(call, as_traced(loss), single(case.raw), single(case.target))


@contract_check("let the formula use the field, or remove it: a search over it would compare models that are the same.")
def check_float_fields_matter(loss: Loss) -> None:
    """Each float field changes the loss, the link or the standard deviation."""
    expect_each_used(loss, _used_by, "neither the loss nor what it predicts")


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


@contract_check("let the loss of a row depend on each of its targets: every label, every output, and the class.")
def check_every_target_counts(loss: Loss) -> None:
    """Another value of any one target changes the loss of some rows."""
    for case in cases_of(loss):
        values = np.asarray(values_of(as_traced(loss), single(case.raw), single(case.target)))
        for column, changed in enumerate(_with_one_changed(case)):
            others = np.asarray(values_of(as_traced(loss), single(case.raw), single(changed)))
            what = f"target {column} of {case.task.n_targets}" if case.target.ndim == 2 else "the class"
            expect(not np.array_equal(others, values), f"({case.task.kind}) The loss does not depend on {what}.")


def _with_one_changed(case: Case) -> Iterator[np.ndarray]:
    """Yield the targets with the values of one column changed, or with other classes."""
    if case.target.ndim == 1:
        yield ((case.target + 1) % case.task.n_targets).astype(case.target.dtype)
        return
    for column in range(case.target.shape[1]):
        changed = case.target.copy()
        values = case.target[:, column]
        changed[:, column] = 1 - values if case.task.kind == "multilabel" else np.roll(values, 1)
        yield changed


LOSS_CHECKS = (
    check_one_value_a_row,
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
