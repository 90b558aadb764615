"""Checks that scikit-learn runs only on its own estimators, and the number of checks, so that none is skipped."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from skdeep import (
    DeepAutoencoder,
    DeepClassifier,
    DeepRegressor,
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)
from skdeep.networks import RealMLP

ESTIMATORS = [
    DeepClassifier(),
    DeepRegressor(),
    DeepAutoencoder(),
    MLPClassifier(),
    MLPRegressor(),
    TabularClassifier(),
    TabularRegressor(),
]
# The same with a small network for the tables, and their large defaults in the campaign.
SMALL = [
    *ESTIMATORS[:-2],
    *(pytest.param(estimator, marks=pytest.mark.campaign) for estimator in ESTIMATORS[-2:]),
    *(cls(network=RealMLP(widths=(32,)), max_epochs=128) for cls in (TabularClassifier, TabularRegressor)),
]
# Counts of scikit-learn 1.9.1; a newer one may have more.
AT_LEAST = {
    "DeepClassifier": 66,
    "DeepRegressor": 60,
    "DeepAutoencoder": 54,
    "MLPClassifier": 66,
    "MLPRegressor": 60,
    "TabularClassifier": 66,
    "TabularRegressor": 59,
}
OF_TRANSFORMERS = (
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_as_many_checks_run_as_there_are(estimator):
    checks = list(estimator_checks_generator(estimator))
    assert len(checks) >= AT_LEAST[type(estimator).__name__]
    tags = estimator.__sklearn_tags__()
    assert not tags.non_deterministic
    assert not tags._skip_test
    assert tags.transformer_tags or not (tags.classifier_tags or tags.regressor_tags).poor_score


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "name", ["check_param_validation", "check_dataframe_column_names_consistency", "check_inplace_ensure_writeable"]
)
@pytest.mark.parametrize("estimator", SMALL, ids=str)
def test_checks_that_scikit_learn_keeps_for_itself(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, clone(estimator))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
# These checks pass arrays after frames intentionally.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")
@pytest.mark.parametrize("name", OF_TRANSFORMERS)
def test_checks_of_transformers_that_scikit_learn_keeps_for_itself(name):
    getattr(estimator_checks, name)("DeepAutoencoder", DeepAutoencoder())


@pytest.mark.parametrize("cls", [type(estimator) for estimator in ESTIMATORS])
def test_constraints_cover_exactly_the_constructor(cls):
    assert set(cls._parameter_constraints) == set(inspect.signature(cls.__init__).parameters) - {"self"}


SWITCHED = """
import warnings
import jax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_debug_nans", True)
from sklearn.utils import estimator_checks
from skdeep import DeepClassifier, MLPRegressor
warnings.simplefilter("ignore")
for estimator in (DeepClassifier(), MLPRegressor()):
    for name in ("check_fit_idempotent", "check_methods_subset_invariance", "check_estimators_dtypes"):
        getattr(estimator_checks, name)(type(estimator).__name__, estimator)
print("passed")
"""


def test_checks_pass_under_global_switches(forks):
    """Both switches at once. All checks, single switches and other estimators are in test_campaigns.py."""
    done = forks.run(SWITCHED)
    assert done.stdout.strip() == "passed", done.stderr


def test_row_results_are_bit_equal_whatever_the_neighbours():
    X = np.random.default_rng(0).normal(size=(300, 5))
    model = DeepRegressor(max_epochs=2, tol=None, random_state=0).fit(X, X[:, 0])
    whole = model.predict(X)
    one_by_one = np.concatenate([model.predict(row[None]) for row in X])
    permuted = model.predict(X[::-1])[::-1]
    np.testing.assert_array_equal(whole, one_by_one)
    np.testing.assert_array_equal(whole, permuted)
