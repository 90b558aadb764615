"""Which fields of a component differ from their defaults, so that notebooks colour these only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from skdeep.component import Component
from skdeep.definition import fields_of


def set_fields(component: Component, default: Component | None = None) -> Iterator[str]:
    """Yield the paths of the fields that differ from their defaults, such as "widths" or "layers__0__features".

    Parameters
    ----------
    component : Component
    default : Component, default=None
        The component that stands there by default. If it is of the same class, its fields are the defaults, else those of the class.

    Examples
    --------
    >>> from skdeep.networks import MLP
    >>> from skdeep.view.parameters import set_fields
    >>> list(set_fields(MLP(widths=(8,))))
    ['widths']
    """
    for field in fields_of(type(component)):
        value = getattr(component, field.name)
        usual = getattr(default, field.name) if type(default) is type(component) else field.default
        if not _is_equal(value, usual):
            yield field.name
            yield from (f"{field.name}__{path}" for path in _set_inside(value, usual))


def _set_inside(value: Any, usual: Any) -> Iterator[str]:
    """Yield the paths below a field that differ from the defaults there."""
    if isinstance(value, Component):
        yield from set_fields(value, usual)
    elif isinstance(value, tuple) and any(isinstance(item, Component) for item in value):
        others = usual if isinstance(usual, tuple) else ()
        for i, item in enumerate(value):
            other = others[i] if i < len(others) else None
            if not _is_equal(item, other):
                yield str(i)
                yield from (f"{i}__{path}" for path in _set_inside(item, other))


def _is_equal(value: Any, other: Any) -> bool:
    try:
        return value is other or (type(value) is type(other) and bool(value == other))
    except Exception:  # values of users may not allow comparisons
        return False
