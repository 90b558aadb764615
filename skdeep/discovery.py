"""Plugins: components that other packages offer by entry points.

Plugins are found by reading the metadata of installed packages, which imports nothing, not even JAX. Each plugin is
imported only when it is used.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import os
import sys
import threading
from importlib import metadata
from typing import Any

from skdeep import errors
from skdeep.pickling import note_origin
from skdeep.policy import ALLOW_VARIABLE, DENY_VARIABLE, is_allowed, normalised

DISTRIBUTION = "skdeep-flax"
GROUPS = {
    "loss": "skdeep.losses",
    "optimizer": "skdeep.optimizers",
    "schedule": "skdeep.schedules",
    "layer": "skdeep.layers",
    "network": "skdeep.networks",
    "augmentation": "skdeep.augmentations",
}
LOCAL = "local"


@dataclasses.dataclass(frozen=True)
class Plugin:
    """One entry point: a component that a package offers under a name.

    `value` is `module:attribute`, and `requires` are the package's requirements from its metadata.
    """

    kind: str
    name: str
    distribution: str
    version: str
    value: str
    requires: tuple[str, ...] = dataclasses.field(repr=False)

    @property
    def full_id(self) -> str:
        """The unique name of the plugin: `distribution:name`."""
        return f"{self.distribution}:{self.name}"

    def __str__(self) -> str:
        return f"The {self.kind} {self.full_id!r} ({self.distribution} {self.version}, {self.value})"


@dataclasses.dataclass(frozen=True)
class UnknownGroup:
    """Entry points of a package in a group `skdeep.*` that does not exist, such as a misspelt one."""

    group: str
    distribution: str
    version: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        nearest = difflib.get_close_matches(self.group, GROUPS.values(), 1)
        cure = f"Did you mean {nearest[0]!r}?" if nearest else f"The groups are: {', '.join(GROUPS.values())}."
        names = ", ".join(map(repr, self.names))
        return (
            f"{self.distribution} {self.version} offers {names} in the group {self.group!r} of entry points, which "
            f"does not exist. {cure}"
        )


_lock = threading.RLock()
_found: dict[str, list[Plugin]] | None = None
_unreadable: dict[str, str] = {}
_unknown_groups: list[UnknownGroup] = []
_outcomes: dict[Plugin, Any] = {}


def offered(kind: str) -> list[Plugin]:
    """Return the plugins of a kind, sorted by full id, including blocked ones; the first call scans the metadata."""
    with _lock:
        if _found is None:
            scan()
        assert _found is not None
        return _found[kind]


def unreadable() -> dict[str, str]:
    """Return the error message for each package whose metadata could not be read in the last scan."""
    return dict(_unreadable)


def unknown_groups() -> list[UnknownGroup]:
    """Return the groups of entry points that do not exist, from the last scan."""
    return list(_unknown_groups)


def scan() -> None:
    """Read the metadata of all installed packages again. Loaded plugins stay loaded."""
    global _found
    importlib.invalidate_caches()
    with _lock:
        _unreadable.clear()
        _unknown_groups.clear()
        plugins = [plugin for name, found in _distributions().items() for plugin in _plugins_of(name, found)]
        _found = {kind: sorted((p for p in plugins if p.kind == kind), key=lambda p: p.full_id) for kind in GROUPS}


def refresh() -> None:
    """Forget all found plugins, and the results of loading them.

    The next look-up scans the metadata again, so it finds packages that were installed since the last scan. Imported
    modules stay imported.

    Examples
    --------
    >>> from skdeep import plugins
    >>> plugins.refresh()
    """
    global _found
    with _lock:
        _found = None
        _outcomes.clear()


def load(plugin: Plugin) -> Any:
    """Return the object of a plugin. The first call imports it.

    After a failure, the next call tries again, because the cause may have been removed. No lock is held during the
    import, because the module may itself use skdeep, in this or another thread.

    Raises
    ------
    PluginBlockedError, PluginIncompatibleError, PluginLoadError, PluginContractError
    """
    check_allowed(plugin)
    outcome = _outcomes.get(plugin)
    if outcome is None or isinstance(outcome, errors.PluginError):
        try:
            outcome = _load(plugin)
        except errors.PluginError as err:
            _outcomes[plugin] = err
            raise
        _outcomes[plugin] = outcome
    return outcome


def state(plugin: Plugin) -> str:
    """Return "available", "loaded", "blocked", "incompatible" or "broken"; imports nothing."""
    if not is_allowed(plugin.distribution):
        return "blocked"
    outcome = _outcomes.get(plugin)
    if isinstance(outcome, errors.PluginIncompatibleError) or (outcome is None and _excluded_by(plugin)):
        return "incompatible"
    if isinstance(outcome, errors.PluginError):
        return "broken"
    return "available" if outcome is None else "loaded"


def problem(plugin: Plugin) -> str | None:
    """Return the reason why a plugin cannot be used, None if none is known; imports nothing."""
    outcome = _outcomes.get(plugin)
    if isinstance(outcome, errors.PluginError):
        return str(outcome)
    try:
        check_allowed(plugin)
        _check_requirement(plugin)
    except errors.PluginError as err:
        return str(err)
    return None


def check_allowed(plugin: Plugin) -> None:
    """Raise PluginBlockedError if the policy (`SKDEEP_PLUGINS`, `SKDEEP_PLUGINS_DENY`) blocks the package."""
    if not is_allowed(plugin.distribution):
        variables = {name: os.environ[name] for name in (ALLOW_VARIABLE, DENY_VARIABLE) if os.environ.get(name)}
        settings = ", ".join(f"{name}={value!r}" for name, value in variables.items())
        raise errors.PluginBlockedError(
            f"{plugin} is blocked by {settings}. Change the variable, or call skdeep.plugins.configure, to use it."
        )


def loaded_plugin_of(kind: str, value: Any) -> Plugin | None:
    """Return the plugin that offers this object, None if there is none; imports nothing."""
    for plugin in offered(kind):
        if _outcomes.get(plugin) is value or _imported(plugin.value) is value:
            return plugin
    return None


def note_package_of(value: Any) -> None:
    """Record the package of a class, function or object, if the package offers plugins; imports nothing."""
    for kind in GROUPS:
        for plugin in offered(kind):
            if _is_made_by(plugin, value):
                note_origin(value, f"{plugin.distribution} {plugin.version}")
                return


def _is_made_by(plugin: Plugin, value: Any) -> bool:
    """Return True if an object is defined in the plugin's own top-level package, not re-exported from another one."""
    named = value if hasattr(value, "__qualname__") else type(value)
    module = getattr(named, "__module__", None) or ""
    return module.partition(".")[0] == plugin.value.partition(":")[0].partition(".")[0].strip()


