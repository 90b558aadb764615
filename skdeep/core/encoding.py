"""What a fit learned of X and y, as one value: it translates them to the numbers of training, and raw outputs back."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from skdeep.contract import Loss, Network
from skdeep.core.encode import encode_inputs
from skdeep.core.inputs import InShape, has_names, row_shapes
from skdeep.core.link import linked, predicted_classes, predicted_point, predicted_std
from skdeep.core.target import (
    TargetScale,
    check_domain,
    decode_labels,
    decode_values,
    encode_classes,
    encode_labels,
    encode_values,
    narrowed,
    narrowest_dtype,
)
from skdeep.records import InputSpec, Raw, Task


@runtime_checkable
class Target(Protocol):
    """What was learned of y."""

    @property
    def task(self) -> Task:
        """What is predicted."""
        ...

    def encode(self, y: Any, dtype: Any) -> Any:
        """Return y as the loss compares it with raw outputs."""
        ...

    def restore(self, encoded: Any) -> Any:
        """Return y in the user's form, from what `encode` made of it."""
        ...

    def decode(self, loss: Loss, raw: Any, dtype: Any) -> Any:
        """Return predictions in the form of y, from raw outputs."""
        ...


@dataclasses.dataclass(frozen=True)
class Classes:
    """y `(n,)` of labels: the sorted classes. Encoded: int codes `(n,)`."""

    classes: Shaped[np.ndarray, " classes"]

    @property
    def task(self) -> Task:
        """Binary for up to two classes, else multiclass."""
        n = len(self.classes)
        return Task("binary" if n <= 2 else "multiclass", n)

    def encode(self, y: Shaped[np.ndarray, " n"], dtype: Any = np.float32) -> Any:
        """Return the position of each label among the classes; ValueError for a label that is none of them."""
        return encode_classes(y, self.classes)

    def restore(self, encoded: Shaped[np.ndarray, " n"]) -> Any:
        """Return labels of codes."""
        return self.classes[encoded]

    def decode(self, loss: Loss, raw: Raw, dtype: Any = None) -> Any:
        """Return the predicted labels `(n,)`, by probabilities in the type `dtype`; a single class is always predicted."""
        if len(self.classes) == 1:
            return np.repeat(self.classes, len(raw))
        return self.restore(predicted_classes(loss, raw, self.task, np, dtype))


@dataclasses.dataclass(frozen=True)
class Labels:
    """y `(n, labels)`, an indicator matrix: the codes for absent and present. Encoded: 0 and 1 `(n, labels)`."""

    n_labels: int
    codes: Shaped[np.ndarray, " 2"]
    were_sparse: bool = False

    @property
    def task(self) -> Task:
        """Multilabel."""
        return Task("multilabel", self.n_labels)

    @property
    def classes(self) -> Shaped[np.ndarray, " labels"]:
        """The positions of the labels."""
        return np.arange(self.n_labels)

    def encode(self, y: Shaped[np.ndarray, "n labels"], dtype: Any = np.float32) -> Any:
        """Return 1 where a label is present, else 0; ValueError for a value that is neither code."""
        return encode_labels(y, self.codes).astype(dtype, copy=False)

    def restore(self, encoded: Shaped[np.ndarray, "n labels"]) -> Any:
        """Return an indicator matrix in the user's codes."""
        return decode_labels(encoded, self.codes)

    def decode(self, loss: Loss, raw: Raw, dtype: Any = None) -> Any:
        """Return the predicted labels `(n, labels)` in the user's codes, by probabilities in the type `dtype`."""
        return self.restore(predicted_classes(loss, raw, self.task, np, dtype))


@dataclasses.dataclass(frozen=True)
class Values:
    """y of numbers, `(n,)` or `(n, outputs)`: their scale, None for none. Encoded: floats `(n, outputs)`.

    Predictions have the form of y, unless the loss predicts another number of columns: then `(n,)` for one.
    """

    n_outputs: int
    is_1d: bool
    scale: TargetScale | None = None

    @property
    def task(self) -> Task:
        """Regression."""
        return Task("regression", self.n_outputs)

    @property
    def narrowest_dtype(self) -> np.dtype[Any]:
        """float32 if that tells values of this mean and scale apart, else float64."""
        return np.dtype(np.float32) if self.scale is None else narrowest_dtype(self.scale)

    def encode(self, y: Float[np.ndarray, "n outputs"], dtype: Any = np.float32) -> Any:
        """Return y `(n, outputs)` in units of training; ValueError for values too large for the type."""
        return encode_values(y, self.scale or _no_scale(self.n_outputs), dtype)

    def restore(self, encoded: Float[np.ndarray, "n outputs ..."]) -> Any:
        """Return values in the form of y; they are in units of y. There may be several per output."""
        return encoded[:, 0] if self.is_1d else encoded

    def decode(self, loss: Loss, raw: Raw, dtype: Any = np.float32) -> Any:
        """Return predictions in the form and units of y, in the type `dtype` or a wider one that y needs."""
        return self._restored(self._in_units_of_y(linked(loss, raw, self.task, np)), dtype)

    def decode_point(self, loss: Loss, raw: Raw, dtype: Any = np.float32) -> Any:
        """Return the values that a score compares, one per output."""
        return self._restored(self.point(loss, raw), dtype)

    def decode_std(self, loss: Loss, raw: Raw, dtype: Any = np.float32) -> Any:
        """Return predicted standard deviations in the form and units of y."""
        std = predicted_std(loss, raw, self.task)
        return self._restored(std if (scale := self._scale_of(std)) is None else std * scale.scale, dtype)

    def point(self, loss: Loss, raw: Raw) -> Float[np.ndarray, "n predicted"]:
        """Return the values that a score compares in units of y, in columns and in the type of raw."""
        point: Float[np.ndarray, "n predicted"] = self._in_units_of_y(predicted_point(loss, raw, self.task, np))
        return point

    def _in_units_of_y(self, prediction: Any) -> Any:
        scale = self._scale_of(prediction)
        return prediction if scale is None else decode_values(prediction, scale)

    def _scale_of(self, prediction: Any) -> TargetScale | None:
        """Return the scale that predictions are in; None for other columns than those of y, which are not scaled."""
        return self.scale if prediction.shape[1] == self.n_outputs else None

    def _restored(self, prediction: Any, dtype: Any) -> Any:
        """Return predictions `(n, outputs, ...)` in the form of y, in the type `dtype` or a wider one that y needs."""
        values = narrowed(prediction, np.result_type(dtype, self.narrowest_dtype))
        if values.shape[1] == self.n_outputs:
            return self.restore(values)
        return values[:, 0] if values.shape[1] == 1 else values


