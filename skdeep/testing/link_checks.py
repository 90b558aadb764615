"""Checks for the link of a loss: shape and range of predictions, agreement with the loss, and standard deviations."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from skdeep.contract import Loss
from skdeep.core.cpu.host import evaluate
from skdeep.core.link import has_score, n_predicted, predicted_point
from skdeep.core.raw import hashable, total_width
from skdeep.records import Task
from skdeep.testing.loss_cases import N_ROWS, Case, cases_of, served_tasks, tasks_of, value_and_grad
from skdeep.testing.running import contract_check, expect, expect_close, expect_finite

SPREADS = (0.25, 4.0)
LARGEST_STEP = 1e-3
SMALLEST_RESPONSE = 1e-9


@contract_check(
    "let `link` work with NumPy and with jax.numpy (use `xp`), compute each row from that row alone, and return `(n,)`, `(n, 1)` or `(n, 2)` "
    "for binary, `(n, classes)` for multiclass, `(n, labels)` for multilabel, and `(n, outputs)` or `(n, outputs, k)` for "
    "regression, which `point` reduces to `(n, outputs)`; probabilities if `probabilistic` (rows of classes sum to 1), and "
    "values of the target's domain for regression. A regression loss that predicts other columns than those of y says so by `n_predicted`."
)
def check_link(loss: Loss) -> None:
    """The link gives the same in NumPy and JAX, for each row alone, with the shape and range of the task's predictions."""
    for case in cases_of(loss):
        kind = case.task.kind
        raw = np.concatenate([case.raw, 5 * case.raw])
        prediction = loss.link(raw, case.task, np)
        expect_finite(prediction, f"({kind}) The link ")
        _expect_shape(loss, case.task, np.shape(prediction), len(raw))
        part = loss.link(raw[:N_ROWS], case.task, np)
        expect_close(part, prediction[:N_ROWS], f"({kind}) The prediction of a row changes if there are fewer rows.")
        traced = jax.make_jaxpr(lambda raw, task=case.task: loss.link(raw, task, jnp))(np.float32(raw))
        (inside,) = evaluate(traced, [np.float32(raw)])
        expect_close(inside, prediction, f"({kind}) JAX and NumPy differ.", rtol=1e-4, atol=1e-5)
        if kind == "regression":
            _expect_regression(loss, case.task, raw, prediction)
        elif loss.probabilistic:
            _expect_probabilities(kind, prediction)


def _expect_shape(loss: Loss, task: Task, shape: tuple[int, ...], n_rows: int) -> None:
    n = n_predicted(loss, task)
    wanted = {
        "binary": [(n_rows,), (n_rows, 1), (n_rows, 2)],
        "regression": [(n_rows, n), (n_rows, n, *shape[2:3])],
    }.get(task.kind, [(n_rows, n)])
    what = {"regression": "outputs", "multilabel": "labels"}.get(task.kind, "classes")
    rows = f"({task.kind}) For {n_rows} rows and {n} {what} the link returned shape {shape}"
    expect(shape in wanted, f"{rows}, not {' or '.join(map(str, dict.fromkeys(wanted)))}.")


def _expect_regression(loss: Loss, task: Task, raw: np.ndarray, prediction: Any) -> None:
    point = loss.point(prediction)
    wanted = (len(raw), n_predicted(loss, task))
    expect(np.shape(point) == wanted, f"point(link(raw)) has shape {np.shape(point)}, not {wanted}.")
    low, high = np.min(point), np.max(point)
    if loss.domain != "real":
        expect(low >= 0, f"The loss is for non-negative targets, but a prediction is {low}.")
    if loss.domain == "unit":
        expect(high <= 1, f"The loss is for targets in [0, 1], but a prediction is {high}.")
    if loss.has_std:
        std = loss.std(raw, task, np)
        expect(np.shape(std) == wanted, f"std has shape {np.shape(std)}, not {wanted}.")
        expect_finite(std, "The standard deviation ")
        expect(np.min(std) > 0, f"A standard deviation is {np.min(std)}, which is not positive.")


