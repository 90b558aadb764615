"""The encoding that fit learns from X and y: it encodes both for training and decodes raw outputs to predictions."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from skdeep.contract import Loss, Network
from skdeep.core.encode import encode_inputs, has_nan
from skdeep.core.inputs import InShape, has_names, hashable_specs, row_shapes
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
from skdeep.records import NUMERIC, InputSpec, Raw, Task


@runtime_checkable
class Target(Protocol):
    """The part of an encoding that is learned from y: encodes targets and decodes raw outputs."""

    @property
    def task(self) -> Task:
        """The kind of target, and the number of classes, labels or outputs."""
        ...

    def encode(self, y: Any, dtype: Any) -> Any:
        """Return y in the form that the loss compares with raw outputs."""
        ...

    def restore(self, encoded: Any) -> Any:
        """Return encoded targets in the form in which scorers compare them; `Values` are in units of y already."""
        ...

    def decode(self, loss: Loss, raw: Any, dtype: Any) -> Any:
        """Return predictions in the form of y, from raw outputs."""
        ...


@dataclasses.dataclass(frozen=True)
class Classes:
    """Target of class labels `(n,)`, described by the sorted classes. Encoded: int codes `(n,)`."""

    classes: Shaped[np.ndarray, " classes"]

    @property
    def task(self) -> Task:
        """Task "binary" for up to two classes, else "multiclass"."""
        n = len(self.classes)
        return Task("binary" if n <= 2 else "multiclass", n)

    def encode(self, y: Shaped[np.ndarray, " n"], dtype: Any = np.float32) -> Any:
        """Return the position of each label among the classes. Raise ValueError for an unknown label."""
        return encode_classes(y, self.classes)

    def restore(self, encoded: Shaped[np.ndarray, " n"]) -> Any:
        """Return the label of each code."""
        return self.classes[encoded]

    def decode(self, loss: Loss, raw: Raw, dtype: Any = None) -> Any:
        """Return the predicted labels `(n,)`: the class of the largest probability, compared in the type `dtype`.

        If there is only one class, it is predicted for every row.
        """
        if len(self.classes) == 1:
            return np.repeat(self.classes, len(raw))
        return self.restore(predicted_classes(loss, raw, self.task, np, dtype))


@dataclasses.dataclass(frozen=True)
class Labels:
    """Target of an indicator matrix `(n, labels)`, described by its codes for absent and present. Encoded: 0 and 1."""

    n_labels: int
    codes: Shaped[np.ndarray, " 2"]
    were_sparse: bool = False

    @property
    def task(self) -> Task:
        """Task "multilabel"."""
        return Task("multilabel", self.n_labels)

    @property
    def classes(self) -> Shaped[np.ndarray, " labels"]:
        """The column numbers of the labels."""
        return np.arange(self.n_labels)

    def encode(self, y: Shaped[np.ndarray, "n labels"], dtype: Any = np.float32) -> Any:
        """Return 1 where a label is present, else 0. Raise ValueError for a value that is neither code."""
        return encode_labels(y, self.codes).astype(dtype, copy=False)

    def restore(self, encoded: Shaped[np.ndarray, "n labels"]) -> Any:
        """Return an indicator matrix in the user's codes."""
        return decode_labels(encoded, self.codes)

    def decode(self, loss: Loss, raw: Raw, dtype: Any = None) -> Any:
        """Return the predicted labels `(n, labels)` in the user's codes; probabilities are compared in the type `dtype`."""
        return self.restore(predicted_classes(loss, raw, self.task, np, dtype))


@dataclasses.dataclass(frozen=True)
class Values:
    """y of numbers, `(n,)` or `(n, outputs)`: their scale, None for none. Encoded: floats `(n, outputs)`.

    Predictions have the form of y, unless the loss predicts another number of columns: then `(n,)` for one. `limits` are the
    smallest and the largest prediction of each output, None for no limits.
    """

    n_outputs: int
    is_1d: bool
    scale: TargetScale | None = None
    limits: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def task(self) -> Task:
        """Task "regression"."""
        return Task("regression", self.n_outputs)

    @property
    def narrowest_dtype(self) -> np.dtype[Any]:
        """float32 if it is precise enough for values of this mean and scale, else float64; see `narrowest_dtype`."""
        return np.dtype(np.float32) if self.scale is None else narrowest_dtype(self.scale)

    def encode(self, y: Float[np.ndarray, "n outputs"], dtype: Any = np.float32) -> Any:
        """Return y `(n, outputs)` in units of training. Raise ValueError for values too large for the type."""
        return encode_values(y, self.scale or _no_scale(self.n_outputs), dtype)

    def restore(self, encoded: Float[np.ndarray, "n outputs ..."]) -> Any:
        """Return values `(n, outputs, ...)` in the form of y, without the axis of outputs if y is 1-D. Units do not change."""
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
        if scale is None:
            return prediction
        decoded = decode_values(prediction, scale)
        if self.limits is None:
            return decoded
        return np.clip(decoded, *(limit.reshape(1, -1, *(1,) * (decoded.ndim - 2)) for limit in self.limits))

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
    """Target of an autoencoder: the row of X itself. Encoded: floats `(n, values)`, one per value of a row."""

    columns: tuple[int, ...]

    @property
    def task(self) -> Task:
        """Task "regression", with one output per value of a row."""
        return Task("regression", math.prod(self.columns))

    def encode(self, y: Shaped[np.ndarray, "n ..."], dtype: Any = np.float32) -> Any:
        """Return rows as flat rows of floats."""
        return y.reshape(len(y), -1).astype(dtype, copy=False)

    def restore(self, encoded: Float[np.ndarray, "n values"]) -> Any:
        """Return flat rows unchanged: scorers compare rows in this form."""
        return encoded

    def decode(self, loss: Loss, raw: Raw, dtype: Any = np.float32) -> Any:
        """Return flat rows in float64."""
        return predicted_point(loss, raw, self.task, np)


