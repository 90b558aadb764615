"""Nested parameters: fields of an estimator's components as parameters, such as `optimizer__b1`, `network__widths`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator

from skdeep import carried, registry
from skdeep.estimators.missing import Missing
from skdeep.estimators.resolve import Unresolved, changed, nested_params, with_carried_names, with_names
from skdeep.pickling import picklable

try:
    from joblib.externals.loky.backend import reduction
except ImportError:  # some systems install loky apart from joblib
    from loky.backend import reduction

_FULL_IDS = "full_ids"


class NestedParameters(BaseEstimator):
    """`get_params` and `set_params` that include the fields of the estimator's components.

    `_components` maps the name of a parameter to the kind of component that it holds.
    """

    _components: ClassVar[dict[str, str]]
    _param_names: ClassVar[list[str]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        reduction.register(cls, _reduced_for_worker)

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Return the names of parameters, which scikit-learn asks for several times per fit: reading a signature takes 0.2 ms."""
        names: list[str] | None = cls.__dict__.get("_param_names")
        if names is None:
            names = cls._param_names = super()._get_param_names()
        return list(names)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with `deep`, also the fields of their components.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
            The values of parameters by name. Fields of components are named `optimizer__b1`, `network__widths` and so on.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            for name, kind in self._components.items():
                fields = nested_params(kind, self._component_value(name))
                params.update({f"{name}__{field}": value for field, value in fields.items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, and fields of components, such as `optimizer__b1=0.8`.

        A component is never changed in place: a changed copy replaces it. Names of components are accepted at any depth,
        such as `network__layers__0="dense"`. `fit` raises for an invalid value of a field, as it does for the
        estimator's own parameters. `fit` also raises for a field that a component lacks, if the component is set in the
        same call. So a search over `optimizer=["adam", "sgd"]` and `optimizer__b1` loses only the invalid candidates.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter, or a component that was set in an earlier call has no such field. Unknown
            names of components raise in `fit`.
        """
        nested: dict[str, dict[str, Any]] = {}
        direct: dict[str, Any] = {}
        for path, value in params.items():
            name, _, field = path.partition("__")
            if field and name in self._components:
                nested.setdefault(name, {})[field] = value
            else:
                direct[path] = value
        super().set_params(**direct)
        for name, fields in nested.items():
            setattr(self, name, self._with_fields(name, fields, is_new=name in direct))
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return the state with the full id of each named component of a plugin."""
        state: dict[str, Any] = super().__getstate__()
        ids = full_ids_of_names(self)
        state = {**state, **{name: picklable(state[name]) for name in self._components}}
        return {**state, _FULL_IDS: [[*key, full_id] for key, full_id in ids.items()]} if ids else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Replace names by full ids if a name means another component here."""
        ids = {(kind, name): full_id for kind, name, full_id in state.get(_FULL_IDS, [])}
        state = {name: value for name, value in state.items() if name != _FULL_IDS}
        if any(registry.full_id(*key) != full_id for key, full_id in ids.items()):
            for name, kind in self._components.items():
                state[name] = with_names(kind, state[name], lambda kind, name: ids.get((kind, name), name))
        super().__setstate__(state)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle the estimator with the objects of the registered names that its parameters use.

        They are not part of `__getstate__`, because they are pickles themselves: skops stores and restores states, and its
        files must not run code.
        """
        make, arguments, state, *rest = super().__reduce_ex__(protocol)
        named = {name: with_carried_names(kind, state[name]) for name, kind in self._components.items()}
        return make, arguments, {**state, **named}, *rest

    def _with_fields(self, name: str, fields: dict[str, Any], *, is_new: bool) -> Any:
        """Return the new value of a component's parameter with these fields set.

        `is_new` tells that the parameter itself is set in the same call.
        """
        value, given = self._component_value(name), getattr(self, name)
        reason = given.reason if isinstance(given, Unresolved) else ""
        if value is None:
            reason = (
                f"Invalid parameter {f'{name}__{next(iter(fields))}'!r} for {type(self).__name__}: {name}={given!r} "
                f"has no fields of its own. Its numbers are parameters of {type(self).__name__}."
            )
            if not is_new:
                raise ValueError(reason)
        if reason:
            return Unresolved(given.name if isinstance(given, Unresolved) else given, tuple(fields.items()), reason)
        return changed(self._components[name], value, fields, is_new=is_new)

    def _component_value(self, name: str) -> Any:
        """Return the name or object that a component's parameter stands for; None if that is not a component."""
        return getattr(self, name)


def full_ids_of_names(estimator: NestedParameters) -> dict[tuple[str, str], str]:
    """Return the full ids of the plugins' components that the parameters name, by kind and name."""
    found: dict[tuple[str, str], str] = {}

    def note(kind: str, name: str) -> str:
        found[kind, name] = registry.full_id(kind, name)
        return name

    for parameter, kind in estimator._components.items():
        value = getattr(estimator, parameter)
        value = value.name if isinstance(value, Unresolved) else value
        if isinstance(value, Missing):
            found.update({(kind, name): full_id for kind, name, full_id in value.names})
        with_names(kind, value, note)
    return {(kind, name): full_id for (kind, name), full_id in found.items() if full_id != name}


def _reduced_for_worker(estimator: NestedParameters) -> Any:
    """Return the pickle of an estimator for a worker process of joblib's loky backend, with all registered names.

    A search sends each worker an estimator and a candidate. The candidate is a dict of plain values: its names are strings,
    which cannot take objects along, and the estimator does not hold them yet.
    """
    reduced = estimator.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    names = carried.all_names()
    return reduced if names is None else (_made_in_worker, (names, *reduced[:2]), *reduced[2:])


def _made_in_worker(names: carried.Carried, make: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Let a worker process know its parent's registered names, and return an estimator without state."""
    carried.adopt(names)
    return make(*arguments)
