"""What is learned of y and the weights, block by block: classes and their weights, or the mean and deviation of values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pandas as pd

from skdeep.core.encoding import Classes, Labels, Values
from skdeep.core.rows import WeightedRows, scaled_by_power_of_two, weight_exponent
from skdeep.core.streamed_rows import Weighing, validated_weight
from skdeep.core.target import check_domain, fit_label_codes, mean_and_deviation, scale_of
from skdeep.estimators.base import check_some_weight
from skdeep.estimators.class_weight import check_some_class_weight
from skdeep.estimators.given_targets import check_n_outputs, kind_of_labels
from skdeep.sources.blocks import labels_of, numbers_of

_MOST_INSPECTED = 1000


class WeightSummary:
    """The largest weight, and the positions of rows of weight 0."""

    def __init__(self) -> None:
        self._largest = 0.0
        self._zeros: list[np.ndarray] = []

    def update(self, block: Any) -> np.ndarray:
        """Add the weights of a `RawBlock`, and return them."""
        if block.weight is None:
            weight = np.ones(len(block.y))
        else:
            weight = validated_weight(block.weight, block.start)
            self._zeros.append(block.start + np.flatnonzero(weight == 0))
        self._largest = max(self._largest, float(weight.max(initial=0.0)))
        return weight

    def add(self, other: WeightSummary) -> None:
        """Add what another process learned of its rows. The positions of rows stay those of this one."""
        self._largest = max(self._largest, other._largest)

    @property
    def zeros(self) -> np.ndarray:
        """The positions of rows of weight 0; raise ValueError if all weights are 0."""
        check_some_weight(np.array([self._largest]))
        return np.concatenate(self._zeros) if self._zeros else np.zeros(0, np.int64)

    @property
    def exponent(self) -> int:
        """The exponent of the power of two by which weights are divided, so that no sum overflows."""
        return weight_exponent(np.array([self._largest]))


class TargetSummary(ABC):
    """What the blocks so far tell of y."""

    @abstractmethod
    def update(self, block: Any, weight: np.ndarray) -> None:
        """Add the targets of a `RawBlock`; rows of weight 0 do not count."""

    @abstractmethod
    def add(self, other: Any, offset: int) -> None:
        """Add what another process learned of its rows, which are counted from `offset` on in the whole data."""

    @abstractmethod
    def target(self) -> Any:
        """Return the target encoding, without a scale."""

    def scaled(self, encoding: Any, loss: Any) -> Any:
        """Return the encoding with the scale of y."""
        return encoding

    @abstractmethod
    def weighing(self, estimator: Any, encoding: Any, exponent: int) -> Weighing:
        """Return what turns the user's weights into those of training."""