def _expect_probabilities(kind: str, prediction: Any) -> None:
    low, high = np.min(prediction), np.max(prediction)
    expect(low >= 0 and high <= 1, f"({kind}) Probabilities range from {low} to {high}, not within [0, 1].")
    if kind == "multiclass" or (kind == "binary" and np.shape(prediction)[1:] == (2,)):
        sums = np.sum(prediction, axis=1)
        expect_close(sums, np.ones_like(sums), "Probabilities of a row do not sum to 1.")


@contract_check("change the loss or the link, so that a smaller loss means a prediction closer to the target.")
def check_link_fits_loss(loss: Loss) -> None:
    """A small step down the loss brings the prediction of each row, and of each label or output, closer to its target.

    Some target columns are not values to predict, for example a 0/1 column that tells whether an event was observed.
    Predictions must then follow the other columns. Predictions of other columns than those of y are not compared with y: see
    `check_score`.
    """
    for case in cases_of(loss):
        if n_predicted(loss, case.task) != case.task.n_targets:
            continue
        raw = 0.1 * case.raw
        _, grad = value_and_grad(loss, raw, case.target)
        length = np.maximum(np.linalg.norm(grad, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        before = _distance(loss, case, raw)
        nearer = before - _distance(loss, case, raw - LARGEST_STEP * np.asarray(grad) / length)
        n_worse = int((nearer.sum(axis=1) < -1e-9).sum())
        if n_worse == 0 and (nearer.mean(axis=0) > 0).all():
            continue
        if case.task.kind == "regression" and _follows_its_values(loss, case, raw):
            continue
        raise AssertionError(
            f"({case.task.kind}) A step against the gradient makes the predictions of {n_worse} of {N_ROWS} rows worse. By label "
            f"or output, the mean distance to the target was {before.mean(axis=0)} and fell by {nearer.mean(axis=0)}."
        )


def _distance(loss: Loss, case: Case, raw: np.ndarray) -> np.ndarray:
    """Return the distance of the predictions of each row from its targets: `(n, labels or outputs)`, or `(n, 1)`."""
    prediction = np.asarray(loss.link(raw, case.task, np))
    if case.task.kind == "regression":
        return np.abs(loss.point(prediction) - case.target)
    if case.task.kind == "multilabel":
        return -np.where(case.target > 0, 1.0, -1.0) * prediction
    prediction = prediction.reshape(N_ROWS, -1)
    if prediction.shape[1] == 1:  # the probability of the second class
        return -np.where(case.target[:, None] > 0, 1.0, -1.0) * prediction
    return prediction.mean(axis=1, keepdims=True) - np.take_along_axis(prediction, case.target[:, None], axis=1)


def _follows_its_values(loss: Loss, case: Case, raw: np.ndarray) -> bool:
    """Tell whether some target column is not a value to predict, while the predictions follow the other columns.

    An example is censored times: the second column tells which times are censored, and the prediction of a censored time
    should exceed its target.
    """
    response = _response(loss, case, raw)
    own = np.diag(response)
    follows = (response > SMALLEST_RESPONSE).any(axis=1) | (np.abs(response) <= SMALLEST_RESPONSE).all(axis=1)
    return bool((own <= SMALLEST_RESPONSE).any() and (own > SMALLEST_RESPONSE).any() and follows.all())


def _response(loss: Loss, case: Case, raw: np.ndarray) -> np.ndarray:
    """Return how much each mean prediction (axis 0) after a step increases if a target column (axis 1) is raised."""
    columns = []
    for column in range(case.task.n_targets):
        raised = case.target.copy()
        raised[:, column] += 0.5 * (1 - raised[:, column]) if loss.domain == "unit" else 1.0
        steps = [np.asarray(value_and_grad(loss, raw, target)[1]) for target in (case.target, raised)]
        size = LARGEST_STEP / max(np.abs(steps).max(), np.finfo(np.float32).tiny)
        before, after = (loss.point(loss.link(raw - size * step, case.task, np)) for step in steps)
        columns.append((after - before).mean(axis=0))
    return np.stack(columns, axis=1)


@contract_check("let `std` return the standard deviation, not the variance, in the order of the outputs.")
def check_std_fits_loss(loss: Loss) -> None:
    """At the minimum of the loss of normal targets, `std` is within a factor of 2 of their standard deviation.

    The two outputs have standard deviations of 0.25 and 4, so variances of 0.0625 and 16 would fail.
    """
    if not (loss.has_std and "regression" in tasks_of(loss)):
        return
    for task in served_tasks(loss, "regression"):
        if loss.n_predicted(task) != task.n_targets:
            continue
        deviation = np.array(SPREADS[-task.n_targets :])
        target = norm.ppf((np.arange(N_ROWS) + 0.5) / N_ROWS)[:, None]
        target = deviation * np.concatenate([target, np.roll(target, 5)], axis=1)[:, : task.n_targets] / target.std()

        def mean_and_grad(raw: np.ndarray, target: np.ndarray = target) -> tuple[float, np.ndarray]:
            total, grad = value_and_grad(loss, np.tile(raw, (N_ROWS, 1)), target)
            return float(total) / N_ROWS, np.asarray(grad, np.float64).mean(axis=0)

        best = minimize(mean_and_grad, np.zeros(total_width(hashable(loss.n_raw(task)))), jac=True, method="L-BFGS-B").x
        std = np.asarray(loss.std(best[None, :], task, np))[0]
        expect(
            (std < 2 * deviation).all() and (std > deviation / 2).all(),
            f"For targets with the standard deviations {deviation}, `std` is {std} at the minimum of the loss.",
        )


@contract_check(
    "let `score` return one number that grows as predictions get better, leave rows of weight 0 out, and treat weights of 1 as None."
)
def check_score(loss: Loss) -> None:
    """The score of the loss's own is higher where the loss is least, and rows of weight 0 do not matter."""
    if not has_score(loss):
        return
    for case in (case for case in cases_of(loss) if case.task.kind == "regression"):

        def value(raw: np.ndarray, case: Case = case, weight: Any = None, rows: Any = slice(None)) -> float:
            point = np.asarray(predicted_point(loss, raw, case.task, np), np.float64)
            return float(loss.score(point[rows], case.target[rows], weight))

        before, after = value(case.raw), value(_raw_of_least_loss(loss, case))
        expect(
            np.isfinite([before, after]).all(), f"The score is {before} of random raw outputs, {after} of good ones."
        )
        expect(after > before, f"Where the loss is least the score is {after}; of random raw outputs it is {before}.")
        expect_close(value(case.raw, weight=np.ones(N_ROWS)), before, "With weights of 1 the score is another one.")
        half = N_ROWS // 2
        weight = np.repeat([1.0, 0.0], half)
        without = value(case.raw, rows=slice(half))
        expect_close(value(case.raw, weight=weight), without, "Rows of weight 0 change the score.")


def _raw_of_least_loss(loss: Loss, case: Case) -> np.ndarray:
    """Return raw outputs of the example rows after some steps of L-BFGS down the loss."""

    def sum_and_grad(flat: np.ndarray) -> tuple[float, np.ndarray]:
        total, grad = value_and_grad(loss, flat.reshape(case.raw.shape), case.target)
        return float(total), np.asarray(grad, np.float64).ravel()

    found = minimize(sum_and_grad, case.raw.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 50})
    raw: np.ndarray = found.x.reshape(case.raw.shape)
    return raw


LINK_CHECKS = (check_link, check_link_fits_loss, check_std_fits_loss, check_score)
