"""Temperature scaling, against values of the package probmetrics (`references/README.md`) and SciPy."""

import json
import pathlib

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from skdeep.core.calibration import Temperature, fit_temperature

REFERENCE = json.loads((pathlib.Path(__file__).parents[1] / "references" / "temperature.json").read_text())


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", sorted(REFERENCE.keys() - {"separable"}))
def test_temperatures_of_probmetrics(name):
    case = REFERENCE[name]
    raw, y = np.array(case["logits"]), np.array(case["y"])
    found = fit_temperature(raw, y, np.ones(len(y)), is_softmax=True)
    assert found.inverse == pytest.approx(case["float64"]["inv_temperature"], rel=1e-9)
    assert found.uniform_share == pytest.approx(case["uniform_weight"])
    p = softmax(found(raw, is_softmax=True))
    np.testing.assert_allclose(p[:5], case["probs_first5"], atol=1e-12)
    assert -np.log(p[np.arange(len(y)), y]).mean() == pytest.approx(case["log_loss_after"])


def test_classes_that_are_told_apart_perfectly_keep_different_probabilities():
    """The reference divides by almost 0 here, so that all rows are equally certain."""
    case = REFERENCE["separable"]
    assert case["float64"]["inv_temperature"] > 1e6
    raw, y = np.array(case["logits"]), np.array(case["y"])
    found = fit_temperature(raw, y, np.ones(len(y)), is_softmax=True)
    assert found.inverse == 1
    assert fit_temperature(raw / 100, y, np.ones(len(y)), is_softmax=True).inverse == pytest.approx(
        1500 / np.ptp(raw, axis=1).max()
    )
    assert len(np.unique(softmax(found(raw, is_softmax=True)).max(axis=1))) == len(y)


def test_sigmoids():
    rng = np.random.default_rng(0)
    raw, target = rng.normal(size=(50, 2)) * 4, rng.integers(0, 2, (50, 2)).astype(float)
    weight = rng.uniform(0.5, 2, 50)

    def loss(log_inverse):
        z = raw * np.exp(log_inverse)
        return weight @ np.mean(np.logaddexp(0, z) - target * z, axis=1)

    found = fit_temperature(raw, target, weight, is_softmax=False)
    assert np.log(found.inverse) == pytest.approx(minimize_scalar(loss, bounds=(-16, 16), method="bounded").x, abs=1e-3)
    p = 1 / (1 + np.exp(-found(raw, is_softmax=False)))
    expected = (1 - found.uniform_share) / (1 + np.exp(-raw * found.inverse)) + found.uniform_share / 2
    np.testing.assert_allclose(p, expected, rtol=1e-9)


def test_a_weight_is_a_row_given_twice():
    rng = np.random.default_rng(0)
    raw, y, count = rng.normal(size=(30, 3)), rng.integers(0, 3, 30), rng.integers(0, 3, 30)
    weighted = fit_temperature(raw, y, count.astype(float), True)
    repeated = fit_temperature(np.repeat(raw, count, axis=0), np.repeat(y, count), np.ones(count.sum()), True)
    assert weighted.inverse == pytest.approx(repeated.inverse)


def test_the_order_of_classes_stays():
    raw = np.random.default_rng(0).normal(size=(20, 4)) * 5
    np.testing.assert_array_equal(Temperature(0.3, 0.1)(raw, True).argmax(axis=1), raw.argmax(axis=1))
    np.testing.assert_array_equal(Temperature(0.3, 0.1)(raw, False) > 0, raw > 0)
