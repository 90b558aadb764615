"""The contract checks as cases of a pytest test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from skdeep.component import Component
from skdeep.testing.distributions import plugin_checks, plugins_of
from skdeep.testing.expected_failures import ReasonsOf, with_reasons
from skdeep.testing.kinds import component_checks
from skdeep.testing.running import Check, name_of


def parametrize_with_component_checks(
    components: str | Iterable[Component], *, expected_failed_checks: ReasonsOf | None = None
) -> Any:
    """Return a pytest mark that runs a test once per component and check.

    Parameters
    ----------
    components : str or iterable of Component
        The name of an installed package, whose components are all checked; or component objects.
    expected_failed_checks : callable, default=None
        Called with each component; returns a dict that maps names of checks that may fail to reasons. They are added to
        those in the component's class variable `expected_failed_checks`. These cases are marked as strict xfail: pytest
        reports the reason, and fails if the check passes.

    Returns
    -------
    pytest.MarkDecorator
        It parametrises the arguments `component` and `check` of the test.

    Raises
    ------
    UnknownComponentError
        If no such package is installed, or it offers no component.

    Examples
    --------
    >>> from skdeep.losses import Huber
    >>> from skdeep.testing import parametrize_with_component_checks
    >>> @parametrize_with_component_checks([Huber(delta=0.5)])
    ... def test_contract(component, check):
    ...     check(component)
    """
    import pytest

    named = _of_package(components) if isinstance(components, str) else _of_objects(components)
    cases = []
    for name, pairs in named:
        given = expected_failed_checks(pairs[-1][0]) if expected_failed_checks else None
        for component, check, reason in with_reasons(pairs, given):
            marks = () if reason is None else pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True)
            cases.append(pytest.param(component, check, id=f"{name}-{name_of(check)}", marks=marks))
    return pytest.mark.parametrize(("component", "check"), cases)


def _of_package(distribution: str) -> Iterator[tuple[str, list[tuple[Any, Check]]]]:
    for plugin in plugins_of(distribution):
        yield f"{plugin.kind}-{plugin.name}", list(plugin_checks(plugin))


def _of_objects(components: Iterable[Component]) -> Iterator[tuple[str, list[tuple[Any, Check]]]]:
    for component in components:
        yield type(component).__name__, list(component_checks(component.kind, component))
