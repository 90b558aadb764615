"""Long runs, for a release: `pytest -m campaign`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import warnings
import jax
for switch in {switches}:
    jax.config.update(switch, True)
from sklearn.utils.estimator_checks import check_estimator
from skdeep import DeepClassifier, DeepRegressor
from skdeep.networks import MLP
warnings.simplefilter("ignore")
results = check_estimator({estimator}, on_fail=None, on_skip=None)
print([r["check_name"] + ": " + str(r["exception"]) for r in results if r["status"] != "passed"], len(results))
"""

ESTIMATORS = [
    "DeepClassifier(early_stopping=True, learning_rate=0.01)",
    "DeepRegressor(early_stopping=True, learning_rate=0.01)",
    "DeepClassifier(network=MLP((32,), dropout_rate=0.1, normalization='batch'), learning_rate=0.01)",
    "DeepClassifier(optimizer='lbfgs')",
    "DeepRegressor(optimizer='lbfgs')",
    "DeepClassifier(optimizer='schedule_free_adamw', learning_rate=0.01)",
    "DeepRegressor(loss='gaussian_nll', learning_rate=0.01)",
    "DeepClassifier(loss='focal', schedule='one_cycle', learning_rate=0.01)",
]


@pytest.mark.campaign
@pytest.mark.parametrize("switches", [[], ["jax_enable_x64"], ["jax_debug_nans"], ["jax_enable_x64", "jax_debug_nans"]])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_checks_of_variants_under_global_switches(estimator, switches):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(switches=switches, estimator=estimator)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
    )
    try:
        output, _ = process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert output.strip().splitlines()[-1].startswith("[] ")
