"""Checks for losses: what one gives for each row, its gradient, and its link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.contract import Loss, Task, TaskKind
from skdeep.core import as_traced
from skdeep.core.link import class_probabilities
from skdeep.losses import FunctionLoss
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite

N_ROWS = 12
STEP = 1e-6
EXTREME = 30.0


class Case(NamedTuple):
    """Raw outputs `(n, raw)` and targets of one task, in float64 where they are floats."""

    task: Task
    raw: np.ndarray
    target: np.ndarray


def cases_of(loss: Loss) -> Iterator[Case]:
    """Yield example rows for each task that a loss serves; regression with one output and with two."""
    for kind in tasks_of(loss):
        yield from _cases_of_task(loss, kind)


def tasks_of(loss: Loss) -> tuple[TaskKind, ...]:
    """Return the tasks that a loss is for; a plain function does not say, so those whose rows it takes."""
    if not isinstance(loss, FunctionLoss):
        return loss.tasks
    served = tuple(kind for kind in loss.tasks if all(_takes(loss, case) for case in _cases_of_task(loss, kind)))
    return served or loss.tasks


def _takes(loss: Loss, case: Case) -> bool:
    try:
        with jax.numpy_rank_promotion("raise"):  # else (n, 1) and (n,) make (n, n)
            values = jax.eval_shape(loss, _single(case.raw), _single(case.target))
    except (TypeError, ValueError, IndexError):
        return False
    return values.shape == (N_ROWS,)


def _cases_of_task(loss: Loss, kind: TaskKind) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for n_targets in (1, 2) if kind == "regression" else (2,) if kind == "binary" else (3,):
        task = Task(kind, n_targets)
        raw = rng.normal(size=(N_ROWS, loss.n_raw(task)))
        yield Case(task, raw, _targets(loss, task, rng))


def _targets(loss: Loss, task: Task, rng: np.random.Generator) -> np.ndarray:
    if task.kind in ("binary", "multiclass"):
        return (np.arange(N_ROWS) % task.n_targets).astype(np.int32)
    if task.kind == "multilabel":
        return rng.integers(0, 2, size=(N_ROWS, task.n_targets)).astype(np.float64)
    target = rng.normal(size=(N_ROWS, task.n_targets))
    target = in_domain(loss, target)
    if loss.domain != "real":
        target[0] = 0.0
    return target


def in_domain(loss: Loss, values: np.ndarray) -> np.ndarray:
    """Return numbers moved to where the loss is defined."""
    if loss.domain == "unit":
        return np.clip(0.5 + 0.2 * values, 0.0, 1.0)
    return np.abs(values) if loss.domain == "non-negative" else values


def _single(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float64 else array


@contract_check("return one finite float a row, `(n,)`, without the mean over rows: weights are applied later.")
def check_one_value_a_row(loss: Loss) -> None:
    """For each of its tasks, inside `jit`, the loss gives `(n,)` finite floats of the type of raw."""
    for case in cases_of(loss):
        raw, target = _single(case.raw), _single(case.target)
        values = _values(as_traced(loss), raw, target)
        where = f"for {case.task.kind}, raw {raw.shape} and target {target.shape}"
        expect(np.shape(values) == (N_ROWS,), f"{where} it returned shape {np.shape(values)}, not {(N_ROWS,)}.")
        expect(values.dtype == np.float32, f"{where} it returned {values.dtype}, not the float32 of raw.")
        expect_finite(values, f"{where} the loss ")


@contract_check("compute each row from that row alone: no mean, maximum, sort or comparison over axis 0.")
def check_rows_are_independent(loss: Loss) -> None:
    """A row's loss does not depend on the other rows, nor on their number, whatever they hold."""
    for case in cases_of(loss):
        raw, target = _single(case.raw), _single(case.target)
        values = np.asarray(_values(as_traced(loss), raw, target))
        half = N_ROWS // 2
        part = _values(as_traced(loss), raw[:half], target[:half])
        expect_close(part, values[:half], f"({case.task.kind}) Other values for the first {half} rows alone.")
        others = np.concatenate([raw[:half], EXTREME * np.sign(raw[half:])])
        with_others = np.asarray(_values(as_traced(loss), others, target))
        expect_close(with_others[:half], values[:half], f"({case.task.kind}) Other values beside other rows.")


@contract_check("let the loss do without padding: rows of weight 0 must not make NaN or infinite values or gradients.")
def check_padding_is_neutral(loss: Loss) -> None:
    """Rows of weight 0 change neither the weighted sum of losses nor its gradient, however far off they are."""
    for case in cases_of(loss):
        raw, target = _single(case.raw), _single(case.target)
        padded = np.concatenate([raw, EXTREME * np.sign(raw)]), np.concatenate([target, target])
        weight = np.repeat(np.array([1, 0], np.float32), N_ROWS)
        plain_value, plain_grad = _value_and_grad(raw, target, as_traced(loss), np.ones(N_ROWS, np.float32))
        value, grad = _value_and_grad(*padded, as_traced(loss), weight)
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
        far, target = np.float32(EXTREME * np.sign(case.raw)), _single(case.target)
        _, grad = _value_and_grad(far, target, as_traced(loss), np.ones(N_ROWS, np.float32))
        expect_finite(grad, f"({case.task.kind}) At raw outputs of {EXTREME:g} and {-EXTREME:g} the gradient ")


