"""Long tests, run before a release: `pytest -m campaign`."""

from __future__ import annotations

import os
import subprocess
import sys

import flax.linen as nn
import pytest
from flax import nnx
from sklearn.utils.estimator_checks import check_estimator

from skdeep import DeepClassifier

SCRIPT = """
import warnings
import jax
for switch in {switches}:
    jax.config.update(switch, True)
from sklearn.utils.estimator_checks import check_estimator
from skdeep import DeepAutoencoder, DeepClassifier, DeepRegressor, MLPClassifier, MLPRegressor
from skdeep.networks import MLP
warnings.simplefilter("ignore")
results = check_estimator({estimator}, on_fail=None, on_skip=None)
print([r["check_name"] + ": " + str(r["exception"]) for r in results if r["status"] != "passed"], len(results))
"""

ESTIMATORS = [
    "DeepClassifier()",
    "DeepRegressor()",
    "DeepClassifier(batch_size=16, learning_rate=0.01)",
    "DeepClassifier(class_weight='balanced', learning_rate=0.01)",
    "DeepClassifier(early_stopping=True, learning_rate=0.01)",
    "DeepRegressor(early_stopping=True, learning_rate=0.01)",
    "DeepClassifier(network=MLP((32,), dropout_rate=0.1, normalization='batch'), learning_rate=0.01)",
    "DeepClassifier(optimizer='lbfgs')",
    "DeepRegressor(optimizer='lbfgs')",
    "DeepClassifier(optimizer='schedule_free_adamw', learning_rate=0.01)",
    "DeepRegressor(loss='gaussian_nll', learning_rate=0.01)",
    *(f"MLP{kind}(solver={solver!r})" for kind in ("Classifier", "Regressor") for solver in ("adam", "sgd", "lbfgs")),
    "MLPClassifier(solver='adamw', dropout=0.1, normalization='layer', class_weight='balanced')",
    "DeepAutoencoder()",
    "DeepAutoencoder(variational=True, noise=0.1, early_stopping=True)",
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


class RawNet(nn.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(nn.relu(nn.Dense(32)(x)))


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore")
def test_a_raw_linen_module_fails_only_for_flax_random_ids():
    model = DeepClassifier(network=RawNet(), learning_rate=0.01, max_epochs=30)
    results = check_estimator(model, on_fail=None, on_skip=None)
    failed = {result["check_name"] for result in results if result["status"] != "passed"}
    assert failed <= {"check_estimators_overwrite_params"}


class NNXNet(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.hidden = nnx.Linear(in_shape[0], 32, rngs=rngs)
        self.output = nnx.Linear(32, n_outputs, rngs=rngs)

    def __call__(self, x):
        return self.output(nnx.relu(self.hidden(x)))


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore")
def test_checks_of_an_nnx_classifier():
    """The checks of an NNX regressor are in test_conformance.py."""
    model = DeepClassifier(network=NNXNet, learning_rate=0.01, max_epochs=60)
    results = check_estimator(model, on_fail=None, on_skip=None)
    assert [result for result in results if result["status"] != "passed"] == []
