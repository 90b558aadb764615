"""Losses with raw outputs by name, converted to losses of one array, as `loss_checks` and `link_checks` expect.

Parameters of a loss become columns too. Their hyperbolic tangents are added to the initial values: the parameters of a
training are the same in all rows, so extreme values in single rows would test nothing.
"""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp

from skdeep.contract import Loss
from skdeep.core.link import has_score
from skdeep.core.raw import raw_widths, split, total_width
from skdeep.records import Task
from skdeep.testing.running import Check

_CLASS_VARIABLES = ("tasks", "probabilistic", "scaling", "has_std", "domain", "of_batch")
_TASKS = [Task("regression", n) for n in (1, 2)] + [Task("multilabel", n) for n in (1, 2, 3)]
_TASKS += [Task("binary", 2), Task("multiclass", 3), Task("multiclass", 4)]


def on_columns(check: Check) -> Check:
    """Return a check for all losses, given a check for losses of one array."""

    @functools.wraps(check)
    def of_any(loss: Any, **options: Any) -> None:
        check(in_columns(loss), **options)

    return of_any


def in_columns(loss: Loss) -> Loss:
    """Return a loss that takes the named raw outputs as columns of one array; the same loss if it names none."""
    widths = {task: widths for task in _TASKS if isinstance(widths := _widths(loss, task), tuple)}
    if not widths:
        return loss
    by_shapes = {(total_width(named), _target_dimensions(task)): task for task, named in widths.items()}

    def named(loss: Loss, raw: Any, task: Task, xp: Any) -> dict[str, Any]:
        parts: dict[str, Any] = split(raw, widths[task])
        initial = loss.parameters(task).items()
        return {
            **parts,
            **{name: xp.tanh(parts[name]) + xp.asarray(value, raw.dtype)[None, :] for name, value in initial},
        }

    class Columns(Loss):
        loss: Loss

        def __call__(self, raw: Any, target: Any, *weight: Any) -> Any:
            task = by_shapes[raw.shape[1], target.ndim]
            parts: Any = named(self.loss, raw, task, jnp)
            return self.loss(parts, target, *weight)

        def n_raw(self, task: Task) -> int:
            return total_width(raw_widths(self.loss, task))

        def link(self, raw: Any, task: Task, xp: Any) -> Any:
            return self.loss.link(named(self.loss, raw, task, xp), task, xp)

        def n_predicted(self, task: Task) -> int:
            return self.loss.n_predicted(task)

        def example_target(self, values: Any) -> Any:
            return self.loss.example_target(values)

        def point(self, prediction: Any) -> Any:
            return self.loss.point(prediction)

        def std(self, raw: Any, task: Task, xp: Any) -> Any:
            return self.loss.std(named(self.loss, raw, task, xp), task, xp)

    if has_score(loss):
        Columns.score = lambda self, *arguments: self.loss.score(*arguments)  # type: ignore[method-assign]
    for name in _CLASS_VARIABLES:
        setattr(Columns, name, getattr(loss, name))
    Columns.__name__ = Columns.__qualname__ = type(loss).__name__
    return Columns(loss)


def _widths(loss: Loss, task: Task) -> Any:
    try:
        return raw_widths(loss, task) if task.kind in loss.tasks else None
    except ValueError:
        return None


def _target_dimensions(task: Task) -> int:
    return 1 if task.kind in ("binary", "multiclass") else 2
