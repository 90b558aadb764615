"""Expected failures: checks that an author declares to fail, each with a reason."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from skdeep.testing.running import Check, ExpectedFailures, contract_check, expect, name_of

Case: TypeAlias = tuple[Any, Check, str | None]
ReasonsOf: TypeAlias = Callable[[Any], ExpectedFailures]


@contract_check(
    "let the keys be names of checks that this component has, and the values the reasons why it fails them."
)
def check_expected_failed_checks(component: Any, reasons: ExpectedFailures, known: Iterable[str]) -> None:
    """The declared failures name checks of the component, and each has a reason."""
    for name, reason in reasons.items():
        expect(
            name in known,
            f"Its expected_failed_checks name {name!r}, which is not one of its checks {sorted(known)}.",
        )
        has_text = isinstance(reason, str) and bool(reason.strip())
        expect(has_text, f"In its expected_failed_checks the reason for {name!r} is {reason!r}, not a text.")


def with_reasons(pairs: Iterable[tuple[Any, Check]], given: ExpectedFailures | None = None) -> Iterator[Case]:
    """Yield the checks of one component as cases, with the reason if the component or `given` declares the failure."""
    pairs = list(pairs)
    component = pairs[-1][0]
    reasons = {**declared_failures(component), **(given or {})}
    if reasons:
        known = {name_of(check) for _, check in pairs}
        yield component, functools.partial(check_expected_failed_checks, reasons=reasons, known=known), None
    for part, check in pairs:
        yield part, check, reasons.get(name_of(check))


def declared_failures(component: Any) -> dict[str, str]:
    """Return `expected_failed_checks` of a component and of the function, module or factory that it wraps."""
    parts = (component, *(getattr(component, name, None) for name in ("function", "module", "factory")))
    return {name: reason for part in parts for name, reason in getattr(part, "expected_failed_checks", {}).items()}
