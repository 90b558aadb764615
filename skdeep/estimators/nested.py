"""Parameters of estimators, those of their components included: `optimizer__b1`, `network__widths`."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator

from skdeep import registry
from skdeep.estimators.resolve import Resolved, changed, nested_params, resolve_all
from skdeep.pickling import picklable

COMPONENTS = ("network", "loss", "optimizer", "schedule")
_REGISTERED = "registered_components"


class NestedParameters(BaseEstimator):
    """`get_params` and `set_params` that reach into the estimator's components."""

    _default_loss: ClassVar[str]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with `deep`, also the fields of network, loss, optimizer and schedule.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
            Fields are named `optimizer__b1`, `network__widths` and so on.
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for kind in COMPONENTS:
                fields = nested_params(kind, self._named(kind))
                params.update({f"{kind}__{name}": value for name, value in fields.items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, and fields of components as `optimizer__b1=0.8`.

        A component is replaced by a changed copy, never changed itself.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter, or a component has no such field. Unknown component names raise in `fit`.
        """
        nested: dict[str, dict[str, Any]] = {}
        direct: dict[str, Any] = {}
        for name, value in params.items():
            kind, _, path = name.partition("__")
            if path and kind in COMPONENTS:
                nested.setdefault(kind, {})[path] = value
            else:
                direct[name] = value
        super().set_params(**direct)
        for kind, fields in nested.items():
            setattr(self, kind, changed(kind, self._named(kind), fields))
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Say which packages components come from, and add the names registered in this process.

        A search sends the estimator, and the names it tries, to workers. All names travel, since the
        candidates may have others than the estimator itself.
        """
        state: dict[str, Any] = super().__getstate__()
        state = {**state, **{kind: picklable(state[kind]) for kind in COMPONENTS}}
        carried = registry.carried()
        return state if carried is None else {**state, _REGISTERED: carried}

    def __setstate__(self, state: dict[str, Any]) -> None:
        carried = state.get(_REGISTERED)
        if carried is not None:
            registry.adopt(carried)
        super().__setstate__({name: value for name, value in state.items() if name != _REGISTERED})

    def _named(self, kind: str) -> Any:
        value = getattr(self, kind)
        return self._default_loss if kind == "loss" and isinstance(value, str) and value == "auto" else value

    def _resolve(self) -> Resolved:
        return resolve_all({kind: self._named(kind) for kind in COMPONENTS})
