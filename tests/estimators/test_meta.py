"""The estimators inside scikit-learn's meta-estimators, pipelines, searches and metadata routing."""

from __future__ import annotations

import flax.linen as nn
import joblib
import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris, make_regression
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import DeepClassifier, DeepRegressor
from skdeep.losses import Focal
from skdeep.networks import MLP
from skdeep.optimizers import SGD, Adam

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
names = np.array(["setosa", "versicolor", "virginica"])
XR, yr = make_regression(n_samples=120, n_features=4, random_state=0)


def classifier(**params):
    return DeepClassifier(
        **{"network": MLP((16,)), "learning_rate": 0.02, "max_epochs": 30, "random_state": 0, **params}
    )


def regressor(**params):
    return DeepRegressor(
        **{"network": MLP((16,)), "learning_rate": 0.02, "max_epochs": 30, "random_state": 0, **params}
    )


CLASSIFIERS = {
    "calibrated": lambda: CalibratedClassifierCV(classifier(), cv=3),
    "calibrated hinge": lambda: CalibratedClassifierCV(classifier(loss="hinge"), cv=3),
    "boosted": lambda: AdaBoostClassifier(classifier(), n_estimators=3, random_state=0),
    "bagged": lambda: BaggingClassifier(classifier(), n_estimators=3, random_state=0),
    "stacked": lambda: StackingClassifier([("net", classifier()), ("linear", LogisticRegression())], cv=3),
    "soft voting": lambda: VotingClassifier([("net", classifier()), ("linear", LogisticRegression())], voting="soft"),
    "pipeline": lambda: make_pipeline(StandardScaler(), classifier()),
}


@pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
def test_meta_classifiers(make):
    model = make().fit(X, names[y])
    assert model.score(X, names[y]) > 0.85
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


REGRESSORS = {
    "bagged": lambda: BaggingRegressor(regressor(), n_estimators=3, random_state=0),
    "boosted": lambda: AdaBoostRegressor(regressor(), n_estimators=3, random_state=0),
    "transformed": lambda: TransformedTargetRegressor(
        regressor(), func=lambda z: 2 * z + 1, inverse_func=lambda z: (z - 1) / 2
    ),
}


@pytest.mark.parametrize("make", REGRESSORS.values(), ids=REGRESSORS.keys())
def test_meta_regressors(make):
    model = make().fit(XR, yr)
    assert model.predict(XR).shape == yr.shape
    assert model.score(XR, yr) > 0.7


def test_multi_output_of_classes():
    labels = np.column_stack([y, y == 1])
    assert MultiOutputClassifier(classifier()).fit(X, labels).predict(X).shape == labels.shape


def test_permutation_importance_finds_the_petals():
    importance = permutation_importance(classifier().fit(X, y), X, y, n_repeats=3, random_state=0).importances_mean
    assert importance[2:].min() > importance[:2].max()


def test_cross_validation():
    assert cross_val_score(classifier(), X, names[y], cv=3, scoring="accuracy").min() > 0.75
    assert cross_val_predict(classifier(), X, y, cv=3, method="predict_proba").shape == (150, 3)
    results = cross_validate(regressor(), XR, yr, cv=3, scoring=("r2", "neg_mean_absolute_error"))
    assert results["test_r2"].shape == (3,)


def test_roc_auc_in_cross_validation():
    assert cross_val_score(classifier(), X[:100], names[y[:100]], cv=3, scoring="roc_auc").min() > 0.99


def test_grid_over_numbers_names_and_objects():
    pipeline = Pipeline([("scale", StandardScaler()), ("net", classifier(max_epochs=5))])
    grid = {
        "net__learning_rate": [0.1, 0.01],
        "net__loss": ["hinge", Focal(gamma=1.0)],
        "net__network__widths": [(8,), [8]],
    }
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_failing_candidate_leaves_the_others(recwarn):
    grid = {"loss": ["cross_entropy", "no_such_loss", "squared_error"]}
    search = GridSearchCV(classifier(max_epochs=2), grid, cv=2, error_score=-1.0)
    with pytest.warns(sklearn.exceptions.FitFailedWarning, match="Unknown loss 'no_such_loss'"):
        search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert (scores > 0).tolist() == [True, False, False]


class Halved(skdeep.Optimizer):
    """Halves the updates of another optimizer."""

    inner: skdeep.Optimizer = Adam()

    def transformation(self, learning_rate):
        return self.inner.transformation(learning_rate / 2)


FAILING = {
    "a field that one optimizer lacks": ({"optimizer": ["adam", "sgd"], "optimizer__b1": [0.8]}, [True, False]),
    "the same inside a component": (
        {"optimizer": [Halved()], "optimizer__inner": ["adam", "sgd"], "optimizer__inner__b1": [0.8]},
        [True, False],
    ),
    "a field of no component": ({"augmentation": ["gaussian_noise", None], "augmentation__std": [0.1]}, [True, False]),
    "a value that is refused": ({"network__widths": [(8,), (0,), "x"]}, [True, False, False]),
    "a value inside a list": (
        {"network": [["dense"]], "network__layers__0__features": np.array([8, 0])},
        [True, False],
    ),
    "an unknown name inside": ({"optimizer": [Halved()], "optimizer__inner": ["adam", "adamm"]}, [True, False]),
}


