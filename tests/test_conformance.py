"""scikit-learn's estimator checks on the estimators of skdeep: none is expected to fail, none is skipped.

The defaults run all checks here. Other networks, solvers and options run here the checks that depend on training; the campaign
runs all checks for all estimators. The Tabular estimators have large networks by default: they run all checks here with a small
network and fewer epochs, and some checks with the defaults.
"""

from __future__ import annotations

import flax.linen as nn
import pytest
from flax import nnx
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import skdeep
from skdeep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)
from skdeep.networks import MLP, RealMLP, TabM

pytestmark = [
    # Checks train on data that does not converge in the default number of epochs.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Checks pass such data intentionally.
    pytest.mark.filterwarnings("ignore:.*[Aa] column-vector y was passed:sklearn.exceptions.DataConversionWarning"),
]


class SmallNet(skdeep.Module):
    width: int = 32
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.relu(nn.Dense(self.width)(x))
        x = nn.Dropout(0.05, deterministic=not train)(x)
        return nn.Dense(self.n_outputs)(x)


class NNXNet(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.hidden = nnx.Linear(in_shape[0], 32, rngs=rngs)
        self.output = nnx.Linear(32, n_outputs, rngs=rngs)

    def __call__(self, x):
        return self.output(nnx.relu(self.hidden(x)))


DEFAULTS = [
    DeepClassifier(),
    DeepRegressor(),
    DeepAutoencoder(),
    MLPClassifier(),
    MLPRegressor(),
]
LARGE_DEFAULTS = [TabularClassifier(), TabularRegressor()]
# With the activations of the default networks; their three layers are below, and in test_tabular_networks.py.
SMALL = [
    TabularClassifier(network=RealMLP(widths=(32,)), max_epochs=128),
    TabularRegressor(network=RealMLP(widths=(32,), activation="mish"), max_epochs=128),
]
VARIANTS = [
    DeepClassifier(early_stopping=True, batch_size=16, class_weight="balanced", learning_rate=0.01, max_epochs=60),
    DeepClassifier(
        network=MLP(widths=(32,), dropout_rate=0.1, normalization="batch"), learning_rate=0.01, max_epochs=60
    ),
    DeepRegressor(network=NNXNet, loss="huber", learning_rate=0.01, max_epochs=60),
    MLPClassifier(solver="lbfgs"),
    MLPRegressor(solver="sgd"),
]
MORE_VARIANTS = [
    DeepClassifier(network=SmallNet(), learning_rate=0.01, max_epochs=60),
    DeepRegressor(early_stopping=True, batch_size=16, learning_rate=0.01, max_epochs=60),
    DeepRegressor(network=SmallNet(), learning_rate=0.01, max_epochs=60),
    DeepAutoencoder(n_components=2, variational=True, noise=0.1, early_stopping=True, batch_size=16, max_epochs=20),
    DeepAutoencoder(n_components=3, encoder=SmallNet(), decoder=NNXNet, loss="huber", max_epochs=20),
    MLPRegressor(solver="lbfgs"),
    MLPClassifier(solver="sgd"),
    TabularClassifier(preset="fast", metric="log_loss", calibration="temperature"),
    TabularRegressor(preset="fast"),
    TabularClassifier(preset="tabm", network=TabM(n_members=4, widths=(32,))),
    DeepClassifier(n_estimators=2, learning_rate=0.01, max_epochs=60),
    DeepRegressor(cv=2, learning_rate=0.01, max_epochs=60),
]
OF_TRAINING = (
    "check_classifiers_train",
    "check_estimators_overwrite_params",
    "check_fit_idempotent",
    "check_methods_subset_invariance",
    "check_regressors_train",
    "check_sample_weight_equivalence_on_dense_data",
    "check_transformer_general",
    "check_transformer_preserve_dtypes",
)


# The checks of parameters train no network; of the others, one each of good scores, of equal fits and of predictions per row.
OF_LARGE_DEFAULTS = (
    "check_class_weight_classifiers",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_fit_idempotent",
    "check_get_params_invariance",
    "check_methods_subset_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_regressors_int",
    "check_set_params",
)


def checks_of(estimators, names):
    """Return the estimators with their checks of these names, and the names of the cases."""
    pairs = [(estimator, check) for estimator in estimators for _, check in estimator_checks_generator(estimator)]
    kept = [(estimator, check) for estimator, check in pairs if check.func.__name__ in names]
    return [pytest.param(*pair, id=f"{pair[0]}-{pair[1].func.__name__}") for pair in kept]


@parametrize_with_checks(DEFAULTS + SMALL)
def test_scikit_learn_check(estimator, check):
    check(estimator)


def is_quick(case):
    """Return False for read-only float64 arrays: they are left to the defaults, and the variants get read-only float32 ones."""
    return getattr(case.values[1], "keywords", {}) != {"readonly_memmap": True}


@pytest.mark.parametrize(("estimator", "check"), list(filter(is_quick, checks_of(VARIANTS, OF_TRAINING))))
def test_check_of_training(estimator, check):
    check(clone(estimator))


@pytest.mark.parametrize(("estimator", "check"), checks_of(LARGE_DEFAULTS, OF_LARGE_DEFAULTS))
def test_check_of_large_defaults(estimator, check):
    check(clone(estimator))


@pytest.mark.campaign
@parametrize_with_checks(LARGE_DEFAULTS + VARIANTS + MORE_VARIANTS)
def test_scikit_learn_check_of_variants(estimator, check):
    check(estimator)
