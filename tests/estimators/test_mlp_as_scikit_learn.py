"""scikit-learn's own tests of its perceptrons, run on those of skdeep: all tests that use public names only."""

from __future__ import annotations

import importlib.util
import inspect
import re
from types import ModuleType

import pytest
import sklearn.neural_network

import skdeep

# test_mlp.py checks the same behaviour through public names.
OF_PRIVATE_NAMES = {
    "test_gradient",
    "test_learning_rate_warmstart",
    "test_adaptive_learning_rate",
    "test_n_iter_no_change",
    "test_n_iter_no_change_inf",
}


def _tests_of_scikit_learn() -> ModuleType:
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLPClassifier", "MLPRegressor"):
            patch.setattr(sklearn.neural_network, name, getattr(skdeep, name))
        spec.loader.exec_module(module)
    return module


_module = _tests_of_scikit_learn()
_tests = {name: test for name, test in vars(_module).items() if name.startswith("test_")}
# In the campaign, because other tests of the quick run show the same.
LONG = {
    # test_mlp_agreement.py compares the weights after each partial_fit and each warm start; a pickle continues in
    # test_classifier.py.
    "test_warm_start",
    "test_partial_fit_classification",
    "test_partial_fit_regression",
    "test_mlp_loading_from_joblib_partial_fit",
    # test_lbfgs_regression and test_lbfgs_regression_maxfun; test_mlp_agreement.py has classes too.
    "test_lbfgs_classification",
    "test_lbfgs_classification_maxfun",
    # test_mlp_agreement.py compares the weights: with a large penalty, and of several labels.
    "test_alpha",
    "test_multilabel_classification",
    # test_predict_proba_binary and test_mlp_classifier_dtypes_casting.
    "test_predict_proba_multiclass",
    "test_mlp_regressor_dtypes_casting",
}
_kept = {name: test for name, test in _tests.items() if name not in OF_PRIVATE_NAMES}
globals().update({name: pytest.mark.campaign(test) if name in LONG else test for name, test in _kept.items()})


@pytest.fixture
def global_random_seed():
    return 42


def test_they_run_against_our_classes():
    assert _module.MLPClassifier is skdeep.MLPClassifier
    assert _module.MLPRegressor is skdeep.MLPRegressor


def test_only_those_that_read_private_attributes_are_left_out():
    reads_private = {name for name, test in _tests.items() if re.search(r"\b(mlp|clf)\._", _without_assignments(test))}
    assert reads_private == OF_PRIVATE_NAMES
    assert len(_tests) > 40


def _without_assignments(test) -> str:
    """Return the source without assignments to private attributes, which test_fit makes and nothing reads."""
    lines = inspect.getsource(test).splitlines()
    return "\n".join(line for line in lines if not re.match(r"\s*(mlp|clf)\._\w+ = ", line))
