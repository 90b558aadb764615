"""Checks of an installed package: its metadata, and every component that it offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from packaging.requirements import Requirement

from skdeep import discovery
from skdeep.discovery import DISTRIBUTION, GROUPS, Plugin
from skdeep.errors import PluginContractError, PluginIncompatibleError, PluginLoadError, UnknownComponentError
from skdeep.policy import normalised
from skdeep.testing.expected_failures import Case, ReasonsOf, with_reasons
from skdeep.testing.kinds import component_checks
from skdeep.testing.running import Check, CheckResult, contract_check, expect, run_checks


@contract_check(f"add '{DISTRIBUTION}>=0.1,<0.2', or the versions that you test with, to the project's dependencies.")
def check_requirement(plugin: Plugin) -> None:
    """The package requires a range of versions of skdeep, so that installers choose one that works."""
    requirements = [Requirement(line) for line in plugin.requires]
    ours = [r for r in requirements if normalised(r.name) == DISTRIBUTION]
    expect(ours, f"{plugin.distribution} {plugin.version} does not require {DISTRIBUTION}.")
    expect(any(r.specifier for r in ours), f"It requires {str(ours[0])!r}, which allows any version.")


def _advice_on_loading(err: Exception) -> str:
    """Return the advice for a plugin that does not load, which depends on the error."""
    cause = err.__cause__
    if isinstance(err, PluginIncompatibleError):
        return f"require versions of {DISTRIBUTION} that include {discovery.own_version()}, and its plugin interface."
    if isinstance(err, PluginLoadError) and isinstance(cause, ModuleNotFoundError):
        return f"add the package that contains {cause.name!r} to the project's dependencies and install it, or correct the entry point."
    if isinstance(err, PluginLoadError) and isinstance(cause, AttributeError):
        return "write an entry point 'module:attribute' whose attribute the module defines."
    if isinstance(err, PluginLoadError):
        return "correct the module, so that it can be imported: the error above comes from its own code."
    if isinstance(err, PluginContractError):
        return "let the entry point name a component class, a function or a linen module that can be made without arguments."
    return "give all its fields defaults, so that it can be made from its entry point without arguments."


@contract_check(_advice_on_loading)
def check_loads(plugin: Plugin) -> None:
    """The entry point can be imported, passes the structural check of its kind, and gives a component."""
    list(component_checks(plugin.kind, discovery.load(plugin)))


def plugins_of(distribution: str) -> list[Plugin]:
    """Return the entry points of components that an installed package offers.

    Raises
    ------
    UnknownComponentError
        If no package of this name is installed, or it offers no component.
    """
    name = normalised(distribution)
    discovery.scan()
    plugins = [plugin for kind in GROUPS for plugin in discovery.offered(kind) if plugin.distribution == name]
    if not plugins:
        groups = ", ".join(GROUPS.values())
        broken = [f"{package}: {problem}" for package, problem in discovery.unreadable().items() if name in package]
        misspelt = [str(group) for group in discovery.unknown_groups() if group.distribution == name]
        if misspelt:
            raise UnknownComponentError(misspelt[0])
        hint = (
            f"Its metadata cannot be read: {broken[0]}."
            if broken
            else f"Declare entry points in one of the groups {groups}."
        )
        raise UnknownComponentError(f"No installed package {distribution!r} offers components. {hint}")
    return plugins


def plugin_checks(plugin: Plugin) -> Iterator[tuple[Any, Check]]:
    """Yield `(object, check)` for one plugin: the metadata of its package, loading, and the contract of its kind."""
    yield plugin, check_requirement
    yield plugin, check_loads
    try:
        pairs = list(component_checks(plugin.kind, discovery.load(plugin)))
    except Exception:  # check_loads reports it
        return
    yield from pairs


def plugin_cases(plugin: Plugin, reasons_of: ReasonsOf | None = None) -> Iterator[Case]:
    """Yield `(object, check, reason)` for one plugin; the reason is None unless the failure is declared."""
    pairs = list(plugin_checks(plugin))
    return with_reasons(pairs, reasons_of(pairs[-1][0]) if reasons_of else None)


def check_distribution(
    distribution: str,
    *,
    on_fail: Literal["raise"] | None = "raise",
    expected_failed_checks: ReasonsOf | None = None,
) -> list[CheckResult]:
    """Check an installed package: its metadata, and loading and contract of every component.

    Parameters
    ----------
    distribution : str
        Name of the package, as given to pip.
    on_fail : {"raise"} or None, default="raise"
        None returns the failures among the results instead of raising the first one.
    expected_failed_checks : callable, default=None
        Called with each component; returns a dict that maps names of checks that may fail to reasons. They are added to
        those in the component's class variable `expected_failed_checks`.

    Returns
    -------
    list of CheckResult

    Raises
    ------
    AssertionError
        If a check fails, or passes although it is declared to fail; the message ends with the change to make.
    UnknownComponentError
        If no such package is installed, or it offers no component.

    Examples
    --------
    >>> from skdeep.testing import check_distribution
    >>> check_distribution("no-such-package")
    Traceback (most recent call last):
    ...
    skdeep.errors.UnknownComponentError: No installed package 'no-such-package' offers components. Declare entry ...
    """
    results: list[CheckResult] = []
    for plugin in plugins_of(distribution):
        results += run_checks(plugin_cases(plugin, expected_failed_checks), on_fail)
    return results