def _distributions() -> dict[str, metadata.Distribution]:
    """Return the packages that offer components, by normalised name.

    Of two installed versions the first on `sys.path` counts, because imports find its modules. The names of skdeep itself
    and "local" are reserved, so packages of these names are left out.
    """
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        try:
            if "[skdeep." in (distribution.read_text("entry_points.txt") or ""):
                found.setdefault(normalised(distribution.metadata["Name"]), distribution)
        except Exception as err:  # broken metadata of one package must not stop the others
            _unreadable[str(getattr(distribution, "_path", distribution))] = f"{type(err).__name__}: {err}"
    return {name: found[name] for name in sorted(found) if name not in (DISTRIBUTION, LOCAL)}


def _plugins_of(name: str, distribution: metadata.Distribution) -> list[Plugin]:
    """Return the plugins of a package without duplicates, and record its unknown groups."""
    try:
        version, requires = distribution.version, tuple(distribution.requires or ())
        plugins = {
            (kind, entry.name): Plugin(kind, entry.name, name, version, entry.value, requires)
            for kind, group in GROUPS.items()
            for entry in distribution.entry_points.select(group=group)
        }
        for group in sorted(distribution.entry_points.groups):
            if group.startswith("skdeep.") and group not in GROUPS.values():
                names = tuple(entry.name for entry in distribution.entry_points.select(group=group))
                _unknown_groups.append(UnknownGroup(group, name, version, names))
        return list(plugins.values())
    except Exception as err:  # broken metadata of one package must not stop the others
        _unreadable[name] = f"{type(err).__name__}: {err}"
        return []