@contract_check(
    "use `jnp.where` instead of `if` on float fields, or declare a field that decides the shape of the computation as "
    "`skdeep.static(default)`."
)
def check_floats_are_traced(loss: Loss) -> None:
    """The loss can be traced with every float field as an abstract number, so that a new one needs no compile."""
    for case in cases_of(loss):
        jax.eval_shape(_call, as_traced(loss), _single(case.raw), _single(case.target))


@contract_check(
    "let `link` work on NumPy and on jax.numpy alike (use `xp`), give probabilities if `probabilistic` (rows that sum to 1 for "
    "multiclass), and values of the target's domain for regression."
)
def check_link(loss: Loss) -> None:
    """The link gives the same in NumPy and JAX, in the range of what is predicted, one row a row."""
    for case in cases_of(loss):
        raw = np.concatenate([case.raw, 5 * case.raw])
        prediction = loss.link(raw, case.task, np)
        expect_finite(prediction, f"({case.task.kind}) The link ")
        expect(
            np.shape(prediction)[0] == len(raw),
            f"({case.task.kind}) It returned {np.shape(prediction)} for {len(raw)} rows.",
        )
        inside = jax.jit(lambda raw, task=case.task: loss.link(raw, task, jnp))(np.float32(raw))
        expect_close(inside, prediction, f"({case.task.kind}) JAX and NumPy differ.", rtol=1e-4, atol=1e-5)
        if case.task.kind == "regression":
            _expect_regression(loss, case.task, raw, prediction)
        elif loss.probabilistic:
            _expect_probabilities(case.task, prediction)


def _expect_regression(loss: Loss, task: Task, raw: np.ndarray, prediction: Any) -> None:
    point = loss.point(prediction)
    expect(np.shape(point) == (len(raw), task.n_targets), f"point(link(raw)) has shape {np.shape(point)}.")
    low, high = np.min(point), np.max(point)
    if loss.domain != "real":
        expect(low >= 0, f"The target is non-negative, but a prediction is {low}.")
    if loss.domain == "unit":
        expect(high <= 1, f"The target is at most 1, but a prediction is {high}.")
    if loss.has_std:
        std = loss.std(raw, task, np)
        expect(np.shape(std) == (len(raw), task.n_targets), f"std has shape {np.shape(std)}.")
        expect_finite(std, "The standard deviation ")
        expect(np.min(std) > 0, f"A standard deviation is {np.min(std)}.")


def _expect_probabilities(task: Task, prediction: Any) -> None:
    low, high = np.min(prediction), np.max(prediction)
    expect(low >= 0 and high <= 1, f"({task.kind}) Probabilities reach from {low} to {high}.")
    if task.kind == "multiclass":
        sums = np.sum(prediction, axis=1)
        expect_close(sums, np.ones_like(sums), "Probabilities of a row do not sum to 1.")


@contract_check("make loss and link fit together: a smaller loss must mean a prediction closer to the target.")
def check_link_fits_loss(loss: Loss) -> None:
    """A small step down the loss brings the prediction of each row closer to its target."""
    for case in cases_of(loss):
        raw, target = _single(0.1 * case.raw), _single(case.target)
        _, grad = _value_and_grad(raw, target, as_traced(loss), np.ones(N_ROWS, np.float32))
        before = _distance(loss, case, raw.astype(np.float64))
        length = np.maximum(np.linalg.norm(grad, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        after = _distance(loss, case, raw.astype(np.float64) - 1e-3 * np.asarray(grad) / length)
        n_worse = int((after > before + 1e-9).sum())
        message = f"({case.task.kind}) After a step against the gradient {n_worse} of {N_ROWS} rows are predicted worse"
        expect(
            n_worse == 0 and after.mean() < before.mean(),
            f"{message}, the mean distance was {before.mean()}, is {after.mean()}.",
        )


def _distance(loss: Loss, case: Case, raw: np.ndarray) -> np.ndarray:
    """Return how far the prediction of each row is from its target: `(n,)`."""
    prediction = loss.link(raw, case.task, np)
    if case.task.kind == "regression":
        return np.abs(loss.point(prediction) - case.target).sum(axis=1)
    if case.task.kind == "multiclass":
        return -prediction[np.arange(N_ROWS), case.target] + prediction.mean(axis=1)
    if case.task.kind == "binary" and loss.probabilistic:
        prediction = class_probabilities(loss, raw, case.task, np)[:, 1]
    sign = np.where(case.target.reshape(prediction.shape) > 0, 1.0, -1.0)
    return -(sign * prediction).reshape(N_ROWS, -1).sum(axis=1)


LOSS_CHECKS = (
    check_one_value_a_row,
    check_rows_are_independent,
    check_padding_is_neutral,
    check_gradient,
    check_floats_are_traced,
    check_link,
    check_link_fits_loss,
)


def _call(loss: Loss, raw: Any, target: Any) -> Any:
    return loss(raw, target)


_values = jax.jit(_call)


def _weighted_sum(raw: Any, target: Any, loss: Loss, weight: Any) -> Any:
    return jnp.sum(weight * loss(raw, target))


def _slope(loss: Loss, raw: Any, target: Any, direction: Any) -> Any:
    return jax.jvp(lambda raw: loss(raw, target), (raw,), (direction,))


_value_and_slope = jax.jit(_slope)
_value_and_grad = jax.jit(jax.value_and_grad(_weighted_sum))
