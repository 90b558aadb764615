"""Encode y for the loss and decode predictions to the form of y, on the host."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from skdeep.contract import Loss
from skdeep.records import Task

_DOMAINS = {"real": (-np.inf, np.inf, ""), "non-negative": (0.0, np.inf, ">= 0"), "unit": (0.0, 1.0, "in [0, 1]")}
# Predictions up to this many scales away from the mean must be finite in the type of numbers.
LARGEST_ENCODED = 2.0**10
# Predictions are float32 if the spacing of float32 at their size is at most this share of the scale of y, else float64.
SMALLEST_SHARE = 2.0**-11


class TargetScale(NamedTuple):
    """Mean and scale of regression targets, per output: `encoded = (y - mean) / scale`."""

    mean: Float[np.ndarray, " outputs"]
    scale: Float[np.ndarray, " outputs"]


def encode_classes(y: Shaped[np.ndarray, " n"], classes: Shaped[np.ndarray, " classes"]) -> Int[np.ndarray, " n"]:
    """Return the position of each label in the sorted `classes`.

    Raises
    ------
    ValueError
        If a label is not among the classes.
    """
    if _are_strings(y) != _are_strings(classes):
        found, known = ("strings", "numbers") if _are_strings(y) else ("numbers", "strings")
        raise ValueError(
            f"y (or y_val) holds {found}, but the classes are {known}: {classes!r}. Give labels of one kind."
        )
    unseen = np.setdiff1d(y, classes)
    if len(unseen):
        raise ValueError(f"y contains labels that are not among the classes: {unseen!r}. The classes are {classes!r}.")
    return np.searchsorted(classes, y).astype(np.int32)


def _are_strings(labels: Shaped[np.ndarray, " n"]) -> bool:
    return labels.dtype.kind in "USTO" and len(labels) > 0 and isinstance(labels[0], str | bytes)


def fit_label_codes(
    y: Shaped[np.ndarray, "n labels"], announced: Shaped[np.ndarray, " k"] | None = None
) -> Shaped[np.ndarray, " 2"]:
    """Return the codes for absent and present in an indicator matrix: 0 and 1, or its two values in ascending order.

    If y is only the first part of the data, `announced` may give both values in ascending order.

    Raises
    ------
    ValueError
        If y has a single value that is neither 0 nor 1, so that the second code is unknown, or more than two values.
    """
    values = np.unique(y)
    if announced is not None and len(announced) == 2 and np.isin(values, announced).all():
        return announced.astype(y.dtype, copy=False)
    if np.isin(values, [0, 1]).all():
        return np.array([0, 1], dtype=y.dtype)
    if len(values) != 2:
        raise ValueError(
            f"y has several columns of labels, which must hold 0 and 1 or two other values. Got the values {values.tolist()}. "
            "Give rows with both values, absent and present, or labels of 0 and 1."
        )
    return values


def encode_labels(y: Shaped[np.ndarray, "n labels"], codes: Shaped[np.ndarray, " 2"]) -> Float[np.ndarray, "n labels"]:
    """Return 1 where a label is present and 0 where it is absent, from an indicator matrix in these codes.

    Raises
    ------
    ValueError
        If y has a value that is neither code.
    """
    is_present = y == codes[1]
    if not (is_present | (y == codes[0])).all():
        raise ValueError(
            f"y (or y_val) holds the values {np.unique(y).tolist()}, but the labels of the first y were {codes.tolist()} "
            "(absent, present). Give the same codes."
        )
    encoded: Float[np.ndarray, "n labels"] = is_present.astype(np.float32)
    return encoded


def decode_labels(
    is_present: Shaped[np.ndarray, "n labels"], codes: Shaped[np.ndarray, " 2"]
) -> Shaped[np.ndarray, "n labels"]:
    """Return an indicator matrix in these codes; inverts `encode_labels`."""
    labels: Shaped[np.ndarray, "n labels"] = codes[(is_present > 0).astype(np.intp)]
    return labels


def check_same_form(known: Task, found: str, owner: str) -> None:
    """Raise ValueError if y is labels `(n,)` and the first y was an indicator matrix, or the reverse.

    `found` is scikit-learn's `type_of_target` of y, `known` the task of the first y.
    """
    found = "multilabel" if found == "multilabel-indicator" else found
    if (known.kind == "multilabel") != (found == "multilabel"):
        raise ValueError(
            f"y has {found} targets, but {owner} was trained on {known.kind} ones. Give y (and y_val) in the form of the "
            "first y, or fit a clone instead."
        )


def check_domain(
    loss: Loss, y: Float[np.ndarray, "n outputs"], scaled_by: TargetScale | None = None, name: str = "y"
) -> None:
    """Raise ValueError when y has values that the loss is not defined for; `name` is what the user calls it."""
    loss.check_target(y)
    low, high, rule = _DOMAINS[loss.domain]
    is_outside = (y < low) | (y > high)
    if is_outside.any():
        row, output = np.argwhere(is_outside)[0]
        raise ValueError(
            f"The loss {type(loss).__name__} needs {name} {rule}. Got {float(y[row, output])} in row {row}"
            f"{f', output {output}' if y.shape[1] > 1 else ''}. Choose another loss, such as 'squared_error'."
        )
    if loss.scaling == "mean" and scaled_by is None and not (y > 0).any(axis=0).all():
        raise ValueError(
            f"The loss {type(loss).__name__} needs at least one {name} > 0 in each output. Got only zeros."
        )


def fit_scale(loss: Loss, y: Float[np.ndarray, "n outputs"], weight: Float[np.ndarray, " n"]) -> TargetScale:
    """Return the weighted mean and scale that `scaling` of the loss asks for (0 and 1 if it is "none").

    Raises
    ------
    ValueError
        If y is so large that predictions up to `LARGEST_ENCODED` scales away from its mean may overflow in float64.
    """
    n_outputs = y.shape[1]
    if loss.scaling == "none":
        return TargetScale(np.zeros(n_outputs), np.ones(n_outputs))
    return scale_of(loss, *mean_and_deviation(y, weight), np.abs(y).max())


def scale_of(
    loss: Loss, mean: Float[np.ndarray, " outputs"], deviation: Float[np.ndarray, " outputs"], largest_value: Any
) -> TargetScale:
    """Return the scale that `scaling` of the loss asks for, from the mean and deviation of y; see `fit_scale`."""
    n_outputs = len(mean)
    if loss.scaling == "none":
        return TargetScale(np.zeros(n_outputs), np.ones(n_outputs))
    if loss.scaling == "mean":
        mean, scale = np.zeros(n_outputs), np.where(mean > 0, mean, 1.0)
    else:
        scale = np.where(deviation > 0, deviation, 1.0)
    largest = np.finfo(np.float64).max / LARGEST_ENCODED
    if not (scale < largest).all():
        raise ValueError(f"Input y contains values too large for dtype('float64'): up to {largest_value!r}. Scale y.")
    return TargetScale(mean, scale)


def mean_and_deviation(
    y: Float[np.ndarray, "n outputs"], weight: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " outputs"], Float[np.ndarray, " outputs"]]:
    """Return the weighted mean and standard deviation of each output. The deviation is 0 if y is constant up to rounding.

    Values are divided by the largest absolute value before they are added or squared, so that no sum over- or underflows.
    """
    y, weight = y.astype(np.float64, copy=False), weight / weight.max()
    with np.errstate(under="ignore"):
        mean = _scaled_mean(y, weight)
        with np.errstate(over="ignore"):
            residual = y - mean
            if not np.isfinite(
                residual
            ).all():  # `y - mean` overflows, and the deviation may; both are finite for y / 4
                mean_of_quarters, deviation = mean_and_deviation(0.25 * y, weight)
                return 4.0 * mean_of_quarters, 4.0 * deviation
        peak = np.abs(residual).max(axis=0)
        peak = np.where(peak > 0, peak, 1.0)
        deviation = peak * np.sqrt(np.average((residual / peak) ** 2, axis=0, weights=weight))
    # A deviation that is no larger than rounding errors counts as 0.
    return mean, np.where(deviation > 10 * np.finfo(np.float64).eps * np.abs(mean), deviation, 0.0)


def _scaled_mean(y: Float[np.ndarray, "n outputs"], weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, " outputs"]:
    peak = np.abs(y).max(axis=0)
    peak = np.where(peak > 0, peak, 1.0)
    mean: Float[np.ndarray, " outputs"] = peak * np.average(y / peak, axis=0, weights=weight)
    return mean


def encode_values(
    y: Float[np.ndarray, "n outputs"], scale: TargetScale, dtype: Any = np.float32
) -> Float[np.ndarray, "n outputs"]:
    """Return y in the units and the type of training.

    Raises
    ------
    ValueError
        If a value is too large for that type after scaling.
    """
    with np.errstate(over="ignore", under="ignore"):
        encoded: Float[np.ndarray, "n outputs"] = ((y - scale.mean) / scale.scale).astype(dtype)
    if not np.isfinite(encoded).all():
        row = int(np.argmax(~np.isfinite(encoded).all(axis=1)))
        raise ValueError(f"Input y contains a value too large for {encoded.dtype!r}: {y[row]!r} in row {row}. Scale y.")
    return encoded


def decode_values(prediction: Any, scale: TargetScale) -> Any:
    """Return predictions `(n, outputs)` or `(n, outputs, levels)` in the units of y; inverts `encode_values`."""
    shape = (1, -1) + (1,) * (prediction.ndim - 2)
    return prediction * scale.scale.reshape(shape) + scale.mean.reshape(shape)


def narrowest_dtype(scale: TargetScale) -> np.dtype[Any]:
    """Return float32 if it is precise enough for values of this mean and scale and has their range, else float64.

    Precise enough means that the spacing of float32 is at most `SMALLEST_SHARE`, about 1/2000, of the scale.
    """
    info, size = np.finfo(np.float32), np.abs(scale.mean) + scale.scale
    is_fine = size * float(info.eps) <= scale.scale * SMALLEST_SHARE
    is_inside = (size * LARGEST_ENCODED < float(info.max)) & (scale.scale > float(info.tiny) * LARGEST_ENCODED)
    return np.dtype(np.float32 if (is_fine & is_inside).all() else np.float64)


def narrowed(prediction: Float[np.ndarray, "..."], dtype: Any) -> Float[np.ndarray, "..."]:
    """Return predictions in the type `dtype`, or unchanged if a finite one would overflow in it."""
    if prediction.dtype == dtype:
        return prediction
    with np.errstate(over="ignore", under="ignore"):
        cast: Float[np.ndarray, "..."] = prediction.astype(dtype)
    is_lost = np.isinf(cast) & np.isfinite(prediction)
    return prediction if is_lost.any() else cast


def balanced_weights(
    weight: Float[np.ndarray, " n"], codes: Int[np.ndarray, " n"], task: Task
) -> Float[np.ndarray, " classes"]:
    """Return a factor per class that gives all classes the same total weight: `sum(w) / (n_present * sum(w of the class))`.

    `n_present` is the number of classes with weight. The other classes get 1, because the weighted mean of the factors is 1.
    """
    n_classes = max(2, task.n_targets)
    totals = np.bincount(codes, weights=weight, minlength=n_classes)
    present = totals > 0
    return np.where(present, weight.sum() / (present.sum() * np.where(present, totals, 1.0)), 1.0)
