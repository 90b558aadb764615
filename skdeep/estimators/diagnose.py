"""Turns JAX's error about a traced number in Python control flow into one that names component and field."""

from __future__ import annotations

import dataclasses
import linecache
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

from skdeep.component import Component


@contextmanager
def traced_fields_named() -> Iterator[None]:
    """Raise TypeError naming the float field when code inside branches on a traced number."""
    try:
        yield
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as err:
        culprit = _find_culprit(err)
        if culprit is None:
            raise
        component, line = culprit
        floats = _float_fields(component)
        named = [name for name in floats if f"self.{name}" in line] or floats
        fields = " or ".join(repr(name) for name in named)
        name = type(component).__name__
        raise TypeError(
            f"{name} uses its float field {fields} in Python control flow or as a Python number ({line!r}), but float fields "
            "are traced, so that a new number needs no new compile. Use jnp.where or lax.cond, or declare the field as "
            f"structure: '{named[0]}: float = skdeep.static({_default_of(component, named[0])})'."
        ) from err


def _find_culprit(err: BaseException) -> tuple[Component, str] | None:
    """Return the innermost component with float fields whose method was running, and the line of its code."""
    found = None
    for frame, line_number in traceback.walk_tb(err.__traceback__):
        owner = frame.f_locals.get("self")
        if isinstance(owner, Component) and _float_fields(owner):
            found = (owner, linecache.getline(frame.f_code.co_filename, line_number).strip())
    return found


def _float_fields(component: Any) -> list[str]:
    traced = {id(leaf) for leaf in jax.tree.leaves(component)}
    return [f.name for f in dataclasses.fields(component) if id(getattr(component, f.name)) in traced]


def _default_of(component: Any, name: str) -> str:
    default = next(f.default for f in dataclasses.fields(component) if f.name == name)
    return "" if default is dataclasses.MISSING else repr(default)
