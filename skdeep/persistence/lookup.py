"""Components by the names in a model file: from the registry only, and only those that the reader of the file allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

from skdeep import registry
from skdeep.discovery import DISTRIBUTION, GROUPS, LOCAL
from skdeep.errors import ComponentError, CorruptModelError, MissingComponentError
from skdeep.policy import normalised

Plugins: TypeAlias = Literal["builtin", "installed"] | Iterable[str]

MOST_MISSING = 20
"""The most missing components of a file: each look-up of one reads the metadata of all installed packages."""


class Lookup:
    """Looks up components.

    Parameters
    ----------
    plugins : {"builtin", "installed"} or list of str
        The components that may be used: built-in ones, those of all installed packages, or those of these distributions.
    """

    def __init__(self, plugins: Plugins) -> None:
        if isinstance(plugins, str) and plugins not in ("builtin", "installed"):
            raise ValueError(
                f"plugins must be 'builtin', 'installed' or a list of distributions. Got {plugins!r} instead."
            )
        self._plugins = plugins if isinstance(plugins, str) else frozenset(normalised(name) for name in plugins)
        self._missing: dict[tuple[str, str], str] = {}

    def get(self, kind: Any, full_id: Any) -> Any:
        """Return the class, function or object of a component.

        Raises
        ------
        CorruptModelError
            If there is no such kind.
        MissingComponentError
            If the component is not available here, or `plugins` excludes it.
        """
        if kind not in GROUPS or not isinstance(full_id, str):
            raise CorruptModelError(f"The file names no kind of component: {str(kind)[:40]!r}.")
        self.check_allowed(kind, full_id)
        return self._found(kind, full_id, registry.get)[1]

    def check_known(self, kind: str, full_id: str) -> None:
        """Raise MissingComponentError if no component has this name; imports nothing."""
        self._found(kind, full_id, registry.check_known)

    def check_allowed(self, kind: str, name: str) -> None:
        """Raise MissingComponentError if `plugins` excludes the component that a name or full id means here."""
        if self._plugins == "installed":
            return
        full_id = registry.full_id(kind, name)
        distribution, colon, _ = full_id.partition(":")
        if not colon:
            if full_id in registry.builtin_names(kind) or full_id in registry.registered_names(kind):
                return
            raise MissingComponentError(
                f"The file needs the {kind} {name!r}, which is neither built in nor registered in this process. "
                "Register it, or give plugins='installed' if a package offers it."
            )
        if distribution in (LOCAL, DISTRIBUTION):
            return
        if isinstance(self._plugins, str) or normalised(distribution) not in self._plugins:
            given = self._plugins if isinstance(self._plugins, str) else sorted(self._plugins)
            raise MissingComponentError(
                f"The file needs the {kind} {full_id!r}, which plugins={given!r} excludes. Give "
                f"plugins=[{distribution!r}] if you trust that package."
            )

    def _found(self, kind: str, full_id: str, look_up: Callable[[str, str], Any]) -> Any:
        if (kind, full_id) not in self._missing:
            if len(self._missing) >= MOST_MISSING:
                raise CorruptModelError(f"The file needs more than {MOST_MISSING} components that are not available.")
            try:
                return look_up(kind, full_id)
            except ComponentError as err:
                self._missing[kind, full_id] = str(err)
        raise MissingComponentError(f"The file needs the {kind} {full_id!r}. {self._missing[kind, full_id]}")
