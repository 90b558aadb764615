"""Losses of raw outputs by name, as losses of one array: the checks of `loss_checks` and `link_checks` are about arrays."""

from __future__ import annotations

import functools
from typing import Any

from skdeep.contract import Loss
from skdeep.core.raw import hashable, split, total_width
from skdeep.records import Task
from skdeep.testing.running import Check

_CLASS_VARIABLES = ("tasks", "probabilistic", "scaling", "has_std", "domain", "of_batch")
_TASKS = [Task("regression", n) for n in (1, 2)] + [Task("multilabel", n) for n in (1, 2, 3)]
_TASKS += [Task("binary", 2), Task("multiclass", 3), Task("multiclass", 4)]


def on_columns(check: Check) -> Check:
    """Return a check of losses of one array as one of all losses."""

    @functools.wraps(check)
    def of_any(loss: Any, **options: Any) -> None:
        check(in_columns(loss), **options)

    return of_any


def in_columns(loss: Loss) -> Loss:
    """Return the loss, with the raw outputs that it names as the columns of one array; itself if it names none."""
    widths = {task: widths for task in _TASKS if isinstance(widths := _widths(loss, task), tuple)}
    if not widths:
        return loss
    by_total = {total_width(named): named for named in widths.values()}

    class Columns(Loss):
        loss: Loss

        def __call__(self, raw: Any, target: Any, *weight: Any) -> Any:
            return self.loss(split(raw, by_total[raw.shape[1]]), target, *weight)

        def n_raw(self, task: Task) -> int:
            return total_width(hashable(self.loss.n_raw(task)))

        def link(self, raw: Any, task: Task, xp: Any) -> Any:
            return self.loss.link(split(raw, widths[task]), task, xp)

        def point(self, prediction: Any) -> Any:
            return self.loss.point(prediction)

        def std(self, raw: Any, task: Task, xp: Any) -> Any:
            return self.loss.std(split(raw, widths[task]), task, xp)

    for name in _CLASS_VARIABLES:
        setattr(Columns, name, getattr(loss, name))
    Columns.__name__ = Columns.__qualname__ = type(loss).__name__
    return Columns(loss)


def _widths(loss: Loss, task: Task) -> Any:
    try:
        return hashable(loss.n_raw(task)) if task.kind in loss.tasks else None
    except ValueError:
        return None
