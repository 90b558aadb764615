"""Stage 2, on the host: y -> what the loss compares with, and predictions back to what y was."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from skdeep.contract import Loss, Task

_DOMAINS = {"real": (-np.inf, np.inf, ""), "non-negative": (0.0, np.inf, ">= 0"), "unit": (0.0, 1.0, "in [0, 1]")}


class TargetScale(NamedTuple):
    """How regression targets were brought to unit size: `encoded = (y - mean) / scale`, per output."""

    mean: Float[np.ndarray, " outputs"]
    scale: Float[np.ndarray, " outputs"]


def encode_classes(y: Shaped[np.ndarray, " n"], classes: Shaped[np.ndarray, " classes"]) -> Int[np.ndarray, " n"]:
    """Return the position of each label in the sorted `classes`.

    Raises
    ------
    ValueError
        If a label is not among the classes.
    """
    unseen = np.setdiff1d(y, classes)
    if len(unseen):
        raise ValueError(f"y contains labels that are not among the classes: {unseen!r}. The classes are {classes!r}.")
    return np.searchsorted(classes, y).astype(np.int32)


def check_domain(
    loss: Loss, y: Float[np.ndarray, "n outputs"], scaled_by: TargetScale | None = None, name: str = "y"
) -> None:
    """Raise ValueError when y has values that the loss is not defined for; `name` is what the user calls it."""
    low, high, rule = _DOMAINS[loss.domain]
    is_outside = (y < low) | (y > high)
    if is_outside.any():
        row, output = np.argwhere(is_outside)[0]
        raise ValueError(
            f"The loss {type(loss).__name__} needs {name} {rule}. Got {float(y[row, output])} in row {row}"
            f"{f', output {output}' if y.shape[1] > 1 else ''}. Choose another loss, such as 'squared_error'."
        )
    if loss.scaling == "mean" and scaled_by is None and not (y.sum(axis=0) > 0).all():
        raise ValueError(
            f"The loss {type(loss).__name__} needs at least one {name} > 0 in each output. Got only zeros."
        )


def fit_scale(loss: Loss, y: Float[np.ndarray, "n outputs"], weight: Float[np.ndarray, " n"]) -> TargetScale:
    """Return the weighted mean and scale that the loss asks for (0 and 1 if it asks for none)."""
    n_outputs = y.shape[1]
    if loss.scaling == "none":
        return TargetScale(np.zeros(n_outputs), np.ones(n_outputs))
    mean = np.average(y, axis=0, weights=weight)
    if loss.scaling == "mean":
        return TargetScale(np.zeros(n_outputs), np.where(mean > 0, mean, 1.0))
    deviation = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weight))
    # A target that is constant up to rounding has no scale of its own.
    constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return TargetScale(mean, np.where(constant | (deviation == 0), 1.0, deviation))


def encode_values(
    y: Float[np.ndarray, "n outputs"], scale: TargetScale, dtype: Any = np.float32
) -> Float[np.ndarray, "n outputs"]:
    """Return y in the units and the type of training.

    Raises
    ------
    ValueError
        If a finite value is infinite in that type (after scaling).
    """
    with np.errstate(over="ignore"):
        encoded: Float[np.ndarray, "n outputs"] = ((y - scale.mean) / scale.scale).astype(dtype)
    if not np.isfinite(encoded).all():
        row = int(np.argmax(~np.isfinite(encoded).all(axis=1)))
        raise ValueError(f"Input y contains a value too large for {encoded.dtype!r}: {y[row]!r} in row {row}. Scale y.")
    return encoded


def decode_values(prediction: Any, scale: TargetScale) -> Any:
    """Return predictions `(n, outputs)` or `(n, outputs, levels)` in the units of y; inverts `encode_values`."""
    shape = (1, -1) + (1,) * (prediction.ndim - 2)
    return prediction * scale.scale.reshape(shape) + scale.mean.reshape(shape)


def balanced_weights(
    weight: Float[np.ndarray, " n"], codes: Int[np.ndarray, " n"], task: Task
) -> Float[np.ndarray, " classes"]:
    """Return weights that give every class the same total: `sum(w) / (n_present * sum(w of the class))`."""
    n_classes = max(2, task.n_targets)
    totals = np.bincount(codes, weights=weight, minlength=n_classes)
    present = totals > 0
    return np.where(present, weight.sum() / (present.sum() * np.where(present, totals, 1.0)), 0.0)
