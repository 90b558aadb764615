"""List, describe and check components: built-in ones, registered ones, and plugins of installed packages.

`list_components` reads metadata and imports no component; `describe` imports one; `check` imports all plugins.
Two environment variables decide which packages may be used, so that worker processes inherit them:
`SKDEEP_PLUGINS` ("all", "none", or names such as "acme-losses,skdeep-*") and `SKDEEP_PLUGINS_DENY` (names),
which takes precedence. `configure` sets them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from skdeep import discovery, errors, registry
from skdeep.description import Description, description_of
from skdeep.discovery import DISTRIBUTION, GROUPS, Plugin, UnknownGroup, refresh
from skdeep.policy import ALLOW_VARIABLE, DENY_VARIABLE, is_allowed, normalised, patterns_in

__all__ = [
    "CheckReport",
    "Description",
    "ListedComponent",
    "check",
    "configure",
    "describe",
    "list_components",
    "refresh",
    "unknown_groups",
    "unreadable_packages",
]


class ListedComponent(NamedTuple):
    """A component as described by metadata.

    `full_id` is its unique name; `place` is `module:attribute`, empty for registered components. `state` is "built in",
    "registered", "available", "loaded", "blocked" (by policy), "incompatible" (requires another version of skdeep) or
    "broken". The last three have a `problem`. A plugin can be known as broken only after an attempt to load it.
    """

    kind: str
    name: str
    full_id: str
    package: str
    version: str
    place: str
    state: str
    problem: str | None = None


class CheckReport(NamedTuple):
    """The result of `check` for one plugin.

    `n_passed` counts the passed checks, `failures` are the messages of failed checks, and `expected_failures` the reasons
    of checks that the component declares to fail (`expected_failed_checks`). A group of entry points that does not exist,
    such as a misspelt one, is reported as a plugin of the kind "group".
    """

    kind: str
    full_id: str
    package: str
    version: str
    state: str
    n_passed: int
    failures: tuple[str, ...]
    expected_failures: tuple[str, ...] = ()


def list_components(kind: str | None = None) -> list[ListedComponent]:
    """Return all built-in, registered and installed components; imports none of them.

    Parameters
    ----------
    kind : {"loss", "optimizer", "schedule", "layer", "network", "augmentation"}, default=None
        None lists all kinds.

    Returns
    -------
    list of ListedComponent
        Per kind: built-in components, registered ones, then those of other packages, sorted by full id.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> from skdeep import plugins
    >>> [listed.name for listed in plugins.list_components("augmentation") if listed.state == "built in"]
    ['cutmix', 'gaussian_noise', 'mixup', 'random_crop', 'random_flip']
    """
    if kind is not None:
        registry.check_kind(kind)
    return [listed for k in GROUPS if kind in (None, k) for listed in _of_kind(k)]


def describe(kind: str, name: str) -> Description:
    """Return the description of one component, which is imported.

    Parameters
    ----------
    kind : {"loss", "optimizer", "schedule", "layer", "network", "augmentation"}
    name : str
        A bare name or a full id.

    Returns
    -------
    Description

    Raises
    ------
    UnknownComponentError, AmbiguousComponentError, PluginError
        If the name is unknown, if several packages offer it, or if its plugin cannot be used.

    Examples
    --------
    >>> from skdeep import plugins
    >>> focal = plugins.describe("loss", "focal")
    >>> focal.signature, focal.package, [field.is_traced for field in focal.fields]
    ('Focal(gamma=2.0)', 'skdeep-flax', [True])
    """
    registry.check_kind(kind)
    full_id, value = registry.get(kind, name)
    listed = next(listed for listed in _of_kind(kind) if listed.full_id == full_id)
    return description_of(kind, full_id, value, listed.package, listed.version, listed.place)


def check(distribution: str | None = None) -> list[CheckReport]:
    """Load the installed plugins and run the contract checks of `skdeep.testing` on each.

    Parameters
    ----------
    distribution : str, default=None
        The package to check; None checks all. A package that the policy blocks is reported as blocked and not loaded.

    Returns
    -------
    list of CheckReport

    Raises
    ------
    UnknownComponentError
        If the package is not installed or offers no component.
    """
    from skdeep.testing.distributions import plugins_of

    discovery.scan()
    found = [_report_of_group(g) for g in discovery.unknown_groups() if distribution is None or _is_of(g, distribution)]
    if distribution is None:
        return [_report(plugin) for kind in GROUPS for plugin in discovery.offered(kind)] + found
    try:
        return [_report(plugin) for plugin in plugins_of(distribution)] + found
    except errors.UnknownComponentError:
        if found:
            return found
        raise


def configure(allow: str | Iterable[str] | None = None, deny: str | Iterable[str] | None = None) -> None:
    """Set the policy: which packages' components may be used, in this process and in workers that it starts later.

    Parameters
    ----------
    allow : str or iterable of str, default=None
        "all", "none", or names of packages, in which `*` stands for any characters. None does not change it.
    deny : str or iterable of str, default=None
        Names of packages to block, even if `allow` has them; empty for none. None does not change it.

    Notes
    -----
    Sets the environment variables `SKDEEP_PLUGINS` and `SKDEEP_PLUGINS_DENY`. The policy does not block built-in and
    registered components, objects that you import yourself, and the imports of a pickle.

    Raises
    ------
    ValueError
        If a value is not a name of a package.

    Examples
    --------
    >>> from skdeep import plugins
    >>> plugins.configure(allow=["skdeep-*"], deny=["skdeep-experiments"])
    >>> plugins.configure(allow="all", deny=())
    """
    for variable, value in ((ALLOW_VARIABLE, allow), (DENY_VARIABLE, deny)):
        if value is not None:
            names = value if isinstance(value, str) else ",".join(value)
            patterns_in(variable, names)
            os.environ[variable] = names or ("none" if variable == ALLOW_VARIABLE else "")


def unreadable_packages() -> dict[str, str]:
    """Return the error message for each package whose metadata could not be read in the last scan."""
    return discovery.unreadable()


def unknown_groups() -> list[str]:
    """Return an error message for each group of entry points `skdeep.*` that a package uses but that does not exist."""
    return [str(group) for group in discovery.unknown_groups()]


def _of_kind(kind: str) -> Iterable[ListedComponent]:
    version = discovery.own_version()
    for name, place in registry.builtin_names(kind).items():
        yield ListedComponent(kind, name, name, DISTRIBUTION, version, place, "built in")
    for name in registry.registered_names(kind):
        yield ListedComponent(kind, name, f"local:{name}", "", "", "", "registered")
    for p in discovery.offered(kind):
        state, problem = discovery.state(p), discovery.problem(p)
        yield ListedComponent(kind, p.name, p.full_id, p.distribution, p.version, p.value, state, problem)


def _is_of(group: UnknownGroup, distribution: str) -> bool:
    return group.distribution == normalised(distribution)


def _report_of_group(group: UnknownGroup) -> CheckReport:
    full_id = f"{group.distribution}:{group.group}"
    return CheckReport("group", full_id, group.distribution, group.version, "broken", 0, (f"{group}",))


def _report(plugin: Plugin) -> CheckReport:
    from skdeep.testing.distributions import plugin_cases
    from skdeep.testing.running import run_checks

    if not is_allowed(plugin.distribution):
        return CheckReport(plugin.kind, plugin.full_id, plugin.distribution, plugin.version, "blocked", 0, ())
    results = run_checks(plugin_cases(plugin), on_fail=None)
    failures = tuple(str(result.error) for result in results if result.error)
    expected = tuple(f"{r.check_name}: {r.expected_failure}" for r in results if r.status == "xfail")
    n_passed = len(results) - len(failures) - len(expected)
    about = plugin.kind, plugin.full_id, plugin.distribution, plugin.version, discovery.state(plugin)
    return CheckReport(*about, n_passed, failures, expected)
