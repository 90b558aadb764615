"""The base class with `summary` and the HTML view of notebooks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import BaseEstimator

from skdeep.component import Component
from skdeep.errors import ComponentError
from skdeep.estimators.resolve import Unresolved, resolve

if TYPE_CHECKING:
    from skdeep.estimators.training import FitData
    from skdeep.view.summary import NetworkSummary


class NotebookView(BaseEstimator):
    """Base of the estimators: how they are shown. Nothing here changes an estimator."""

    _summary_calls: ClassVar[str] = "summary(X, y) or summary(input_shape=(8,), n_targets=3)"
    _components: ClassVar[dict[str, str]]

    def summary(
        self, X: Any = None, y: Any = None, *, input_shape: Any = None, n_targets: Any = None
    ) -> NetworkSummary:
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
        >>> from skdeep.networks import MLP
        >>> print(DeepClassifier(network=MLP(widths=(16,))).summary(input_shape=(4,), n_targets=3))
        DeepClassifier: MLP
        ----------------------------------------------------------
        layer       type   output shape  parameters  FLOPs per row
        ----------------------------------------------------------
        input              (n, 4)
        Dense_0     Dense  (n, 16)               80            144
        Function_0  relu   (n, 16)                0             16
        output      Dense  (n, 3)                51             99
        ----------------------------------------------------------
        total                                   131            259
        <BLANKLINE>
        131 parameters (524 bytes). A prediction takes 259 FLOPs per row; n is the number of rows.
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

    def _get_params_html(self, deep: bool = True, *args: Any, **kwargs: Any) -> Any:
        """Return scikit-learn's table of parameters, followed by the network and its training; scikit-learn calls it from 1.7 on.

        Fields of components are shown as set by the user only if they differ from their defaults.
        """
        shown: Any = super()._get_params_html(deep, *args, **kwargs)  # from scikit-learn 1.7 on
        set_by_user = frozenset(_set_names(self))
        prefixes = tuple(f"{name}__" for name in self._components)
        changed = [
            name
            for name in shown
            if name in shown.non_default and (not name.startswith(prefixes) or name in set_by_user)
        ]
        shown.data = {name: shown[name] for name in dict.fromkeys([*changed, *shown])}
        shown.non_default = tuple(changed)
        shown._html_repr = functools.partial(_with_section, self, shown._html_repr)
        return shown

    def _get_fitted_attr_html(self, *args: Any, **kwargs: Any) -> Any:
        """Return scikit-learn's record of the fitted attributes, shown with the shapes of arrays; scikit-learn calls it from 1.9 on."""
        from skdeep.view.html import table_of_attributes

        shown: Any = super()._get_fitted_attr_html(*args, **kwargs)  # from scikit-learn 1.9 on
        shown._html_repr = functools.partial(table_of_attributes, shown)
        return shown


def _with_section(estimator: Any, table: Any) -> str:
    """Return the HTML of parameters, network and training."""
    from skdeep.estimators.summary import networks_of_fitted
    from skdeep.view.html import section_of

    return f"{table()}{section_of(estimator, networks_of_fitted)}"


def _set_names(estimator: Any) -> Iterator[str]:
    """Yield the names of nested parameters that differ from their defaults, such as "network__widths"."""
    from skdeep.view.parameters import set_fields

    signature = inspect.signature(type(estimator).__init__).parameters
    for name, kind in estimator._components.items():
        value = estimator._component_value(name)
        if isinstance(value, Unresolved):
            yield from (f"{name}__{path}" for path, _ in value.fields)
            continue
        component = _component_or_none(kind, value)
        if component is not None:
            default = signature[name].default if name in signature else None
            usual = default if isinstance(default, Component) else None
            yield from (f"{name}__{path}" for path in set_fields(component, usual))


def _component_or_none(kind: str, value: Any) -> Any:
    """Return the component that a parameter stands for, None for none or if it cannot be resolved (`fit` raises then)."""
    try:
        found = None if value is None else resolve(kind, value)[1]
    except (ComponentError, ValueError, TypeError):
        return None
    return found if isinstance(found, Component) else None
