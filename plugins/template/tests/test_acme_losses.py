"""The contract checks of skdeep, and tests of the behaviour of this loss."""

from __future__ import annotations

import numpy as np
import pytest
from acme_losses import LogCosh

from skdeep import DeepRegressor
from skdeep.testing import parametrize_with_component_checks


@parametrize_with_component_checks("acme-losses")
def test_contract(component, check):
    check(component)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_log_cosh_equals_its_formula(scale):
    raw, target = np.random.default_rng(0).normal(size=(2, 20, 3))
    wanted = (scale**2 * np.log(np.cosh((raw - target) / scale))).mean(axis=1)
    np.testing.assert_allclose(LogCosh(scale)(np.float32(raw), np.float32(target)), wanted, rtol=1e-4, atol=1e-6)


def test_log_cosh_does_not_overflow():
    values = LogCosh()(np.float32([[1e4]]), np.float32([[0]]))
    np.testing.assert_allclose(values, 1e4 - np.log(2), rtol=1e-6)


@pytest.mark.parametrize("name", ["log_cosh", "acme-losses:log_cosh"])
def test_known_by_name(name):
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = DeepRegressor(loss=name, max_epochs=2, tol=None).fit(X, X[:, 0])
    assert model.resolved_components_["loss"] == "acme-losses:log_cosh"
    assert model.loss_ == LogCosh()


def test_scale_must_be_positive():
    with pytest.raises(ValueError, match="The 'scale' field of LogCosh must be positive. Got 0 instead."):
        DeepRegressor(loss=LogCosh(scale=0)).fit([[0.0], [1.0]], [0.0, 1.0])
