"""Contract checks for components, as scikit-learn's `check_estimator` is for estimators.

Authors of plugins run them on their components. A check that fails raises AssertionError with the fault, its place and
the change to make. `check_distribution("acme-losses")` checks every component of an installed package, and
`parametrize_with_component_checks("acme-losses")` makes one pytest case per check.

A component that fails a check for a good reason declares this in its class variable `expected_failed_checks`, a dict that
maps names of checks to reasons. Such a failure has the status "xfail", as in scikit-learn. A declared check that passes
or does not exist is an error.

>>> import jax.numpy as jnp
>>> from skdeep.testing import check_loss
>>> check_loss(lambda raw, target: jnp.mean((raw - target) ** 2))
Traceback (most recent call last):
...
AssertionError: FunctionLoss(...) fails check_one_value_per_row: ...
What to change: return one finite float per row, `(n,)`, without the mean over rows: weights are applied later.

>>> from skdeep.testing import check_schedule
>>> def below_zero(progress):
...     return 1 - 1.01 * progress
>>> reason = "The last steps ascend on purpose."
>>> results = check_schedule(below_zero, expected_failed_checks=dict.fromkeys(["check_factor", "check_factor_between"], reason))
>>> [result.check_name for result in results if result.status == "xfail"]
['check_factor', 'check_factor_between']
"""

from __future__ import annotations

from skdeep.testing.distributions import check_distribution
from skdeep.testing.kinds import (
    check_augmentation,
    check_layer,
    check_loss,
    check_network,
    check_optimizer,
    check_schedule,
    component_checks,
)
from skdeep.testing.parametrize import parametrize_with_component_checks
from skdeep.testing.running import CheckResult

__all__ = [
    "CheckResult",
    "check_augmentation",
    "check_distribution",
    "check_layer",
    "check_loss",
    "check_network",
    "check_optimizer",
    "check_schedule",
    "component_checks",
    "parametrize_with_component_checks",
]
