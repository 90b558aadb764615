"""Probabilities, scores, classes and predictions from raw outputs, by the link of the loss.

The host calls these functions with NumPy; programs that judge predictions call them with jax.numpy.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jaxtyping import Float

from skdeep.contract import Loss
from skdeep.core.members import loss_of_member
from skdeep.core.raw import empty, n_rows, raw_widths
from skdeep.records import Raw, Task

# The logarithm of a larger probability is as exact as one computed from raw outputs, and gives the same order of classes and rows.
SMALLEST_EXACT = 1e-8
# The number of raw outputs that a link is applied to at once.
VALUES_PER_PART = 2**17


def has_built_in_link(loss: Loss) -> bool:
    """Tell whether the loss does not override `Loss.link`: sigmoid, softmax or the identity."""
    return type(loss).link is Loss.link


def has_score(loss: Loss) -> bool:
    """Tell whether the loss defines a score."""
    return type(loss_of_member(loss)).score is not Loss.score


def n_predicted(loss: Loss, task: Task) -> int:
    """Return the number of columns of predictions: classes, labels or outputs."""
    return loss.n_predicted(task) if task.kind == "regression" else task.n_targets


def linked(loss: Loss, raw: Any, task: Task, xp: Any) -> Any:
    """Return the link of raw outputs `(n, raw)`.

    Raises
    ------
    ValueError
        If its shape is not one of those that `Loss.link` allows.
    """
    with np.errstate(under="ignore"):
        values = xp.asarray(loss.link(raw, task, xp))
    n = n_rows(raw)
    allowed, rule = _shapes(task, n, n_predicted(loss, task))
    if values.shape not in allowed and not (
        task.kind == "regression" and values.ndim == 3 and values.shape[:2] == allowed[0]
    ):
        raise ValueError(
            f"The link of the loss {type(loss).__name__} must return {rule} for {n} rows of a {task.kind} task. "
            f"Got shape {values.shape} for raw outputs of shape {_shape(raw)}. Change link, or n_raw."
        )
    return values


def check_link(loss: Loss, task: Task) -> None:
    """Raise ValueError if the link, `point` or `std` of the loss has a wrong shape, before training starts.

    Raises
    ------
    ValueError
        Also if the loss scales y although predictions have other columns than y.
    """
    if n_predicted(loss, task) != task.n_targets and loss.scaling != "none":
        raise ValueError(
            f"The loss {type(loss).__name__} predicts {n_predicted(loss, task)} outputs of a y of {task.n_targets} columns "
            f"(n_predicted), so predictions cannot be brought back to the scale of y. Set scaling = 'none' in the class, which "
            f"is {loss.scaling!r}."
        )
    n = 3 if task.n_targets != 3 else 4
    raw = empty(raw_widths(loss, task), n, np.float64)
    with np.errstate(all="ignore"):
        if task.kind != "regression":
            linked(loss, raw, task, np)
            return
        predicted_point(loss, raw, task, np)
        if loss.has_std:
            predicted_std(loss, raw, task)


def class_probabilities(loss: Loss, raw: Any, task: Task, xp: Any) -> Any:
    """Return the probabilities of a probabilistic loss: `(n, classes)`, or `(n, labels)` for multilabel."""
    if xp is np and isinstance(raw, np.ndarray) and raw.size > VALUES_PER_PART:
        return _in_parts(loss, raw, task)
    values = linked(loss, raw, task, xp)
    if task.kind != "binary" or values.shape == (n_rows(raw), 2):
        return values
    second = values.reshape(-1, 1)
    return xp.concatenate([1 - second, second], axis=1)


def _in_parts(loss: Loss, raw: Float[np.ndarray, "n *raw"], task: Task) -> Any:
    """Return the probabilities, computed for a few rows at a time, so that intermediate arrays of the link are small."""
    size = max(1, VALUES_PER_PART // raw[0].size)
    parts = (class_probabilities(loss, raw[start : start + size], task, np) for start in range(0, len(raw), size))
    first = next(parts)
    probability = np.empty((len(raw), first.shape[1]), first.dtype)
    for i, part in enumerate(itertools.chain([first], parts)):
        probability[i * size : i * size + len(part)] = part
    return probability


def predicted_classes(loss: Loss, raw: Any, task: Task, xp: Any, dtype: Any = None) -> Any:
    """Return the predicted classes as codes `(n,)`, or bool `(n, labels)` for multilabel.

    For a probabilistic loss, these are the most probable classes (the first of equal ones), with probabilities in dtype `dtype`; for
    other losses, the classes with the largest score.
    """
    if not loss.probabilistic:
        scores = _scores(loss, raw, task, xp)
        return _classes_of_scores(scores, task, xp)
    if xp is np and task.kind == "multiclass" and has_built_in_link(loss):
        return _largest_raw(loss, raw, task, dtype)
    probability = class_probabilities(loss, raw, task, xp)
    if dtype is not None:
        probability = probability.astype(dtype, copy=False)
    return probability > 0.5 if task.kind == "multilabel" else xp.argmax(probability, axis=1)


def _largest_raw(loss: Loss, raw: Float[np.ndarray, "n raw"], task: Task, dtype: Any) -> Any:
    """Return the most probable classes of a softmax: those with the largest raw output.

    Probabilities are computed only for rows in which two raw outputs are so close that their probabilities may be equal after
    rounding.
    """
    largest = raw.max(axis=1, keepdims=True)
    eps = np.finfo(raw.dtype if dtype is None else dtype).eps
    predicted = raw.argmax(axis=1)
    is_close = np.count_nonzero(raw >= largest - 16 * eps, axis=1) > 1
    if is_close.any():
        probability = class_probabilities(loss, raw[is_close], task, np)
        predicted[is_close] = probability.astype(dtype or raw.dtype, copy=False).argmax(axis=1)
    return predicted


def decision_scores(loss: Loss, raw: Raw, task: Task, dtype: Any) -> Any:
    """Return scores that agree with `predicted_classes`: `(n,)` for binary, `(n, classes)` or `(n, labels)`.

    They are the raw outputs if the loss has the built-in link, and the link's values if the loss is not probabilistic. Otherwise
    they are the logits (binary, multilabel) or the logarithms of the link's probabilities.
    """
    scores = _scores(loss, raw, task, np).astype(dtype)
    predicted = predicted_classes(loss, raw, task, np, dtype)
    _settle_ties(scores, predicted, task)
    return scores[:, 0] if task.kind == "binary" else scores


def log_probabilities(loss: Loss, raw: Raw, task: Task, probability: Float[np.ndarray, "n _"]) -> Any:
    """Return the logarithms of the probabilities of these raw outputs, in their type.

    For the built-in link, logarithms of small probabilities are computed from raw outputs, so that they are finite where a
    probability rounds to 0.
    """
    with np.errstate(divide="ignore", under="ignore"):
        logarithm = np.log(probability)
        if not has_built_in_link(loss):
            return logarithm
        exact = _log_of_built_in_link(raw, task).astype(probability.dtype)
        return np.where(probability > SMALLEST_EXACT, logarithm, exact)


def _log_of_built_in_link(raw: Any, task: Task) -> Any:
    if task.kind == "multiclass":
        shifted = raw - np.max(raw, axis=1, keepdims=True)
        return shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    logits = linked_logits(raw, task)
    of_second = -np.logaddexp(0.0, -logits)
    return of_second if task.kind == "multilabel" else np.hstack([-np.logaddexp(0.0, logits), of_second])


def linked_logits(raw: Any, task: Task) -> Any:
    """Return the logits of the built-in link: raw, or the difference of the two raw outputs of a binary task."""
    return raw[:, 1:] - raw[:, :1] if task.kind == "binary" and raw.shape[1] == 2 else raw


def cut_logits(loss: Loss, raw: Any, task: Task, largest: float) -> Any:
    """Return the logits of a built-in sigmoid clipped to [-largest, largest]; raw outputs of all other links unchanged."""
    if task.kind == "multiclass" or not (loss.probabilistic and has_built_in_link(loss)):
        return raw
    return np.clip(linked_logits(raw, task), -largest, largest)


def predicted_point(loss: Loss, raw: Any, task: Task, xp: Any) -> Any:
    """Return the regression predictions that a score compares, `(n, outputs)`.

    Raises
    ------
    ValueError
        If `link` or `point` of the loss returns another shape.
    """
    return _checked(loss, "point", loss.point(linked(loss, raw, task, xp)), raw, task)


def predicted_std(loss: Loss, raw: Raw, task: Task) -> Any:
    """Return the predicted standard deviation, `(n, outputs)`.

    Raises
    ------
    ValueError
        If `std` of the loss returns another shape.
    """
    return _checked(loss, "std", loss.std(raw, task, np), raw, task)


def _checked(loss: Loss, method: str, values: Any, raw: Any, task: Task) -> Any:
    wanted = (n_rows(raw), n_predicted(loss, task))
    if np.shape(values) != wanted:
        raise ValueError(
            f"The method '{method}' of the loss {type(loss).__name__} must return shape {wanted} for {wanted[0]} rows and "
            f"{wanted[1]} outputs. Got shape {np.shape(values)}. Override '{method}'."
        )
    return values


def _shape(raw: Any) -> Any:
    return {name: values.shape for name, values in raw.items()} if isinstance(raw, dict) else raw.shape


def _shapes(task: Task, n: int, n_columns: int) -> tuple[list[tuple[int, ...]], str]:
    """Return the shapes that a link may return, and the rule in words."""
    if task.kind == "binary":
        return [(n,), (n, 1), (n, 2)], f"shape {(n,)} or {(n, 1)} (the second class) or {(n, 2)} (both classes)"
    wanted = (n, n_columns)
    if task.kind == "regression":
        return [wanted], f"shape {wanted} or ({n}, {n_columns}, k)"
    return [wanted], f"shape {wanted}"


def _scores(loss: Loss, raw: Any, task: Task, xp: Any) -> Any:
    """Return scores `(n, 1)`, `(n, classes)` or `(n, labels)`, before ties are resolved."""
    if loss.probabilistic and has_built_in_link(loss):
        return linked_logits(raw, task)
    if not loss.probabilistic:
        values = linked(loss, raw, task, xp)
        return linked_logits(values.reshape(n_rows(raw), -1), task)
    probability = class_probabilities(loss, raw, task, xp)
    log_probability = _log(probability, xp)
    if task.kind == "multilabel":
        return log_probability - _log(1 - probability, xp)
    return linked_logits(log_probability, task)


def _log(probability: Any, xp: Any) -> Any:
    return xp.log(xp.maximum(probability, np.finfo(probability.dtype).tiny))


def _classes_of_scores(scores: Any, task: Task, xp: Any) -> Any:
    if task.kind == "multilabel":
        return scores > 0
    return (scores[:, 0] > 0).astype(np.int32) if task.kind == "binary" else xp.argmax(scores, axis=1)


def _settle_ties(scores: np.ndarray, predicted: np.ndarray, task: Task) -> None:
    """Change scores in place by one rounding unit where rounding made them disagree with the prediction."""
    if task.kind == "multiclass":
        rows = np.flatnonzero(scores.argmax(axis=1) != predicted)
        scores[rows, predicted[rows]] = np.nextafter(scores[rows].max(axis=1), scores.dtype.type(np.inf))
        return
    is_present = predicted.reshape(scores.shape).astype(bool)
    scores[(scores > 0) & ~is_present] = 0.0
    scores[(scores <= 0) & is_present] = np.finfo(scores.dtype).tiny