@dataclasses.dataclass(frozen=True)
class Encoding:
    """The encoding of X and y that fit learned.

    Parameters
    ----------
    target : Classes, Labels, Values or RowItself
    columns : tuple of int, or dict of tuples
        Shape of a row of X, by name if X has several inputs.
    in_shape : InShape
        Shape of a row for the network, or the `InputSpec`s of its inputs.
    dtype, x_dtype : str
        The type of training, and the type of X.
    names : tuple of str or None
        Column names if X is a table.
    table : skdeep.tables.table.Table or None
        The columns of X, if there are categories or missing values, or numbers are scaled. Validated X is then what `Table.read`
        returns.
    others : dict of InputSpec
        If `table` is that of some of several inputs: the `InputSpec`s of the other inputs.
    fill : ndarray or None
        If `table` is None: what missing values of each column become in predictions; None if X must have no missing values.

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
    table: Any = None
    others: Any = dataclasses.field(default_factory=dict)
    fill: Float[np.ndarray, " columns"] | None = None

    @property
    def task(self) -> Task:
        """The kind of target, and the number of classes, labels or outputs."""
        task: Task = self.target.task
        return task

    @property
    def row_shape(self) -> Any:
        """Shape of a row for the network, by name if there are several inputs."""
        return row_shapes(self.in_shape)

    def inputs(self, x: Any) -> Any:
        """Return validated X as the inputs of the network, before they are cast."""
        if self.table is not None:
            return self.table.encode(x)
        if self.fill is not None and has_nan(x):
            return np.where(np.isnan(x), self.fill.astype(x.dtype), x)
        return x

    def encode(self, x: Any) -> Any:
        """Return validated X in the types of the network's inputs; see `skdeep.core.encode.encode_inputs`."""
        return encode_inputs(self.inputs(x), self.in_shape, self.dtype)

    def for_network(self, network: Network) -> Encoding:
        """Return the encoding for a network.

        Values of X become int32 if the network declares `n_ids`. A table becomes one array, or inputs by name if it has categories.

        Raises
        ------
        ValueError
            If X is a table with categories or missing values, and the network does not read columns.
        """
        if self.table is not None:
            _check_reads_columns(network)
            table = self.table.for_network(getattr(network, "max_one_hot_levels", 0))
            specs = {**self.others, **table.specs}
            in_shape = specs[NUMERIC].shape if specs.keys() == {NUMERIC} else hashable_specs(specs)
            return dataclasses.replace(self, table=table, in_shape=in_shape)
        fill = self.fill if network.reads_columns else None
        if network.n_ids is None or has_names(self.in_shape):
            return self if fill is self.fill else dataclasses.replace(self, fill=fill)
        return dataclasses.replace(self, in_shape=InputSpec(self.row_shape, "int32", network.n_ids), fill=None)

    def with_scale_of_x(self, x: Any, weight: Float[np.ndarray, " n"]) -> Encoding:
        """Return the encoding with the statistics of training rows, validated as `encode` takes them."""
        if self.table is not None:
            return dataclasses.replace(self, table=self.table.with_scale_of(x, weight))
        if self.fill is None:
            return self
        share = (weight / weight.sum()).astype(x.dtype)
        return dataclasses.replace(self, fill=share @ x)

    def encode_target(self, y: Any) -> Any:
        """Return validated y in the form that the loss compares with raw outputs."""
        return self.target.encode(y, np.dtype(self.dtype))

    def decode(self, loss: Loss, raw: Raw, dtype: Any = None) -> Any:
        """Return predictions in the form of y. Numbers are of type `dtype`, by default the type of training."""
        return self.target.decode(loss, raw, np.dtype(dtype or self.dtype))

    def with_scale(self, scale: TargetScale | None) -> Encoding:
        """Return the encoding with another scale of y."""
        return dataclasses.replace(self, target=dataclasses.replace(self.target, scale=scale))

    def with_limits(self, limits: tuple[np.ndarray, np.ndarray] | None) -> Encoding:
        """Return the encoding with other limits of predictions."""
        return dataclasses.replace(self, target=dataclasses.replace(self.target, limits=limits))

    def check_domain(self, loss: Loss, values: Any, name: str = "y") -> None:
        """Raise ValueError if targets are outside of the domain of the loss. The message calls them `name`."""
        check_domain(loss, values, getattr(self.target, "scale", None), name)


def _no_scale(n_outputs: int) -> TargetScale:
    return TargetScale(np.zeros(n_outputs), np.ones(n_outputs))


def _check_reads_columns(network: Network) -> None:
    if network.n_ids is not None or not network.reads_columns:
        raise ValueError(
            f"X has categories or missing values, or numeric_scaling is set, but the network {network} does not read the values of a row "
            "as columns of a table. Fill in missing values and scale X before, or choose another network, such as 'mlp'."
        )
