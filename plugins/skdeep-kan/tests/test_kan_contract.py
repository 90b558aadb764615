"""The package passes skdeep's own contract checks."""

from skdeep.testing import parametrize_with_component_checks


@parametrize_with_component_checks("skdeep-kan")  # the distribution's name
def test_contract(component, check):
    check(component)
