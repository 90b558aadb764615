"""The base class with the methods of a fitted estimator: history, raw outputs, a view with other parameters."""

from __future__ import annotations

import contextlib
import copy
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeep.config import Model
from skdeep.core import as_traced
from skdeep.core.encode import check_rows, encode_inputs
from skdeep.core.inference import predict_raw
from skdeep.core.inputs import columns_of, float_dtype
from skdeep.core.placement import Placement
from skdeep.estimators.availability import AvailableMethod
from skdeep.estimators.devices import placement_named
from skdeep.estimators.named_inputs import validated_inputs
from skdeep.inputs import Inputs
from skdeep.records import Task


def _rounding(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def rounded(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(under="ignore"):
            return method(*args, **kwargs)

    return rounded


class FittedNetwork(BaseEstimator):
    """Base of the estimators: methods that need only fitted attributes, and the copy that `fit` trains."""

    _accepts_sparse: ClassVar[Any] = "csr"
    device: str
    params_: Any
    model_state_: Any
    _encoding: Any
    _history: dict[str, list[float]]
    _model: Model

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make all public methods ignore floating-point underflow, whatever `np.seterr` says."""
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            if name.startswith("_"):
                continue
            if isinstance(method, types.FunctionType):
                setattr(cls, name, _rounding(method))
            elif isinstance(method, AvailableMethod):
                method.method = _rounding(method.method)

    def _learned(self, attribute: str) -> Any:
        """Return the encoding, from which `attribute` is read; raise AttributeError before `fit`."""
        encoding = self.__dict__.get("_encoding")
        if encoding is None:
            raise AttributeError(f"This {type(self).__name__} has no {attribute} yet: call fit first.")
        return encoding

    @property
    def _task(self) -> Task:
        task: Task = self._learned("task").task
        return task

    @property
    def history_(self) -> Any:
        """Losses, scores, learning rates and seconds of training, as a pandas DataFrame with one row per epoch."""
        import pandas as pd

        if "estimators_" in vars(self):
            parts = [member.history_.assign(member=i) for i, member in enumerate(self.estimators_)]
            return pd.concat(parts, ignore_index=True)
        if not hasattr(self, "_history"):
            raise AttributeError(f"This {type(self).__name__} has no history_ yet: call fit first.")
        return pd.DataFrame(self._history)

    def _raw(self, X: Any) -> tuple[np.ndarray, np.dtype[Any]]:
        """Return the raw outputs in float64, and the dtype of predictions: the wider of X's and the computation's."""
        X = self._validated_rows(X)
        params, dtype = self._params_for(X)
        raw = self._raw_of(self._model, params, self.model_state_, self._encoding.inputs(X), dtype)
        return raw, np.result_type(float_dtype(X), dtype)

    def _validated_rows(self, X: Any) -> Any:
        """Return X, checked and converted by scikit-learn; raise ValueError if its rows have another shape than in `fit`."""
        check_is_fitted(self)
        X = self._validated_inputs(X) if isinstance(X, Inputs) else self._validated_array(X)
        self._check_columns(X)
        if self._encoding.table is None:
            check_rows(self._model.network, X, self._model.in_shape)
        return X

    def _validated_inputs(self, X: Inputs) -> Inputs:
        return validated_inputs(X)

    def _validated_array(self, X: Any) -> Any:
        return validate_data(
            self, X, reset=False, accept_sparse=self._accepts_sparse, dtype=(np.float64, np.float32), allow_nd=True
        )

    def _raw_of(self, model: Model, params: Any, model_state: Any, X: Any, dtype: Any = np.float32) -> np.ndarray:
        """Return the raw outputs of a model in float64, computed in `dtype`."""
        with self._placement(dtype).active():
            return predict_raw(
                as_traced(model, dtype), params, model_state, encode_inputs(X, model.in_shape, dtype), np.float64
            )

    def _placement(self, dtype: Any = np.float32) -> Placement:
        """Return the device and dtype of predictions, which are computed on the first device if there are several."""
        return placement_named(type(self).__name__, self.device, dtype).on_first()

    def _params_for(self, X: Any) -> tuple[Any, np.dtype[Any]]:
        """Return the parameters for predictions on X, and the dtype to compute in."""
        return self.params_, np.dtype(np.float32)

    def _check_columns(self, X: Any, columns: Any = None) -> None:
        """Raise ValueError if X has rows of another shape, or other inputs, than in `fit`."""
        columns, found = self._encoding.columns if columns is None else columns, columns_of(X)
        if found != columns:
            raise ValueError(
                f"X has rows of shape {found}, but {type(self).__name__} was fitted on rows of shape {columns}."
            )

    def _view(self, params: Any, model_state: Any) -> Self:
        """Return a copy that predicts with other parameters and takes arrays without column names."""
        view = copy.copy(self)
        view.params_, view.model_state_ = params, model_state
        view.__dict__.pop("feature_names_in_", None)
        return view

    @contextlib.contextmanager
    def _replaced_when_fitted(self) -> Iterator[Self]:
        """Yield a copy to fit. When the block ends, this estimator takes over all its attributes in one assignment.

        Parameters keep their values: a preset replaces "auto" in the copy only. Until the block ends, or if it raises, this
        estimator is unchanged, and other threads may predict with it. A prediction that runs at the moment of the assignment
        may use attributes of both fits.
        """
        new = object.__new__(type(self))
        new.__dict__.update(vars(self))
        try:
            yield new
        except BaseException:
            # scikit-learn itself removes the attributes that it sets for callbacks while fit runs.
            self.__dict__.update({name: value for name, value in vars(new).items() if "callback" in name})
            raise
        parameters = self._get_param_names()  # reads the constructor's signature, which takes as long as all else here
        given = {name: value for name, value in vars(self).items() if name in parameters}
        self.__dict__ = {**vars(new), **given}
