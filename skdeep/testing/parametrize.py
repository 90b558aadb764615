"""The contract checks as cases of a pytest test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from skdeep.component import Component
from skdeep.testing.distributions import plugin_checks, plugins_of
from skdeep.testing.kinds import component_checks
from skdeep.testing.running import Check, name_of


def parametrize_with_component_checks(components: str | Iterable[Component]) -> Any:
    """Return a pytest mark that runs a test once for each component and check.

    Parameters
    ----------
    components : str or iterable of Component
        The name of an installed package, for all that it offers; or component objects.

    Returns
    -------
    pytest.MarkDecorator
        Of the arguments `component` and `check`.

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
    cases = [pytest.param(component, check, id=f"{name}-{name_of(check)}") for name, component, check in named]
    return pytest.mark.parametrize(("component", "check"), cases)


def _of_package(distribution: str) -> Iterator[tuple[str, Any, Check]]:
    for plugin in plugins_of(distribution):
        for component, check in plugin_checks(plugin):
            yield f"{plugin.kind}-{plugin.name}", component, check


def _of_objects(components: Iterable[Component]) -> Iterator[tuple[str, Any, Check]]:
    for component in components:
        for part, check in component_checks(component.kind, component):
            yield type(component).__name__, part, check
