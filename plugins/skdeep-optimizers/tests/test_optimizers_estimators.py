"""The optimizers in estimators: full ids and bare names, nested fields, searches, and traced floats."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skdeep_optimizers import ADOPT, SAM, SOAP, AdEMAMix, Prodigy
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV

import skdeep
from skdeep import DeepClassifier, DeepRegressor
from skdeep.networks import MLP
from skdeep.optimizers import SGD

X, y = make_moons(120, noise=0.1, random_state=0)
SMALL = {"network": MLP(widths=(12,)), "batch_size": 40, "max_epochs": 40, "tol": None, "l2": None, "random_state": 0}
# Per name: the default object, a learning rate, and other values of the fields.
NAMES = {
    "adopt": (ADOPT(), 0.05, {"b1": 0, "b2": 0.5, "eps": 1e-4, "clip_exponent": 0, "weight_decay": 1}),
    "ademamix": (AdEMAMix(), 0.03, {"b1": 0, "b2": 0.5, "b3": 0.5, "alpha": 1, "warmup_steps": 0, "weight_decay": 1}),
    "prodigy": (Prodigy(), 1.0, {"b1": 0, "b2": 0.5, "eps": 1e-4, "d0": 1, "d_coef": 2, "weight_decay": 1}),
    "sam": (SAM(), 0.03, {"rho": 0, "eta": 0, "base__b1": 0, "base__b2": 0.5, "base__eps": 1e-4}),
    "soap": (SOAP(), 0.03, {"b1": 0, "b2": 0.5, "eps": 1e-4, "weight_decay": 1}),
}


@pytest.mark.parametrize(
    "name", [name if name in ("sam", "soap") else pytest.param(name, marks=pytest.mark.campaign) for name in NAMES]
)
def test_fits_by_full_id_by_bare_name_and_as_an_object(name):
    optimizer, learning_rate, numbers = NAMES[name]
    skdeep.clear_cache()
    models = [
        DeepClassifier(optimizer=given, learning_rate=learning_rate, **SMALL).fit(X, y)
        for given in (f"skdeep-optimizers:{name}", name, optimizer)
    ]
    losses = models[0].history_["train_loss"]
    assert losses.iloc[-1] < 0.4 * losses.iloc[0]
    assert models[0].score(X, y) > 0.88
    other = clone(models[1]).set_params(**{f"optimizer__{field}": value for field, value in numbers.items()}).fit(X, y)
    assert np.abs(other.predict_proba(X) - models[0].predict_proba(X)).max() > 0.01
    assert skdeep.compile_counts()["train_block"] == (1, 1)
    for model in (*models, pickle.loads(pickle.dumps(models[2]))):
        assert model.resolved_components_["optimizer"] == f"skdeep-optimizers:{name}"
        assert_array_equal(model.predict_proba(X), models[0].predict_proba(X))


def test_searches_over_the_fields_of_the_inner_optimizer():
    grid = {"optimizer__base__momentum": [0.0, 0.9], "optimizer__rho": [0.0, 0.1]}
    model = DeepClassifier(optimizer=SAM(base=SGD()), learning_rate=0.1, **{**SMALL, "max_epochs": 5})
    skdeep.clear_cache()
    search = GridSearchCV(model, grid, cv=2, refit=False, scoring="neg_log_loss", error_score="raise").fit(X, y)
    assert skdeep.compile_counts()["train_block"] == (1, 1)
    assert len(set(search.cv_results_["mean_test_score"])) == 4


def test_bad_fields_are_refused_by_fit():
    model = DeepClassifier(optimizer="prodigy", **SMALL).set_params(optimizer__d0=0)
    with pytest.raises(ValueError, match=r"The 'd0' field of Prodigy must be in \(0, inf\). Got 0 instead."):
        model.fit(X, y)


def test_partial_fit_keeps_the_state():
    """One `partial_fit` per epoch gives the same model as one fit, although the state is stored on the host in between."""
    shared = {**SMALL, "optimizer": Prodigy(), "learning_rate": 1.0, "shuffle": False}
    whole = DeepRegressor(**{**shared, "max_epochs": 8}).fit(X, y)
    steps = DeepRegressor(**shared)
    for _ in range(8):
        steps.partial_fit(X, y)
    assert_allclose(steps.predict(X), whole.predict(X), rtol=1e-4, atol=1e-5)
