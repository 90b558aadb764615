"""scikit-learn's estimator checks of the defaults, on JAX's default device: those that train, and that compare numbers."""

from __future__ import annotations

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from skdeep import DeepClassifier, DeepRegressor, MLPClassifier

pytestmark = [
    pytest.mark.accelerator,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*[Aa] column-vector y was passed:sklearn.exceptions.DataConversionWarning"),
]

NAMES = (
    "check_classifiers_train",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in_after_fitting",
    "check_regressors_train",
    "check_sample_weight_equivalence_on_dense_data",
)


def cases():
    """Yield the estimators with the named checks, each check once: read-only arrays and the like are left to the CPU's tests."""
    for estimator in (DeepClassifier(), DeepRegressor(), MLPClassifier()):
        seen = set()
        for _, check in estimator_checks_generator(estimator):
            name = check.func.__name__
            if name in NAMES and name not in seen:
                seen.add(name)
                yield pytest.param(estimator, check, id=f"{type(estimator).__name__}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(cases()))
def test_scikit_learn_check_on_the_default_device(estimator, check, exact_products):
    """With float32 products: some checks compare predictions of different numbers of rows at a tolerance that TF32 exceeds."""
    check(clone(estimator))
