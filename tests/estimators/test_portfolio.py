"""The preset "portfolio": shared folds, greedy weights, weighted means."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold

import skdeep
from skdeep import TabularClassifier, TabularRegressor
from skdeep.core.greedy import greedy_counts
from skdeep.networks import MLP
from skdeep.records import Task
from skdeep.tables import presets
from skdeep.tables.presets import PORTFOLIO

RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.normal(size=90), "c": RNG.choice(list("xyz"), 90)})
X.loc[::9, "a"] = np.nan
Y = np.where(X.a.fillna(0) + (X.c == "x") > 0.5, "yes", "no")
VALUES = X.a.fillna(0).to_numpy() * 3 + (X.c == "x") + 0.1 * RNG.normal(size=90)
SHORT = {"preset": "portfolio", "network": MLP(widths=(8,)), "max_epochs": 6, "tol": None, "random_state": 0}


@pytest.fixture(autouse=True)
def _two_presets(monkeypatch):
    """Two presets of one structure each, to save time."""
    monkeypatch.setattr("skdeep.estimators.portfolio.PORTFOLIO", ("fast", "realmlp_smooth"))


def test_predictions_are_weighted_means_of_the_selected():
    model = TabularClassifier(**SHORT).fit(X, Y)
    assert sum(model.portfolio_.values()) == pytest.approx(1)
    mean = np.average([member.predict_proba(X) for member in model.estimators_], axis=0, weights=model.weights_)
    np.testing.assert_allclose(model.predict_proba(X), mean, rtol=1e-6)
    np.testing.assert_array_equal(model.predict(X), model.classes_[mean.argmax(axis=1)])
    assert model.oof_score_ == pytest.approx(accuracy_score(Y, model.classes_[model.oof_predictions_.argmax(axis=1)]))


def test_the_weights_are_those_of_the_greedy_selection():
    model = TabularRegressor(**SHORT, cv=KFold(2)).fit(X, VALUES)
    assert len(model.estimators_) in (2, 4)
    alone = {name: TabularRegressor(**{**SHORT, "preset": name}, cv=KFold(2)) for name in ("fast", "realmlp_smooth")}
    rng = np.random.RandomState(0)  # seeds of the presets, in their order
    oof = [
        m.set_params(random_state=int(rng.randint(2**31 - 1))).fit(X, VALUES).oof_predictions_ for m in alone.values()
    ]
    counts = greedy_counts(np.stack(oof), lambda p: float(np.mean((p - VALUES) ** 2)))
    assert list(model.portfolio_.values()) == pytest.approx((counts / counts.sum()).tolist())
    np.testing.assert_allclose(model.oof_predictions_, np.average(oof, axis=0, weights=counts), rtol=1e-5)
    assert model.oof_score_ == pytest.approx(r2_score(VALUES, model.oof_predictions_))


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc"])
def test_metrics_of_probabilities(metric):
    weight = RNG.uniform(0.5, 2, 90)
    model = TabularClassifier(**SHORT, metric=metric).fit(X, Y, sample_weight=weight, groups=np.arange(90) // 3)
    assert 0.5 < model.oof_score_ <= 1
    assert model.feature_names_in_.tolist() == ["a", "c"]


def test_labels():
    labels = np.stack([Y == "yes", X.c == "y"], axis=1).astype(int)
    model = TabularClassifier(**SHORT).fit(X, labels)
    mean = np.average([member.predict_proba(X) for member in model.estimators_], axis=0, weights=model.weights_)
    np.testing.assert_allclose(model.predict_proba(X), mean, rtol=1e-5)


def test_one_compile_per_structure():
    skdeep.clear_cache()
    TabularRegressor(**SHORT).fit(X, VALUES)
    assert skdeep.compile_counts()["train_block"].traces == 2


def test_losses_without_probabilities_are_refused():
    with pytest.raises(ValueError, match="averages probabilities, which the loss Hinge does not give"):
        TabularClassifier(**SHORT, loss="hinge").fit(X, Y)


def test_the_presets_of_the_portfolio_differ_in_numbers():
    assert set(PORTFOLIO) <= set(presets.PRESETS)
    task = presets.TableTask(Task("regression", 1), 1000, 3)
    usual, sharp, smooth = (presets.PRESETS[name](task) for name in ("realmlp", "realmlp_sharp", "realmlp_smooth"))
    assert sharp["network"].frequency_std > usual["network"].frequency_std > smooth["network"].frequency_std
    assert usual["network"].replace(dropout_rate=0.05, frequency_std=0.5) == sharp["network"]
