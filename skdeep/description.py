"""Descriptions of components for `skdeep describe`: signature, fields, documentation, package and module."""

from __future__ import annotations

import dataclasses
import inspect
import re
from importlib import metadata
from typing import Any, NamedTuple

from skdeep.linen import user_fields


class FieldDescription(NamedTuple):
    """A field of a component. If `is_traced`, a new number needs no new compile."""

    name: str
    type: str
    default: str
    is_traced: bool


class Description(NamedTuple):
    """The description of one component. `place` is `module:attribute`; `home_page` is "" if the package names none."""

    kind: str
    full_id: str
    package: str
    version: str
    home_page: str
    place: str
    signature: str
    fields: tuple[FieldDescription, ...]
    doc: str


def description_of(kind: str, full_id: str, value: Any, package: str, version: str, place: str) -> Description:
    """Return the description of a component class, function or object; `package` is "" for registered components."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return Description(
        kind=kind,
        full_id=full_id,
        package=package,
        version=version,
        home_page=_home_page(package) if package else "",
        place=place or f"{named.__module__}:{named.__qualname__}",
        signature=_signature(value, named),
        fields=tuple(_fields(value)),
        doc=inspect.getdoc(named) or "",
    )


def _signature(value: Any, named: Any) -> str:
    """Return the constructor call of a component, such as `Focal(gamma=2.0)`, or the signature of a function."""
    if not dataclasses.is_dataclass(value):
        try:
            return f"{named.__qualname__}{inspect.signature(value)}"
        except (TypeError, ValueError):  # some built-in functions have no signature
            return f"{named.__qualname__}(...)"
    parts = (f"{field.name}={field.default}" if field.default else field.name for field in _fields(value))
    return f"{named.__qualname__}({', '.join(parts)})"


def _fields(value: Any) -> list[FieldDescription]:
    if not dataclasses.is_dataclass(value):
        return []
    traced = getattr(value, "_data_fields", ())
    return [
        FieldDescription(f.name, _type_name(f.type), _default(value, f), f.name in traced) for f in user_fields(value)
    ]


def _type_name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _default(value: Any, field: Any) -> str:
    if not inspect.isclass(value):
        return repr(getattr(value, field.name))
    return "" if field.default is dataclasses.MISSING else repr(field.default)


def _home_page(package: str) -> str:
    """Return the home page from a package's metadata, under one of the usual labels; "" if there is none."""
    about = metadata.metadata(package)
    labels = {}
    for line in about.get_all("Project-URL") or ():
        label, _, url = line.partition(",")
        labels[re.sub(r"[^a-z]", "", label.lower())] = url.strip()
    known = (labels.get(name) for name in ("homepage", "source", "repository", "sourcecode", "github", "documentation"))
    return next((url for url in known if url), (about.get_all("Home-page") or [""])[0])
