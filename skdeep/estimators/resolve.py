"""Make components from the values of parameters: names, objects, functions, lists of layers."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from skdeep import carried, errors, registry
from skdeep.acceptance import made_if_class
from skdeep.component import Component, check_structure, components_in, fields_of, kind_inside
from skdeep.contract import KINDS, Augmentation, Layer, Loss, Network, Optimizer, Schedule
from skdeep.linen import is_linen_class
from skdeep.pickling import reduced


class Resolved(NamedTuple):
    """The components of a fit, and a dict from the parameter's name to the full id of each component."""

    network: Network
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    ids: dict[str, str]
    augmentation: Augmentation | None = None


@dataclasses.dataclass(frozen=True)
class Unresolved:
    """A parameter's value and fields that could not be set on it; `fit` tries again, and raises if that fails too.

    The value is an unknown name, or a component that lacks a field or refuses its value. With a `reason`, `fit` raises
    that reason without another try.
    """

    name: Any
    fields: tuple[tuple[str, Any], ...]
    reason: str = ""

    def __sklearn_clone__(self) -> Self:
        return self

    def __reduce__(self) -> Any:
        return reduced(self, ("name", "fields", "reason"))


def resolve_all(values: dict[str, Any]) -> Resolved:
    """Return the components of an estimator's parameters, checked and ready to be traced.

    Raises
    ------
    UnknownComponentError, TypeError, ValueError
        If a name is unknown, an object is of another kind, or a field has an invalid value.
    """
    ready = {kind: resolve_ready(kind, value) for kind, value in values.items() if value is not None}
    components: dict[str, Any] = dict.fromkeys(values) | {kind: component for kind, (_, component) in ready.items()}
    return Resolved(**components, ids={kind: full_id for kind, (full_id, _) in ready.items()})


def resolve_ready(kind: str, value: Any) -> tuple[str, Any]:
    """Return the full id and the component of one value, checked and ready to be traced."""
    full_id, component = resolve(kind, value)
    return full_id, _prepare(component)


def resolve(kind: str, value: Any) -> tuple[str, Any]:
    """Return the full id and the component of one value."""
    if isinstance(value, Unresolved):
        if value.reason:
            raise errors.InvalidFieldError(value.reason)
        full_id, component = resolve(kind, value.name)
        return full_id, component.replace(**dict(value.fields))
    if isinstance(value, str):
        full_id, registered = registry.get(kind, value)
        return full_id, from_object(kind, made_if_class(registered))
    return _id_of(kind, value), from_object(kind, value)


def from_object(kind: str, value: Any) -> Any:
    """Return the component for an object: the object itself, or a component that wraps it.

    Raises
    ------
    TypeError
        If the object cannot be used as this kind of component.
    """
    if isinstance(value, KINDS[kind]):
        return value
    if isinstance(value, Component):
        raise TypeError(errors.wrong_kind(kind, value, errors.with_article(kind)))
    if inspect.isclass(value) and (issubclass(value, Component) or is_linen_class(value)):
        raise TypeError(errors.wrong_kind(kind, value, f"an object, not a class: write {value.__name__}(...)"))
    makers = {
        "network": _network_from,
        "loss": _loss_from,
        "optimizer": _optimizer_from,
        "schedule": _schedule_from,
        "layer": layer_from,
        "augmentation": _augmentation_from,
    }
    return makers[kind](value)


def layer_from(value: Any) -> Layer:
    """Return the layer for an item of a list: a name, a `(name, options)` pair, a layer, a linen module or a function."""
    from skdeep.layers import Activation, ModuleLayer
    from skdeep.layers.activation import ACTIVATIONS

    if isinstance(value, Layer):
        return value
    if isinstance(value, str):
        return Activation(value) if value in ACTIVATIONS else _checked_layer(resolve("layer", value)[1])
    if _is_pair(value):
        return with_components(layer_from(value[0]).replace(**value[1]))
    if is_linen_class(type(value)):
        return ModuleLayer(value)
    if callable(value) and not inspect.isclass(value) and not isinstance(value, Component):
        return Activation(value)
    raise TypeError(
        errors.wrong_kind("network", value, "a list of layers: names, (name, options) pairs, layers or linen modules")
    )


def component_of(kind: str, value: Any) -> Any:
    """Return the component for the value of another component's field."""
    if isinstance(value, Component):
        return value
    return layer_from(value) if kind == "layer" else resolve(kind, value)[1]


def with_components(component: Any) -> Any:
    """Return the component with the names and functions in its component fields replaced by components.

    Raises
    ------
    UnknownComponentError, TypeError
        If a name is unknown, or a value cannot be used as the field's kind of component.
    """
    changes: dict[str, Any] = {}
    for field in fields_of(type(component)):
        value = getattr(component, field.name)
        kind = kind_inside(field, value)
        if kind not in KINDS or value is None:
            continue
        is_many = isinstance(value, tuple) and (field.holds_many or field.kind is None)
        items = value if is_many else (value,)
        # If the annotation names no kind, only values that are components already count as components.
        made = tuple(
            with_components(component_of(kind, item)) if field.kind or isinstance(item, Component) else item
            for item in items
        )
        if any(a is not b for a, b in zip(made, items, strict=True)):
            changes[field.name] = made if is_many else made[0]
    return dataclasses.replace(component, **changes) if changes else component


