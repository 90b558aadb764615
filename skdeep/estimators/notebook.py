"""The base class with `summary` and the HTML view of notebooks."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import BaseEstimator

from skdeep.component import Component
from skdeep.estimators.resolve import resolve

if TYPE_CHECKING:
    from skdeep.estimators.training import FitData
    from skdeep.view.summary import NetworkSummary


class NotebookView(BaseEstimator):
    """Base of the estimators: how they are shown. Nothing here changes an estimator."""

    _summary_calls: ClassVar[str] = "summary(X, y) or summary(input_shape=(8,), n_targets=3)"
    _components: ClassVar[dict[str, str]]

    def summary(self, X: Any = None, y: Any = None, *, input_shape: Any = None, n_targets: Any = None) -> NetworkSummary:
        """Return a table of the network: its layers, their output shapes, parameters and floating-point operations.

        After `fit` no argument is needed. Before, give the data that `fit` will get, or shapes. The table is the same before and after.
        The network is traced with abstract arrays: nothing is compiled or trained.

        Parameters
        ----------
        X, y : as in `fit`, default=None
            A part of the rows is enough if it has all classes and all levels of categories. Presets of the tabular estimators also
            depend on the number of rows.
        input_shape : tuple of int, or dict of {str: tuple of int}, default=None
            The shape of a row of X, instead of the data; shapes by name for several inputs.
        n_targets : int, default=None
            Beside `input_shape`: the number of classes of a classifier, or of columns of y of a regressor.

        Returns
        -------
        NetworkSummary
            `print` shows it as text, and notebooks as HTML. `to_frame()` returns a pandas DataFrame. FLOPs are those of the forward pass of
            a prediction, per row; a multiplication with an addition counts 2.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted, and neither data nor shapes are given.
        ValueError
            If the arguments do not fit together, or `fit` would raise for this data.

        Examples
        --------
        >>> from skdeep import DeepClassifier
        >>> print(DeepClassifier(network="mlp", network__widths=(16,)).summary(input_shape=(4,), n_targets=3))
        """
        from skdeep.estimators.summary import summarised

        return summarised(self, X, y, input_shape, n_targets)

    def _example_data(self, input_shape: Any, n_targets: Any) -> FitData:
        """Return data of the shapes that are given to `summary`."""
        from skdeep.estimators.summary import example_data

        return example_data(self, input_shape, n_targets)

    def _given_data(self, data: FitData) -> FitData:
        """Return the arguments of `fit` in the form that `_read` takes."""
        return data

    def _dtype_of_params(self, encoding: Any) -> Any:
        """Return the dtype of new parameters."""
        return encoding.dtype