def _load(plugin: Plugin) -> Any:
    _check_requirement(plugin)
    entry = metadata.EntryPoint(plugin.name, plugin.value, GROUPS[plugin.kind])
    if not entry.pattern.match(plugin.value):
        raise errors.PluginContractError(
            f"{plugin} is not of the form 'module:attribute'. Update {plugin.distribution}, or tell its authors."
        )
    try:
        loaded = entry.load()
    except (Exception, SystemExit) as err:
        raise errors.PluginLoadError(
            f"{plugin} could not be loaded: {type(err).__name__}: {err}. Update or uninstall {plugin.distribution}; "
            "'skdeep plugins check' tests it."
        ) from err
    _check_accepted(plugin, loaded)
    if _is_made_by(plugin, loaded):
        note_origin(loaded, f"{plugin.distribution} {plugin.version}")
    return loaded


def _check_accepted(plugin: Plugin, loaded: Any) -> None:
    """Raise PluginError if the object requires another plugin interface, or cannot be used as its kind of component."""
    from skdeep import acceptance
    from skdeep.contract import PLUGIN_API

    package = plugin.distribution
    try:
        api = acceptance.api_of(loaded)
    except ValueError as err:
        raise errors.PluginContractError(f"{plugin} {err}. Update {package}, or tell its authors.") from err
    if not acceptance.is_known(api):
        raise errors.PluginIncompatibleError(
            f"{plugin} requires version {api} of the plugin interface, but skdeep-flax {own_version()} has {PLUGIN_API}. "
            f"Update skdeep-flax, or install another version of {package}."
        )
    reason = acceptance.refusal(plugin.kind, loaded)
    cause: Exception | None = None
    if reason is None:
        try:
            acceptance.made_if_class(loaded)
        except Exception as err:  # the constructor may raise anything
            reason, cause = f"its constructor, called without arguments, raises {type(err).__name__}: {err}", err
    if reason:
        raise errors.PluginContractError(
            f"{plugin} cannot be used as {errors.with_article(plugin.kind)}: {reason}. Update {package}, or tell its authors."
        ) from cause


def _check_requirement(plugin: Plugin) -> None:
    if excluded := _excluded_by(plugin):
        raise errors.PluginIncompatibleError(
            f"{plugin} requires {excluded!r}, but skdeep-flax {own_version()} is installed. "
            f"Install a compatible version of {plugin.distribution} or of skdeep-flax."
        )


@functools.lru_cache(maxsize=1000)
def _excluded_by(plugin: Plugin) -> str | None:
    """Return the plugin's requirement that the installed version of skdeep does not meet; None if there is none."""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in plugin.requires:
        if not normalised(line).startswith(DISTRIBUTION):
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        is_ours = normalised(requirement.name) == DISTRIBUTION
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if is_ours and applies and not requirement.specifier.contains(own_version(), prereleases=True):
            return line
    return None


def own_version() -> str:
    """Return the installed version of skdeep."""
    return metadata.version(DISTRIBUTION)


def _imported(value: str) -> Any:
    """Return the object of `module:attribute` if its module is imported already."""
    module, _, attribute = value.partition(":")
    found: Any = sys.modules.get(module.strip())
    for part in attribute.split("[")[0].strip().split("."):
        found = getattr(found, "__dict__", {}).get(part)  # getattr could import: modules may define __getattr__
    return found
