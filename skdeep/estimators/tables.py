"""Read X as a table: which columns are categories, missing values, and the scale of numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import assert_all_finite, validate_data

from skdeep.core.encode import has_nan, is_sparse
from skdeep.core.encoding import Encoding
from skdeep.core.loss_parameters import network_with_one_hot
from skdeep.core.one_hot import WithOneHot, joined_shapes
from skdeep.core.rows import WeightedRows
from skdeep.estimators.arrays import ArrayReader
from skdeep.estimators.deep import DeepEstimator
from skdeep.estimators.named_columns import inputs_from
from skdeep.estimators.named_inputs import specs_of_arrays, table_names, validated_inputs, validated_target
from skdeep.estimators.parameters import StrOptions
from skdeep.estimators.prepare import Draft, Split
from skdeep.estimators.warn import warn_caller
from skdeep.inputs import Inputs
from skdeep.records import InputSpec
from skdeep.tables.frames import as_frame, check_all_numbers, frame_of_array, in_order_of, is_all_numbers
from skdeep.tables.learning import learn_table
from skdeep.tables.several import Tables
from skdeep.tables.table import Table

TABLE_CONSTRAINTS: dict[str, list[Any]] = {
    "categorical_features": [None, StrOptions({"from_dtype"}), "array-like"],
    "inputs": [None, Mapping],
    "numeric_scaling": [None, StrOptions({"standard", "robust", "quantile"})],
}


class TableReader(DeepEstimator, ArrayReader):
    """Base of the estimators that take tables with categories, dates and missing values.

    X stays one array if it has none of these, `categorical_features` lists no column and `numeric_scaling` is None. Otherwise it is
    a table: validated X is a narwhals table until `_tabulated`, and then the `Inputs` that `Table.read` returns.
    """

    @property
    def is_categorical_(self) -> np.ndarray | None:
        """Which columns of X are categories, a mask `(n_features_in_,)`; None if no column is."""
        table = self._learned("is_categorical_").table
        if table is None or not any(column.is_category for column in table.columns):
            return None
        return np.array([column.is_category for column in table.columns])

    @property
    def input_shape_(self) -> Any:
        """Shape of one row as the network sees it; a dict of shapes if it has several inputs."""
        encoding = self._learned("input_shape_")
        if not isinstance(network_with_one_hot(self._model), WithOneHot):
            return encoding.row_shape
        shapes = joined_shapes(encoding.in_shape)
        return {name: spec.shape for name, spec in shapes.items()} if isinstance(shapes, dict) else shapes

    def _checked(self, X: Any, known: Encoding | None, **checks: Any) -> Any:
        """Return X as an array, a sparse matrix or a narwhals table, with y if it is among the `checks`.

        `known` is the encoding of an earlier fit, which X must match, or None.
        """
        frame = self._frame_of(X, known)
        if frame is not None:
            given = X if known is None or known.names is None or isinstance(X, np.ndarray) else frame.to_native()
            validate_data(self, given, reset=known is None, skip_check_array=True)
            _check_some_rows(frame)
            return (frame, validated_target(self, frame, checks["y"])) if "y" in checks else frame
        result = validate_data(
            self,
            X,
            reset=known is None,
            accept_sparse=self._accepts_sparse,
            dtype=(np.float64, np.float32),
            ensure_all_finite="allow-nan" if self._scaling in (None, "standard") else False,
            allow_nd=True,
            **checks,
        )
        values = result[0] if "y" in checks else result
        checked = self._frame_of_checked(values, X, known)
        return (checked, result[1]) if "y" in checks else checked

    def _validated_inputs(self, X: Inputs) -> Inputs:
        tables = self._encoding.table
        if not isinstance(tables, Tables):
            return validated_inputs(X)
        tables.check(X)
        return tables.read(validated_inputs(X))

    def _validated_array(self, X: Any) -> Any:
        if self.inputs is not None:
            validate_data(self, X, reset=False, skip_check_array=True)
            return self._validated_inputs(inputs_from(type(self).__name__, self.inputs, X))
        known = self._encoding
        checked = self._checked(X, known)
        return known.table.read(checked) if hasattr(checked, "to_native") else checked

    def _frame_of(self, X: Any, known: Encoding | None) -> Any:
        """Return X as a table if scikit-learn must not convert it to an array of numbers, else None."""
        if not self._may_be_table:
            return None
        frame = as_frame(X)
        is_array_of_objects = isinstance(X, np.ndarray) and X.dtype.kind in "OUS" and X.ndim == 2
        if known is None:
            if frame is None:
                return frame_of_array(X) if is_array_of_objects and self._lists_categories else None
            return frame if self._lists_categories or not is_all_numbers(frame) else None
        if known.table is None:
            if frame is not None:
                check_all_numbers(frame)
            return None
        if frame is None:
            return frame_of_array(X) if is_array_of_objects else None
        # scikit-learn's checks demand an error for another order in tables of numbers.
        return frame if known.table.is_all_numbers else in_order_of(frame, known.names)

    def _frame_of_checked(self, values: Any, X: Any, known: Encoding | None) -> Any:
        """Return the array of X that scikit-learn has checked, or X as a table if it is to be read as one."""
        missing = has_nan(values)
        may_be_table = self._may_be_table and values.ndim == 2 and not is_sparse(values)
        if not may_be_table or (missing and known is not None and known.table is None and known.fill is None):
            self._refuse_scaling(values)
            assert_all_finite(values, estimator_name=type(self).__name__, input_name="X")
            return values
        is_table = (missing or self._lists_categories or self._scaling) if known is None else known.table
        if not is_table:
            return values
        frame = as_frame(X)
        return frame_of_array(values) if frame is None else frame

    def _refuse_scaling(self, values: Any) -> None:
        if self._scaling is not None:
            form = "is sparse" if is_sparse(values) else f"has rows of shape {self.input_shape or values.shape[1:]}"
            raise ValueError(
                f"numeric_scaling={self._scaling!r} of {type(self).__name__} is for tables, dense X of shape (n, features), "
                f"but X {form}. Set it to None and scale X before."
            )

    @property
    def _scaling(self) -> Any:
        return self.numeric_scaling

    @property
    def _may_be_table(self) -> bool:
        return self.input_shape is None and self.pretrain is None

    @property
    def _lists_categories(self) -> bool:
        given = self.categorical_features
        return given is not None and not isinstance(given, str) and len(given) > 0

    def _tabulated(self, X: Any, weight: np.ndarray, before: Encoding | None) -> tuple[Any, Any]:
        if before is not None:
            return before.table, X if before.table is None else before.table.read(X)
        if isinstance(X, Inputs):
            names = table_names(X)
            tables = Tables({name: self._learned_table(X[name], weight)[0] for name in names})
            return (tables, tables.read(X)) if names else (None, X)
        return self._learned_table(X, weight) if hasattr(X, "to_native") else (None, X)

    def _learned_table(self, frame: Any, weight: np.ndarray) -> tuple[Table, Inputs]:
        given = self.categorical_features
        learned = learn_table(frame, weight, given, self._scaling, "float64")
        for message in learned.warnings:
            warn_caller(message)
        return learned.table, learned.rows

    def _specs_of_others(self, X: Any) -> dict[str, InputSpec]:
        return specs_of_arrays(X) if table_names(X) else {}

    def _fill(self, X: Any) -> np.ndarray | None:
        is_array = isinstance(X, np.ndarray) and X.ndim == 2 and self._may_be_table
        return np.zeros(X.shape[1], X.dtype) if is_array else None

    def _split(self, given: WeightedRows, data: Any, draft: Draft) -> tuple[Draft, Split]:
        draft, split = super()._split(given, data, draft)
        encoding = draft.encoding
        if not draft.goes_on:
            encoding = encoding.with_scale_of_x(split.train.x, split.train.weight)
        draft = dataclasses.replace(draft, encoding=encoding)
        if encoding.table is None:
            return draft, split
        return draft, split._replace(
            train=split.train._replace(x=encoding.encode(split.train.x)),
            validation=split.validation and split.validation._replace(x=encoding.encode(split.validation.x)),
        )

    def _as_given(self, rows: WeightedRows, X: Any, position: np.ndarray) -> WeightedRows:
        return rows._replace(x=_safe_indexing(X, position)) if isinstance(rows.x, Inputs) else rows

    def _view(self, params: Any, model_state: Any) -> Self:
        view = super()._view(params, model_state)
        if self._encoding.table is not None and hasattr(self, "feature_names_in_"):  # scorers get a table then
            view.feature_names_in_ = self.feature_names_in_
        return view

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = self._may_be_table
        tags.input_tags.allow_nan = self._may_be_table
        return tags


def _check_some_rows(frame: Any) -> None:
    if not len(frame):
        raise ValueError(f"Found array with 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required.")