def changed(kind: str, value: Any, fields: dict[str, Any], *, is_new: bool = False) -> Any:
    """Return a parameter's value with fields of its component changed (for `set_params`).

    Return an `Unresolved`, for which `fit` raises, if the component is unknown, if a field refuses its value, or if a
    component that is set in the same call lacks a field (`is_new`: `value` itself is set in this call). A search then
    loses one candidate instead of all.

    Raises
    ------
    UnknownFieldError
        If a component that was set in an earlier call lacks a field.
    """
    if isinstance(value, Unresolved):
        value, fields, is_new = value.name, {**dict(value.fields), **fields}, True
    unresolved = Unresolved(value, tuple(fields.items()))
    try:
        component = with_components(resolve(kind, value)[1].replace(**fields))
    except errors.UnknownFieldError:
        if is_new or _renews_a_component(fields):
            return unresolved
        raise
    except (errors.ComponentError, ValueError, TypeError):
        return unresolved
    # Return a user's own module as a module, not as the component that wraps it.
    return component.module if hasattr(value, "clone") and hasattr(component, "module") else component


def _renews_a_component(fields: dict[str, Any]) -> bool:
    """Return True if one path sets a component and another path one of its fields: `base` and `base__b1`."""
    return any(path.startswith(f"{other}__") for path in fields for other in fields)


def with_names(kind: str, value: Any, rename: Callable[[str, str], str]) -> Any:
    """Return a parameter's value with every name of a component replaced by `rename(kind, name)`."""
    from skdeep.layers.activation import ACTIVATIONS

    if isinstance(value, Unresolved):
        return dataclasses.replace(value, name=with_names(kind, value.name, rename))
    if isinstance(value, str):
        return value if value == "auto" or (kind == "layer" and value in ACTIVATIONS) else rename(kind, value)
    if kind == "layer" and _is_pair(value):
        options = {k: with_names("layer", v, rename) if k in ("layer", "layers") else v for k, v in value[1].items()}
        return type(value)((rename("layer", value[0]), options))
    if type(value) in (list, tuple):
        inner = "layer" if kind == "network" else kind
        return type(value)(with_names(inner, item, rename) for item in value)
    return value


def with_carried_names(kind: str, value: Any) -> Any:
    """Return a parameter's value in which the names that are registered in this process have their objects, for a pickle."""
    return with_names(kind, value, carried.with_object)


def nested_params(kind: str, value: Any) -> dict[str, Any]:
    """Return the fields of a parameter's component (for `get_params`); none if it cannot be resolved."""
    if value is None:
        return {}
    if isinstance(value, Unresolved):
        return {**nested_params(kind, value.name), **dict(value.fields)}
    try:
        component: Component = resolve(kind, value)[1]
    except (errors.ComponentError, ValueError, TypeError):
        return {}
    return component.get_params()


def _prepare(component: Any) -> Any:
    component = with_components(component)
    check_structure(component)
    for part in components_in(component):
        part.check_fields()
        for made_of in (part, getattr(part, "module", None), getattr(part, "function", None)):
            if made_of is not None:
                _id_of(part.kind, made_of)  # records the package of a plugin's class or function, for pickles
    return component


def _is_pair(value: Any) -> bool:
    """Return True if a value is a `(name, options)` pair."""
    return (
        isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)
    )


def _checked_layer(value: Any) -> Layer:
    return value if isinstance(value, Layer) else layer_from(value)


def _network_from(value: Any) -> Network:
    from skdeep.networks import FlaxNetwork, NNXNetwork, Sequential

    if isinstance(value, Sequence) and not isinstance(value, str):
        return Sequential(tuple(layer_from(item) for item in value))
    if is_linen_class(type(value)):
        return FlaxNetwork(value)
    if _is_nnx_instance(value):
        raise TypeError(
            "The 'network' parameter must not be an NNX module that is already built, because every fit would start from "
            "its weights. Give the factory instead, f(in_shape, n_outputs, rngs) -> nnx.Module."
        )
    if callable(value):
        return NNXNetwork(value)
    raise TypeError(errors.wrong_kind("network", value, "a name, a network, a list of layers or a Flax module"))


def _loss_from(value: Any) -> Loss:
    from skdeep.losses import FunctionLoss

    if not callable(value):
        raise TypeError(errors.wrong_kind("loss", value, "a name, a loss or a function f(raw, target)"))
    return FunctionLoss(value)


def _optimizer_from(value: Any) -> Optimizer:
    from skdeep.optimizers import OptaxFactory

    if not callable(value):
        raise TypeError(errors.wrong_kind("optimizer", value, "a name, an optimizer or an Optax factory"))
    return OptaxFactory.of(value)


def _schedule_from(value: Any) -> Schedule:
    from skdeep.schedules import FunctionSchedule

    if not callable(value):
        raise TypeError(errors.wrong_kind("schedule", value, "a name, a schedule or a function of progress"))
    return FunctionSchedule(value)


def _augmentation_from(value: Any) -> Augmentation:
    from skdeep.augmentations import Chain, FunctionAugmentation

    if isinstance(value, Sequence) and not isinstance(value, str):
        return Chain(tuple(resolve("augmentation", item)[1] for item in value))
    if not callable(value):
        raise TypeError(
            errors.wrong_kind("augmentation", value, "a name, an augmentation, a function f(key, x), or a list of them")
        )
    return FunctionAugmentation(value)


def _is_nnx_instance(value: Any) -> bool:
    return any(cls.__module__.startswith("flax.nnx") and cls.__name__ == "Module" for cls in type(value).__mro__)


def _id_of(kind: str, value: Any) -> str:
    """Return the full id of an object: that of its registered class or function, else "object:" and its class."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return registry.id_of(kind, named) or f"object:{named.__qualname__}"
