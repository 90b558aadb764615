"""Checks for a whole package: its metadata, and every component that it offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from skdeep import discovery
from skdeep.discovery import DISTRIBUTION, GROUPS, Plugin
from skdeep.testing.kinds import component_checks
from skdeep.testing.running import Check, CheckResult, contract_check, expect, run_checks


@contract_check(f"add '{DISTRIBUTION}>=0.1,<0.2', with the versions that you test with, to the project's dependencies.")
def check_requirement(plugin: Plugin) -> None:
    """The package says which versions of skdeep it needs, so that installers keep the two together."""
    named = [line for line in plugin.requires if discovery.normalised(line).startswith(DISTRIBUTION)]
    expect(named, f"{plugin.distribution} {plugin.version} does not require {DISTRIBUTION}.")
    expect(any(mark in named[0] for mark in "<=>~"), f"It requires {named[0]!r}, which is any version.")


@contract_check(
    "let the entry point name a component class, a function or a linen module that a bare name is enough for."
)
def check_loads(plugin: Plugin) -> None:
    """The entry point can be imported and passes the structural check of its kind."""
    discovery.load(plugin)


def plugins_of(distribution: str) -> list[Plugin]:
    """Return all that an installed package offers.

    Raises
    ------
    ValueError
        If no package of this name is installed, or it offers no component.
    """
    name = discovery.normalised(distribution)
    discovery.scan()
    plugins = [plugin for kind in GROUPS for plugin in discovery.offered(kind) if plugin.distribution == name]
    if not plugins:
        groups = ", ".join(GROUPS.values())
        raise ValueError(
            f"No installed package {distribution!r} offers components. Install it, and declare entry points in one of "
            f"the groups {groups}."
        )
    return plugins


def plugin_checks(plugin: Plugin) -> Iterator[tuple[Any, Check]]:
    """Yield the checks of one plugin: its package's metadata, loading, and its kind's contract."""
    yield plugin, check_requirement
    yield plugin, check_loads
    try:
        loaded = discovery.load(plugin)
    except (ImportError, TypeError):
        return
    yield from component_checks(plugin.kind, loaded)


def check_distribution(distribution: str, *, on_fail: Literal["raise"] | None = "raise") -> list[CheckResult]:
    """Check an installed package: its metadata, that every component loads, and the contract of each.

    Parameters
    ----------
    distribution : str
        Name of the package as pip knows it.
    on_fail : {"raise"} or None, default="raise"
        None returns the failures among the results instead of raising the first one.

    Returns
    -------
    list of CheckResult

    Raises
    ------
    AssertionError
        If a check fails; the message ends with what to change.
    ValueError
        If no such package is installed, or it offers no component.

    Examples
    --------
    >>> from skdeep.testing import check_distribution
    >>> check_distribution("no-such-package")
    Traceback (most recent call last):
    ...
    ValueError: No installed package 'no-such-package' offers components. Install it, and declare entry points in ...
    """
    pairs = [pair for plugin in plugins_of(distribution) for pair in plugin_checks(plugin)]
    return run_checks(pairs, on_fail)
