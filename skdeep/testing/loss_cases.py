"""Example raw outputs and targets of a loss, and the compiled programs that its checks share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.contract import Loss
from skdeep.core import as_traced
from skdeep.core.raw import hashable, total_width
from skdeep.losses import FunctionLoss
from skdeep.records import Task, TaskKind

N_ROWS = 12
N_TARGETS = {"binary": (2,), "multiclass": (3,), "multilabel": (3,), "regression": (1, 2)}


class Case(NamedTuple):
    """Raw outputs `(n, raw)` and targets of one task, in float64 where they are floats."""

    task: Task
    raw: np.ndarray
    target: np.ndarray


def cases_of(loss: Loss) -> Iterator[Case]:
    """Yield example rows for each task that a loss serves; regression with one output and with two.

    A loss says that it does not serve some number of outputs by a ValueError from `n_raw`.
    """
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
            values = jax.eval_shape(loss, single(case.raw), single(case.target))
    except (TypeError, ValueError, IndexError):
        return False
    return values.shape == (N_ROWS,)


def _cases_of_task(loss: Loss, kind: TaskKind) -> Iterator[Case]:
    tasks = served_tasks(loss, kind)
    if not tasks:
        loss.n_raw(Task(kind, N_TARGETS[kind][0]))  # raises
    rng = np.random.default_rng(0)
    for task in tasks:
        raw = rng.normal(size=(N_ROWS, total_width(hashable(loss.n_raw(task)))))
        yield Case(task, raw, _targets(loss, task, rng))


def served_tasks(loss: Loss, kind: TaskKind) -> list[Task]:
    """Return the example tasks of a kind for which `n_raw` raises no ValueError."""
    tasks = []
    for task in (Task(kind, n_targets) for n_targets in N_TARGETS[kind]):
        try:
            loss.n_raw(task)
        except ValueError:
            continue
        tasks.append(task)
    return tasks


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


def single(array: np.ndarray) -> np.ndarray:
    """Return float64 as float32, and anything else as it is."""
    return array.astype(np.float32) if array.dtype == np.float64 else array


def call(loss: Loss, raw: Any, target: Any, weight: Any = None) -> Any:
    """Return the loss of each row; a loss of a batch is given weights, by default 1 for each row."""
    if not loss.of_batch:
        return loss(raw, target)
    return loss(raw, target, jnp.ones(len(raw), raw.dtype) if weight is None else weight)  # type: ignore[call-arg]


values_of = jax.jit(call)


@jax.jit
def _value_and_grad(raw: Any, target: Any, loss: Loss, weight: Any) -> Any:
    return jax.value_and_grad(lambda raw: jnp.sum(weight * call(loss, raw, target, weight)))(raw)


def value_and_grad(loss: Loss, raw: Any, target: Any, weight: Any = None) -> Any:
    """Return the weighted sum of the losses of rows, and its gradient by raw: `((), (n, raw))`."""
    weight = np.ones(len(raw), np.float32) if weight is None else weight
    return _value_and_grad(single(raw), single(target), as_traced(loss), weight)