class LabelSummary(TargetSummary):
    """Classes and their weights, or the values of an indicator matrix."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._weights: dict[Any, float] = {}
        self._n_labels: int | None = None
        self._kind: np.dtype[Any] | None = None
        self._total, self._n = 0.0, 0

    def update(self, block: Any, weight: np.ndarray) -> None:
        labels = labels_of(block.y, block.start)
        width = None if labels.ndim == 1 else labels.shape[1]
        if self._n and width != self._n_labels:
            raise ValueError(f"y has another number of columns from row {block.start} on. All rows must have the same.")
        self._n_labels = width
        used = labels[weight > 0]
        self._kind = used.dtype if self._kind is None else np.result_type(self._kind, used.dtype)
        codes, found = pd.factorize(used.ravel())
        if width is None and used.dtype.kind == "f":
            # Raises for continuous y, before each value counts as a class. Values that occur once would look continuous.
            kind_of_labels(np.repeat(found[:_MOST_INSPECTED], 3))
        sizes = np.bincount(codes, weights=np.repeat(weight[weight > 0], width or 1), minlength=len(found))
        for label, size in zip(found.tolist(), sizes, strict=True):
            self._weights[label] = self._weights.get(label, 0.0) + float(size)
        self._total += float(weight.sum())
        self._n += int((weight > 0).sum())

    def add(self, other: LabelSummary, offset: int) -> None:
        if other._n_labels != self._n_labels:
            raise ValueError(
                f"y has another number of columns from row {offset} of all processes on. All rows must have the same."
            )
        self._kind = np.result_type(self._kind, other._kind)
        for label, weight in other._weights.items():
            self._weights[label] = self._weights.get(label, 0.0) + weight
        self._total, self._n = self._total + other._total, self._n + other._n

    def target(self) -> Any:
        labels = np.unique(np.array(list(self._weights), dtype=self._kind))
        if self._n_labels is not None:
            return Labels(self._n_labels, fit_label_codes(labels.reshape(1, -1)))
        if len(labels) < 2:
            raise ValueError(
                f"{self._owner} needs at least 2 classes in the rows of positive weight. "
                f"Got {len(labels)} class: {', '.join(map(repr, labels.tolist()))}."
            )
        return Classes(labels)

    def weighing(self, estimator: Any, encoding: Any, exponent: int) -> Weighing:
        if estimator.class_weight is None:
            return Weighing(exponent, float(scaled_by_power_of_two(self._total, -exponent)) / self._n)
        if isinstance(encoding.target, Labels):
            raise ValueError(
                f"class_weight of {self._owner} is not available for multilabel y that is read in blocks. Give sample_weight instead."
            )
        classes = encoding.target.classes
        totals = scaled_by_power_of_two(np.array([self._weights[label] for label in classes.tolist()]), -exponent)
        codes = np.arange(len(classes))
        # A row per class, with the weight of all rows of the class, has the same balanced weights as the rows.
        weigh = estimator._weigher(WeightedRows(None, codes, totals), encoding)
        factors = weigh(WeightedRows(None, codes, np.ones(len(codes)))).weight
        check_some_class_weight(self._owner, totals * factors, "trains on")
        return Weighing(exponent, float(totals @ factors) / self._n, factors)


class ValueSummary(TargetSummary):
    """Mean, deviation, and the rows of the smallest and largest values, of each output."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._is_1d = True
        self._moments: tuple[float, np.ndarray, np.ndarray] | None = None
        self._extremes: list[np.ndarray] = []
        self._places: list[np.ndarray] = []
        self._total, self._n = 0.0, 0

    def update(self, block: Any, weight: np.ndarray) -> None:
        given = numbers_of(block.y, block.start, "y").astype(np.float64, copy=False)
        if given.ndim > 2:
            raise ValueError(f"y must have one or two dimensions. Got {given.ndim}.")
        self._is_1d = given.ndim == 1 or (given.shape[1] == 1 and not isinstance(block.y, np.ndarray))
        used = weight > 0
        if not used.any():
            return
        values, weight = given.reshape(len(given), -1)[used], weight[used]
        if self._extremes:
            check_n_outputs(self._owner, values.shape[1], len(self._extremes[0]))
        else:
            self._extremes = [np.full(values.shape[1], limit) for limit in (np.inf, -np.inf)]
            self._places = [np.zeros(values.shape[1], np.int64)] * 2
        self._note_extremes(values, block.start + np.flatnonzero(used))
        self._join(float(weight.sum()), *mean_and_deviation(values, weight))
        self._total += float(weight.sum())
        self._n += len(values)

    def add(self, other: ValueSummary, offset: int) -> None:
        if not other._extremes:
            return
        if not self._extremes:
            self._extremes, self._places = other._extremes, [place + offset for place in other._places]
        check_n_outputs(self._owner, len(other._extremes[0]), len(self._extremes[0]))
        self._is_1d &= other._is_1d
        for side in (0, 1):
            self._note_extreme(side, other._extremes[side], other._places[side] + offset)
        self._join(*other._moments)  # type: ignore[misc]  # set with the extremes
        self._total, self._n = self._total + other._total, self._n + other._n

    def _note_extremes(self, values: np.ndarray, places: np.ndarray) -> None:
        for side, rows in enumerate((values.argmin(axis=0), values.argmax(axis=0))):
            self._note_extreme(side, values[rows, np.arange(values.shape[1])], places[rows])

    def _note_extreme(self, side: int, found: np.ndarray, places: np.ndarray) -> None:
        is_new = (np.less, np.greater)[side](found, self._extremes[side])
        self._extremes[side] = np.where(is_new, found, self._extremes[side])
        self._places[side] = np.where(is_new, places, self._places[side])

    def _join(self, total: float, mean: np.ndarray, deviation: np.ndarray) -> None:
        if self._moments is None:
            self._moments = total, mean, deviation
            return
        before, old_mean, old_deviation = self._moments
        share, step = total / (before + total), mean - old_mean
        variance = (1 - share) * old_deviation**2 + share * deviation**2 + share * (1 - share) * step**2
        self._moments = before + total, old_mean + share * step, np.sqrt(variance)

    @property
    def range(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest value of each output."""
        lowest, highest = self._extremes
        return lowest, highest

    def target(self) -> Any:
        return Values(len(self.range[0]), is_1d=self._is_1d)

    def scaled(self, encoding: Any, loss: Any) -> Any:
        extremes = np.stack(self.range)
        try:
            check_domain(loss, extremes)
        except ValueError as err:
            lowest, highest = (", ".join(map(str, rows)) for rows in self._places)
            raise ValueError(
                f"{err} Here row 0 has the smallest values of y, found in row {lowest} of the whole data, and row 1 the largest, in row "
                f"{highest}."
            ) from err
        _, mean, deviation = self._moments  # type: ignore[misc]  # set by update
        return encoding.with_scale(scale_of(loss, mean, deviation, np.abs(extremes).max()))

    def weighing(self, estimator: Any, encoding: Any, exponent: int) -> Weighing:
        return Weighing(exponent, float(scaled_by_power_of_two(self._total, -exponent)) / self._n)
