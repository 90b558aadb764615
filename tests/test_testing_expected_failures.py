"""Failures that are declared with a reason are reported, but do not fail. A declaration fails if its check passes or does not exist."""

from __future__ import annotations

import pytest

import skdeep
from skdeep import plugins
from skdeep.__main__ import main
from skdeep.testing import check_distribution, check_schedule, component_checks, parametrize_with_component_checks
from skdeep.testing.expected_failures import with_reasons
from skdeep.testing.running import name_of, run_checks

REASON = "It falls below zero on purpose."


class Negative(skdeep.Schedule):
    """A schedule with a negative factor."""

    expected_failed_checks = {"check_factor": REASON, "check_factor_between": REASON}  # noqa: RUF012  # class variable of Component

    def __call__(self, progress):
        return 1 - 1.1 * progress


def results(component, given=None):
    """Run the checks of a schedule without those that fit a model."""
    pairs = [pair for pair in component_checks("schedule", component) if not name_of(pair[1]).startswith("check_fit")]
    return {result.check_name: result for result in run_checks(with_reasons(pairs, given), on_fail=None)}


def test_a_declared_failure_is_reported_and_does_not_fail():
    by_name = results(Negative())
    assert {name: result.status for name, result in by_name.items()} == {
        "check_expected_failed_checks": "passed",
        "check_pickling": "passed",
        "check_default_fields": "passed",
        "check_parameters": "passed",
        "check_copies": "passed",
        "check_floats_are_data": "passed",
        "check_factor": "xfail",
        "check_factor_between": "xfail",
        "check_floats_are_traced": "passed",
        "check_float_fields_matter": "passed",
    }
    assert by_name["check_factor"].expected_failure == REASON
    assert all(result.passed for result in by_name.values())


@pytest.mark.parametrize(
    ("given", "failing", "message"),
    [
        (
            {"check_copies": "None."},
            "check_copies",
            "Negative() passes check_copies, although it is declared to fail it: None.",
        ),
        (
            {"check_factors": "None."},
            "check_expected_failed_checks",
            "name 'check_factors', which is none of its checks.",
        ),
        ({"check_link": "None."}, "check_expected_failed_checks", "They are ['check_copies', 'check_default_fields', "),
        (
            {"check_factor": " "},
            "check_expected_failed_checks",
            "the reason for 'check_factor' is ' ', which is no text",
        ),
        ({"check_factor": None}, "check_expected_failed_checks", "the reason for 'check_factor' is None"),
    ],
)
def test_a_wrong_declaration_fails(given, failing, message):
    result = results(Negative(), given)[failing]
    assert (result.status, result.passed) == ("failed", False)
    assert message in str(result.error)
    assert "\nWhat to change: " in str(result.error)


def test_failures_of_functions_are_declared_on_them_or_by_the_caller():
    def negative(progress):
        return 1 - 1.1 * progress

    with pytest.raises(AssertionError, match="check_factor: At progress 0.95 the factor is -0.0"):
        check_schedule(negative)
    given = {"check_factor": REASON, "check_factor_between": REASON}
    assert {r.check_name for r in check_schedule(negative, expected_failed_checks=given) if r.status == "xfail"} == set(
        given
    )
    negative.expected_failed_checks = given
    assert results(negative)["check_factor"].status == "xfail"


@pytest.mark.parametrize("given", [None, lambda component: {"check_copies": f"{component} is a singleton."}])
def test_pytest_cases_are_strict_xfails(given):
    cases = parametrize_with_component_checks([Negative()], expected_failed_checks=given).args[1]
    marks = {case.id: case.marks for case in cases}
    expected = {"Negative-check_factor": REASON, "Negative-check_factor_between": REASON}
    if given is not None:
        expected["Negative-check_copies"] = "Negative() is a singleton."
    assert {name: mark[0].kwargs["reason"] for name, mark in marks.items() if mark} == expected
    for (mark,) in filter(None, marks.values()):
        assert (mark.name, mark.kwargs["strict"], mark.kwargs["raises"]) == ("xfail", True, AssertionError)


SOURCE = """
import skdeep

class Negative(skdeep.Schedule):
    expected_failed_checks = {declared}

    def __call__(self, progress):
        return 1 - 1.1 * progress
"""


@pytest.mark.usefixtures("fresh_registry")
def test_a_package_with_a_declared_failure_passes(install, capsys):
    declared = {"check_factor": REASON, "check_factor_between": REASON}
    install(
        "acme-negative",
        SOURCE.format(declared=declared),
        requires=["skdeep-flax>=0.1,<0.2"],
        schedules="negative = fake_acme_negative:Negative",
    )
    (report,) = plugins.check("acme-negative")
    assert report.failures == ()
    assert report.expected_failures == (f"check_factor: {REASON}", f"check_factor_between: {REASON}")
    assert main(["plugins", "check", "acme-negative"]) == 0
    assert f"expected to fail check_factor: {REASON}" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="Negative.. passes check_copies, although it is declared to fail it"):
        check_distribution("acme-negative", expected_failed_checks=lambda component: {"check_copies": "None."})
