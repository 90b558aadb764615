"""The exception classes, and the wording of messages that several places share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnknownComponentError(ValueError):
    """No component of this name exists; the message gives the nearest match and the known names."""


class AmbiguousComponentError(ValueError):
    """A bare name is offered by more than one package; the message gives the full ids."""


class ComponentExistsError(ValueError):
    """A name is taken: by a built-in, or by another object registered earlier."""


class PluginLoadError(ImportError):
    """A component's module could not be imported; the cause is chained."""


class NonFiniteLossError(ArithmeticError):
    """Training was stopped because the loss became NaN or infinite."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Word the message for a component name that nobody offers."""
    names = sorted(known)
    return f"Unknown {kind} {name!r}.{_nearest(name, names)} Known: {', '.join(names)}."


def unknown_field(owner: str, name: str, known: Iterable[str]) -> str:
    """Word the message for a field that a component does not have."""
    names = list(known)
    fields = f"Its fields are: {', '.join(names)}." if names else "It has no fields."
    return f"Invalid field {name!r} for {owner}.{_nearest(name, names)} {fields}"


def wrong_kind(parameter: str, value: object, wanted: str) -> str:
    """Word the message for a component given where another kind belongs."""
    kind = getattr(value, "kind", None)
    what = f"{value!r}, which is a {kind}" if isinstance(kind, str) else repr(value)
    return f"The {parameter!r} parameter must be {wanted}. Got {what} instead."


def _nearest(name: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""
