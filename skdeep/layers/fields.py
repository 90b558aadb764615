"""Checks of the fields of layers and networks, with one wording of the errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skdeep.arguments import arguments_for
from skdeep.component import Component


def check_positive(component: Component, *names: str, or_none: bool = False) -> None:
    """Raise ValueError unless each field is a positive int, or None if `or_none`."""
    for name in names:
        value = getattr(component, name)
        if not (_is_positive(value) or (or_none and value is None)):
            raise _wrong(component, name, "a positive int" + " or None" * or_none, value)


def check_sizes(component: Component, *names: str) -> None:
    """Raise ValueError unless each field is a positive int, or a tuple of positive ints, one per axis."""
    for name in names:
        value = getattr(component, name)
        if not all(map(_is_positive, value if isinstance(value, tuple) else (value,))):
            raise _wrong(component, name, "a positive int or a tuple of positive ints", value)


def check_widths(component: Component, *names: str, at_least: int = 0) -> None:
    """Raise ValueError unless each field is a tuple of `at_least` or more positive ints."""
    for name in names:
        value = getattr(component, name)
        if not (isinstance(value, tuple) and len(value) >= at_least and all(map(_is_positive, value))):
            raise _wrong(component, name, f"a tuple of {'one or more ' if at_least else ''}positive ints", value)


def check_dropout_rate(component: Component, name: str = "dropout_rate") -> None:
    """Raise ValueError unless the field is None or in [0, 1)."""
    value = getattr(component, name)
    if value is not None and not 0 <= value < 1:
        raise _wrong(component, name, "None or in [0, 1)", value)


def check_schedule(component: Component, name: str) -> None:
    """Raise ValueError if the field is a schedule that asks for more than the progress."""
    schedule = getattr(component, name)
    if schedule is not None and (more := arguments_for(schedule.__call__, step=None, n_steps=None)):
        raise _wrong(component, name, f"a schedule that takes the progress only, not {', '.join(more)}", schedule)


def check_one_of(component: Component, name: str, known: Iterable[Any]) -> None:
    """Raise ValueError unless the field is one of the known values."""
    value, known = getattr(component, name), list(known)
    if value not in known:
        raise _wrong(component, name, f"one of {known}", value)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _wrong(component: Component, name: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"The {name!r} field of {type(component).__name__} must be {wanted}. Got {value!r} instead.")
