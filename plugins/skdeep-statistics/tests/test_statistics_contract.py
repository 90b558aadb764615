"""The package passes skdeep's own contract checks."""

from skdeep.testing import parametrize_with_component_checks


@parametrize_with_component_checks("skdeep-statistics")
def test_contract(component, check):
    check(component)
