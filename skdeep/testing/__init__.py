"""Contract checks for components, as scikit-learn's `check_estimator` is for estimators: the last step of a plugin author.

A check that fails raises AssertionError and says what to change. `check_distribution("acme-losses")` checks all that
an installed package offers, and `parametrize_with_component_checks("acme-losses")` makes a pytest case of each check.

>>> import jax.numpy as jnp
>>> from skdeep.testing import check_loss
>>> check_loss(lambda raw, target: jnp.mean((raw - target) ** 2))
Traceback (most recent call last):
...
AssertionError: FunctionLoss(...) fails check_one_value_a_row: ...
What to change: return one finite float a row, `(n,)`, without the mean over rows: weights are applied later.
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
