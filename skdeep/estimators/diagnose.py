"""Replace JAX's error about a traced number in Python control flow by one that names the component and its field."""

from __future__ import annotations

import dataclasses
import linecache
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from skdeep.component import Component, components_in


@contextmanager
def traced_fields_named() -> Iterator[None]:
    """Raise TypeError that names the float field if code in the block uses a traced number as a Python number."""
    try:
        yield
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as err:
        culprit = _find_culprit(err)
        if culprit is None:
            raise
        owner, line = culprit
        explain = _about_component if isinstance(owner, Component) else _about_module
        raise TypeError(explain(owner, line, err)) from err


def _about_component(component: Component, line: str, err: BaseException) -> str:
    floats = _float_fields(component)
    named = [name for name in floats if f"self.{name}" in line] or floats
    fields = " or ".join(map(repr, named))
    return (
        f"{type(component).__name__} uses its float field {fields} in Python control flow or as a Python number ({line!r}), "
        "but float fields are traced, so that changing them does not recompile. Use jnp.where or lax.cond, or declare "
        f"the field as structure: {_as_structure(component, named[0])}."
    )


def _about_module(module: Any, line: str, err: BaseException) -> str:
    """Return the message for a Flax module that got a traced number; it names the number's component if that is found."""
    names = _traced_attributes(module)
    named = [name for name in names if f"self.{name}" in line] or names
    source = _component_with(err, getattr(module, named[0]))
    whose, structure = "a float field of a component", "'...: float = skdeep.static(...)'"
    if source is not None:
        component, field = source
        whose, structure = f"the float field {field!r} of {type(component).__name__}", _as_structure(component, field)
    own = "Use jnp.where or lax.cond"
    if type(module).__name__ == "Dropout":
        own = "Use skdeep.layers.Dropout(rate).build()(x, train) in place of Flax's Dropout, which takes no traced rate"
    return (
        f"{type(module).__name__} uses its field {' or '.join(map(repr, named))} in Python control flow or as a Python "
        f"number ({line!r}), but that is {whose}, which is traced, so that changing it does not recompile. {own}, or "
        f"declare the component's field as structure: {structure}."
    )


def _as_structure(component: Component, name: str) -> str:
    return f"'{name}: float = skdeep.static({_default_of(component, name)})'"


def _find_culprit(err: BaseException) -> tuple[Any, str] | None:
    """Return the innermost running component or Flax module with traced numbers, and its line of code."""
    found = None
    for frame, line_number in traceback.walk_tb(err.__traceback__):
        owner = frame.f_locals.get("self")
        is_one = _float_fields(owner) if isinstance(owner, Component) else _traced_attributes(owner)
        if is_one:
            found = (owner, linecache.getline(frame.f_code.co_filename, line_number).strip())
    return found


def _traced_attributes(module: Any) -> list[str]:
    """Return the names of a linen or NNX module's attributes that are traced numbers; no names for other objects."""
    if not any(cls.__module__.startswith("flax.") and cls.__name__ == "Module" for cls in type(module).__mro__):
        return []
    return [name for name, value in vars(module).items() if isinstance(value, jax.core.Tracer) and value.ndim == 0]


def _component_with(err: BaseException, tracer: Any) -> tuple[Component, str] | None:
    """Return the component on the call stack whose field is this traced number, and the name of the field."""
    for frame, _ in traceback.walk_tb(err.__traceback__):
        for value in frame.f_locals.values():
            for component in components_in(value) if isinstance(value, Component) else ():
                for name in _float_fields(component):
                    if getattr(component, name) is tracer:
                        return component, name
    return None


def _float_fields(component: Any) -> list[str]:
    traced = {id(leaf) for leaf in jax.tree.leaves(component)}
    return [f.name for f in dataclasses.fields(component) if id(getattr(component, f.name)) in traced]


def _default_of(component: Any, name: str) -> str:
    default = next(f.default for f in dataclasses.fields(component) if f.name == name)
    return "" if default is dataclasses.MISSING else repr(default)
