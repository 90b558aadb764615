"""Check that an object can be used as a component, when it is registered or loaded from a plugin.

The checks look only at classes, fields and signatures. `skdeep.testing` checks how a component behaves.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from skdeep.arguments import arguments_after
from skdeep.component import Component
from skdeep.contract import KINDS, PLUGIN_API
from skdeep.errors import with_article
from skdeep.linen import is_linen_class, user_fields

# The arguments of a plain function of each kind, and its meaning in words.
FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "loss": (("raw", "target"), "a loss of each row"),
    "optimizer": (("learning_rate",), "an Optax factory"),
    "schedule": (("progress",), "a factor of the learning rate"),
    "layer": (("x",), "an activation"),
    "network": (("in_shape", "n_outputs", "rngs"), "an NNX factory"),
    "augmentation": (("key", "x"), "an augmentation"),
}

# Arguments that a plain function may name beside these.
OFFERED: dict[str, dict[str, Any]] = {"schedule": {"step": 0, "count": 0, "n_steps": 1}}

# The methods of which a component class must define at least one.
METHODS = {
    "loss": ("__call__",),
    "optimizer": ("transformation", "update"),
    "schedule": ("__call__",),
    "layer": ("build",),
    "network": ("build",),
    "augmentation": ("__call__", "mix"),
}


def refusal(kind: str, value: Any) -> str | None:
    """Return the reason why an object cannot be used as this kind of component, with the cure; None if it can."""
    if isinstance(value, KINDS[kind]):
        return None
    if isinstance(value, Component):
        return f"it is {with_article(value.kind)}, not {with_article(kind)}"
    if inspect.isclass(value) and issubclass(value, Component):
        return _refused_component(kind, value)
    if is_linen_class(value) or is_linen_class(type(value)):
        return _refused_linen(kind, value)
    if inspect.isclass(value) and not (kind == "network" and _is_nnx_class(value)):
        return f"it is a class that is not {with_article(kind)}: subclass skdeep.{KINDS[kind].__name__}"
    if not callable(value):
        return f"it is {value!r}, neither {with_article(kind)} component nor a function"
    return _refused_function(kind, value)


def reserved_names(kind: str) -> tuple[str, ...]:
    """Return the names that no component of this kind may have, because parameters give them another meaning."""
    from skdeep.layers.activation import ACTIVATIONS

    return {"loss": ("auto",), "layer": tuple(ACTIVATIONS)}.get(kind, ())


def is_known(api: tuple[int, int]) -> bool:
    """Return True if this skdeep supports a version of the plugin interface."""
    return api[0] == PLUGIN_API[0] and api[1] <= PLUGIN_API[1]


def api_of(value: Any) -> tuple[int, int]:
    """Return the version of the plugin interface that an object requires by `plugin_api`, (1, 0) by default.

    Raises
    ------
    ValueError
        If it is not a pair of ints. The message lacks a subject: the caller puts the name of the plugin before it.
    """
    api = getattr(value, "plugin_api", (1, 0))
    if not (isinstance(api, tuple) and len(api) == 2 and all(isinstance(number, int) for number in api)):
        raise ValueError(f"has plugin_api = {api!r}, which must be a pair of ints such as {PLUGIN_API}")
    return api


def made_if_class(value: Any) -> Any:
    """Return an instance with default fields if the value is a component class or a linen class, else the value."""
    is_made = inspect.isclass(value) and (issubclass(value, Component) or is_linen_class(value))
    return value() if is_made else value


def _refused_component(kind: str, cls: type[Component]) -> str | None:
    base = KINDS[kind]
    if not issubclass(cls, base):
        return f"{cls.__name__} is {with_article(cls.kind)}, not {with_article(kind)}"
    if all(getattr(cls, method) is getattr(base, method) for method in METHODS[kind]):
        return f"{cls.__name__} does not define {' or '.join(METHODS[kind])}"
    return _without_default(cls, list(dataclasses.fields(cls)))  # type: ignore[arg-type]  # components are dataclasses


def _refused_linen(kind: str, value: Any) -> str | None:
    if kind not in ("layer", "network"):
        return f"it is a flax.linen module, which can be a layer or a network, not {with_article(kind)}"
    if not inspect.isclass(value):
        return None
    return _without_default(value, list(user_fields(value)))


def _without_default(cls: type, fields: list[Any]) -> str | None:
    missing = dataclasses.MISSING
    names = [f.name for f in fields if f.default is missing and f.default_factory is missing]
    if not names:
        return None
    return f"the field {names[0]!r} of {cls.__name__} has no default: a name alone must be enough, so give it one"


def _refused_function(kind: str, function: Any) -> str | None:
    arguments, meaning = FUNCTIONS[kind]
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return None
    try:
        if kind == "network":
            signature.bind(**dict.fromkeys(arguments))
        else:
            positional, named = arguments_after(arguments[0], function, **OFFERED.get(kind, {}))
            signature.bind(*positional, *arguments[1:], **named)
    except TypeError:
        return f"its signature is {signature}, but as {meaning} it is called with ({', '.join(arguments)})"
    return None


def _is_nnx_class(value: type) -> bool:
    return any(cls.__module__.startswith("flax.nnx") and cls.__name__ == "Module" for cls in value.__mro__)
