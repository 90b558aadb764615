"""Inside scikit-learn's meta-estimators, pipelines, searches and metadata routing."""

from __future__ import annotations

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

from skdeep import DeepClassifier, DeepRegressor
from skdeep.losses import Focal
from skdeep.networks import MLP

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


def test_roc_auc_needs_no_help():
    assert cross_val_score(classifier(), X[:100], names[y[:100]], cv=3, scoring="roc_auc").min() > 0.99


def test_grid_over_numbers_names_and_objects():
    pipeline = Pipeline([("scale", StandardScaler()), ("net", classifier(max_epochs=5))])
    grid = {
        "net__learning_rate": [0.1, 0.01],
        "net__loss": ["cross_entropy", "hinge", Focal(gamma=1.0)],
        "net__network__widths": [(8,), [8, 8]],
    }
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 12
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_failing_candidate_leaves_the_others(recwarn):
    grid = {"loss": ["cross_entropy", "no_such_loss", "squared_error"]}
    search = GridSearchCV(classifier(max_epochs=2), grid, cv=2, error_score=-1.0)
    with pytest.warns(sklearn.exceptions.FitFailedWarning, match="Unknown loss 'no_such_loss'"):
        search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert (scores > 0).tolist() == [True, False, False]


def test_two_loky_workers_with_components_by_name_and_by_value():
    grid = {"loss": ["cross_entropy", Focal(gamma=1.0)], "learning_rate": [0.05]}
    search = GridSearchCV(classifier(max_epochs=3), grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    serial = GridSearchCV(classifier(max_epochs=3), grid, cv=2, error_score="raise").fit(X, y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"])


def test_two_threads_share_one_program():
    import joblib

    import skdeep

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
    assert set(requested) == {"sample_weight", "X_val", "y_val", "sample_weight_val"}