@dataclasses.dataclass(frozen=True)
class RowItself:
    """The target is the row of X: what an autoencoder learns. Encoded: floats `(n, values of a row)`."""

    columns: tuple[int, ...]

    @property
    def task(self) -> Task:
        """Regression of each value of a row."""
        return Task("regression", math.prod(self.columns))

    def encode(self, y: Shaped[np.ndarray, "n ..."], dtype: Any = np.float32) -> Any:
        """Return rows as flat ones of numbers."""
        return y.reshape(len(y), -1).astype(dtype, copy=False)

    def restore(self, encoded: Float[np.ndarray, "n values"]) -> Any:
        """Return flat rows, as scorers compare them."""
        return encoded

    def decode(self, loss: Loss, raw: Raw, dtype: Any = np.float32) -> Any:
        """Return flat rows in float64."""
        return predicted_point(loss, raw, self.task, np)


@dataclasses.dataclass(frozen=True)
class Encoding:
    """What a fit learned of X and y.

    Parameters
    ----------
    target : Classes, Labels, Values or RowItself
    columns : tuple of int, or dict of them
        Shape of a row of X, by name if X has several inputs.
    in_shape : InShape
        Shape of a row for the network, or the `InputSpec`s of its inputs.
    dtype, x_dtype : str
        The type of training, and that of X.
    names : tuple of str or None
        Names of the columns of a table.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.core.encoding import Classes, Encoding
    >>> from skdeep.losses import CrossEntropy
    >>> encoding = Encoding(Classes(np.array(["no", "yes"])), columns=(3,), in_shape=(3,))
    >>> encoding.encode_target(np.array(["yes", "no"]))
    array([1, 0], dtype=int32)
    >>> encoding.decode(CrossEntropy(), np.array([[0.5], [-0.5]]))
    array(['yes', 'no'], dtype='<U3')
    """

    target: Any
    columns: Any
    in_shape: InShape
    dtype: str = "float32"
    x_dtype: str = "float32"
    names: tuple[str, ...] | None = None

    @property
    def task(self) -> Task:
        """What is predicted."""
        task: Task = self.target.task
        return task

    @property
    def row_shape(self) -> Any:
        """Shape of a row for the network, by name if there are several inputs."""
        return row_shapes(self.in_shape)

    def encode(self, x: Any) -> Any:
        """Return validated X as the network's inputs are; see `skdeep.core.encode.encode_inputs`."""
        return encode_inputs(x, self.in_shape, self.dtype)

    def for_network(self, network: Network) -> Encoding:
        """Return the encoding for a network, which may take the values of X as ids."""
        if network.n_ids is None or has_names(self.in_shape):
            return self
        return dataclasses.replace(self, in_shape=InputSpec(self.row_shape, "int32", network.n_ids))

    def encode_target(self, y: Any) -> Any:
        """Return validated y as the loss compares it with raw outputs."""
        return self.target.encode(y, np.dtype(self.dtype))

    def decode(self, loss: Loss, raw: Raw, dtype: Any = None) -> Any:
        """Return predictions in the form of y; `dtype` is the type of numbers, by default that of training."""
        return self.target.decode(loss, raw, np.dtype(dtype or self.dtype))

    def with_scale(self, scale: TargetScale | None) -> Encoding:
        """Return the encoding with the scale of y."""
        return dataclasses.replace(self, target=dataclasses.replace(self.target, scale=scale))

    def check_domain(self, loss: Loss, values: Any, name: str = "y") -> None:
        """Raise ValueError if targets are outside of the domain of the loss; `name` is what the user calls them."""
        check_domain(loss, values, getattr(self.target, "scale", None), name)


def _no_scale(n_outputs: int) -> TargetScale:
    return TargetScale(np.zeros(n_outputs), np.ones(n_outputs))