IN_CAMPAIGN = ("an unknown name inside",)  # "the same inside a component" fails in the inner component too


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=pytest.mark.campaign if name in IN_CAMPAIGN else ())
        for name, case in FAILING.items()
    ],
)
def test_invalid_candidates_fail_and_the_others_do_not(case):
    grid, succeeds = case
    search = GridSearchCV(classifier(max_epochs=2), grid, cv=2, error_score=-1.0, refit=False)
    with pytest.warns(sklearn.exceptions.FitFailedWarning):
        search.fit(X, y)
    assert (search.cv_results_["mean_test_score"] > 0).tolist() == succeeds


def test_fields_in_lists_are_searched():
    grid = {"network__layers__0__features": [4, 6], "network__layers__1": ["tanh"]}
    search = GridSearchCV(classifier(network=["dense", "relu"], max_epochs=2), grid, cv=2, error_score="raise")
    search.fit(X, y)
    best = search.best_estimator_
    features = search.best_params_["network__layers__0__features"]
    assert best.n_parameters_ == (4 + 1) * features + (features + 1) * 3
    assert {"network__layers__0", "network__layers__0__features", "network__layers"} <= set(best.get_params())


def test_names_and_fields_in_one_call():
    model = classifier(optimizer=Halved()).set_params(optimizer__inner="sgd", optimizer__inner__momentum=0.9)
    assert model.optimizer == Halved(SGD(momentum=0.9))
    assert model.get_params()["optimizer__inner__momentum"] == 0.9
    assert model.set_params(optimizer__inner="adam").optimizer == Halved(Adam())
    assert classifier(optimizer=Halved("sgd"), max_epochs=1).fit(X, y).optimizer_ == Halved(SGD())
    layered = classifier(network=[("bidirectional", {"layer": ("lstm", {"units": np.int64(3)})})])
    assert layered.get_params()["network__layers__0__layer__units"] == 3
    noisy = classifier(augmentation=["gaussian_noise", "mixup"]).set_params(augmentation__augmentations__0__std=0.5)
    assert noisy.augmentation.augmentations[0].std == 0.5


NUMPY = {
    "an array": {"network__widths": np.array([8])},
    "in options": {"network": [("dense", {"features": np.int32(8)}), "relu"]},
    "fields of all types": {
        "network__widths": (np.int64(8),),
        "network__dropout_rate": np.float32(0.25),
        "network__residual": np.bool_(False),
        "network__activation": np.str_("tanh"),
        "loss": np.str_("cross_entropy"),
        "input_shape": (np.int64(4),),
        "batch_size": np.int64(50),
    },
    "a module": {"network": nn.Sequential([nn.Dense(np.int64(8)), nn.relu, nn.Dense(np.int64(3))])},
}


@pytest.mark.parametrize("params", NUMPY.values(), ids=NUMPY.keys())
def test_numpy_scalars_are_as_python_numbers(params):
    """Fits with equal values of Python's types need no new compile and give the same predictions."""

    def plain(value):
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist() if isinstance(value, np.ndarray) else value.item()
        if isinstance(value, list | tuple):
            return type(value)(map(plain, value))
        if isinstance(value, dict):
            return {name: plain(v) for name, v in value.items()}
        return value

    model, again = (classifier(max_epochs=1, tol=None).set_params(**p) for p in (params, plain(params)))
    wanted = model.fit(X, y).predict_proba(X)
    counts = skdeep.compile_counts()
    np.testing.assert_array_equal(again.fit(X, y).predict_proba(X), wanted)
    assert {name: c.compiles for name, c in skdeep.compile_counts().items()} == {
        n: c.compiles for n, c in counts.items()
    }
    if not isinstance(params.get("network"), nn.Module):  # Flax gives each module a random id
        assert joblib.hash(model.network_) == joblib.hash(again.network_)


@pytest.mark.campaign  # one search of test_carried_names.py has both in its workers
def test_two_loky_workers_with_components_by_name_and_by_value():
    grid = {"loss": ["cross_entropy", Focal(gamma=1.0)], "learning_rate": [0.05]}
    search = GridSearchCV(classifier(max_epochs=3), grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    serial = GridSearchCV(classifier(max_epochs=3), grid, cv=2, error_score="raise").fit(X, y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"])


def test_two_threads_share_one_program():
    skdeep.clear_cache()
    with joblib.parallel_config("threading", n_jobs=2):
        GridSearchCV(classifier(max_epochs=3), {"learning_rate": [0.1, 0.01]}, cv=3, refit=False).fit(X, y)
    assert skdeep.compile_counts()["train_block"] == (1, 1)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_routed_weights_and_validation_reach_fit(routing):
    model = classifier(early_stopping=True, max_epochs=5).set_fit_request(X_val=True, y_val=True, sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = Pipeline([("scale", scaler), ("net", model)], transform_input=["X_val"])
    pipeline.fit(X, y, sample_weight=np.ones(150), X_val=X[:20], y_val=y[:20])
    assert pipeline[-1].history_["val_loss"].notna().all()


def test_unrequested_weights_are_an_error(routing):
    with pytest.raises(UnsetMetadataPassedError):
        make_pipeline(StandardScaler(), classifier()).fit(X, y, sample_weight=np.ones(150))


def test_requests_cover_the_named_arguments():
    requested = classifier().get_metadata_routing().fit.requests
    assert set(requested) == {"sample_weight", "groups", "X_val", "y_val", "sample_weight_val"}
