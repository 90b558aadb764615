"""Ensembles of one estimator: mean predictions, spread, out-of-fold predictions, one compile."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, KFold, cross_val_score

import skdeep
from skdeep import DeepClassifier, DeepRegressor, TabularClassifier
from skdeep.networks import MLP, TabM

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
NUMBERS, VALUES = load_diabetes(return_X_y=True)
SMALL = {"network": MLP(widths=(8,)), "max_epochs": 5, "tol": None, "random_state": 0}


def classifier(**params):
    return DeepClassifier(**{**SMALL, **params})


def regressor(**params):
    return DeepRegressor(**{**SMALL, **params})


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_probabilities_are_means(loss):
    model = classifier(n_estimators=3, loss=loss).fit(X, Y)
    mean = np.mean([member.predict_proba(X) for member in model.estimators_], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), mean, rtol=1e-6)
    np.testing.assert_array_equal(model.predict(X), model.classes_[mean.argmax(axis=1)])
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(mean), rtol=1e-5)
    np.testing.assert_array_equal(model.decision_function(X).argmax(axis=1), mean.argmax(axis=1))


def test_scores_of_losses_without_probabilities_are_means():
    model = classifier(n_estimators=2, loss="hinge").fit(X, Y)
    mean = np.mean([member.decision_function(X) for member in model.estimators_], axis=0)
    np.testing.assert_allclose(model.decision_function(X), mean, rtol=1e-6)
    assert not hasattr(model, "predict_proba")


def test_binary_and_multilabel_targets():
    binary = classifier(n_estimators=2).fit(X, Y == 1)
    mean = np.mean([member.predict_proba(X) for member in binary.estimators_], axis=0)
    np.testing.assert_allclose(binary.predict_proba(X), mean, rtol=1e-6)
    np.testing.assert_array_equal(binary.predict(X), mean[:, 1] > 0.5)
    labels = np.stack([Y > 0, Y == 1], axis=1).astype(int)
    several = classifier(n_estimators=2).fit(X, labels)
    mean = np.mean([member.predict_proba(X) for member in several.estimators_], axis=0)
    np.testing.assert_array_equal(several.predict(X), (mean > 0.5).astype(int))


def test_an_ensemble_of_networks_that_are_ensembles():
    model = classifier(network=TabM(n_members=2, widths=(8,)), n_estimators=2).fit(X, Y)
    mean = np.mean([member.predict_proba(X) for member in model.estimators_], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), mean, rtol=1e-5)


def test_values_are_means_and_the_spread_is_reported():
    model = regressor(n_estimators=4).fit(NUMBERS, VALUES)
    of_members = np.stack([member.predict(NUMBERS) for member in model.estimators_])
    mean, std = model.predict(NUMBERS, return_std=True)
    np.testing.assert_allclose(mean, of_members.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, of_members.std(axis=0), rtol=1e-4)
    assert model.score(NUMBERS, VALUES) == pytest.approx(r2_score(VALUES, mean))


def test_the_spread_includes_that_of_the_loss():
    model = regressor(n_estimators=2, loss="gaussian_nll").fit(NUMBERS, VALUES)
    means, stds = (
        np.stack(v) for v in zip(*(m.predict(NUMBERS, return_std=True) for m in model.estimators_), strict=True)
    )
    _, std = model.predict(NUMBERS, return_std=True)
    # The law of total variance.
    np.testing.assert_allclose(std**2, (stds**2).mean(axis=0) + means.var(axis=0), rtol=1e-4)


def test_one_network_without_a_spread():
    with pytest.raises(ValueError, match="predicts no standard deviation. Use loss='gaussian_nll', or an ensemble"):
        regressor().fit(NUMBERS, VALUES).predict(NUMBERS, return_std=True)


def test_members_differ():
    first, second = classifier(n_estimators=2).fit(X, Y).estimators_
    assert np.abs(first.predict_proba(X) - second.predict_proba(X)).max() > 1e-3


def test_the_first_member_is_the_single_network():
    one, several = classifier().fit(X, Y), classifier(n_estimators=2).fit(X, Y)
    np.testing.assert_array_equal(one.predict_proba(X), several.estimators_[0].predict_proba(X))


def test_out_of_fold_predictions_are_those_of_cross_validation():
    """Each fold is predicted by a network that was trained on the other folds, as if it were fitted by hand."""
    model = regressor(cv=KFold(3)).fit(NUMBERS, VALUES)
    assert len(model.estimators_) == 3
    for member, (_, left_out) in zip(model.estimators_, KFold(3).split(NUMBERS), strict=True):
        np.testing.assert_allclose(model.oof_predictions_[left_out], member.predict(NUMBERS[left_out]), rtol=1e-6)
    assert model.oof_score_ == pytest.approx(r2_score(VALUES, model.oof_predictions_))
    train, left_out = next(KFold(3).split(NUMBERS))
    by_hand = regressor().fit(NUMBERS[train], VALUES[train])
    np.testing.assert_allclose(by_hand.predict(NUMBERS[left_out]), model.oof_predictions_[left_out], rtol=1e-5)


def test_out_of_fold_scores_are_honest():
    """Labels that have nothing to do with X are predicted no better than by chance, though early stopping chooses the best epoch."""
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(400, 20)), rng.integers(0, 2, 400)
    model = classifier(cv=5, early_stopping=True, max_epochs=30, learning_rate=0.02, l2=None).fit(noise, labels)
    assert abs(model.oof_score_ - 0.5) < 3 * 0.5 / np.sqrt(400)
    assert model.score(noise, labels) > 0.6  # the rows of training are not honest


def test_a_bootstrap_sample_leaves_rows_out():
    model = classifier(n_estimators=3, bootstrap=True).fit(X, Y)
    known = ~np.isnan(model.oof_predictions_).any(axis=1)
    assert 0.5 < known.mean() < 0.95  # 1 - (1 - 1/e)^3 = 0.75
    predicted = model.classes_[model.oof_predictions_[known].argmax(axis=1)]
    assert model.oof_score_ == pytest.approx(accuracy_score(Y[known], predicted))


def test_a_bootstrap_sample_of_groups_leaves_whole_groups_out():
    groups = np.arange(150) // 5
    model = classifier(n_estimators=1, bootstrap=True).fit(X, Y, groups=groups)
    is_out = ~np.isnan(model.oof_predictions_).any(axis=1)
    assert 0.1 < is_out.mean() < 0.7  # 1/e of the groups
    assert all(len(set(is_out[groups == group])) == 1 for group in range(30))


def test_seeds_on_each_fold():
    model = classifier(n_estimators=2, cv=3).fit(X, Y)
    assert len(model.estimators_) == 6
    assert not np.isnan(model.oof_predictions_).any()
    np.testing.assert_allclose(model.oof_predictions_.sum(axis=1), 1, rtol=1e-6)


def test_out_of_fold_labels_and_weights():
    labels = np.stack([Y > 0, Y == 1], axis=1).astype(int)
    weight = np.random.default_rng(0).uniform(1, 2, 150)
    model = classifier(cv=3).fit(X, labels, sample_weight=weight)
    expected = accuracy_score(labels, (model.oof_predictions_ > 0.5).astype(int), sample_weight=weight)
    assert model.oof_score_ == pytest.approx(expected)


def test_no_out_of_fold_predictions_where_all_members_see_all_rows():
    assert not hasattr(classifier(n_estimators=2).fit(X, Y), "oof_predictions_")


def test_members_share_one_program():
    frame = pd.DataFrame({"c": [f"level {i}" for i in range(30)] * 5, "n": np.arange(150.0)})
    skdeep.clear_cache()
    classifier(cv=5, early_stopping=True, numeric_scaling="standard").fit(frame, Y)  # some folds lack some levels
    assert skdeep.compile_counts()["train_block"].traces == 1


def test_classes_that_a_fold_lacks_are_known():
    y = np.array([0] * 60 + [1] * 60 + [2] * 30)
    model = classifier(cv=[(np.arange(120), np.arange(120, 150)), (np.arange(30, 150), np.arange(30))]).fit(X, y)
    assert model.estimators_[0].predict_proba(X).shape == (150, 3)


def test_attributes_of_an_ensemble():
    model = classifier(n_estimators=2).fit(X, Y)
    assert not hasattr(model, "params_")
    assert model.history_.member.tolist() == [0] * 5 + [1] * 5
    assert model.n_iter_ == 5
    assert model.n_features_in_ == 4
    assert model.n_parameters_ == 2 * model.estimators_[0].n_parameters_
    assert model.estimators_[0].get_params()["n_estimators"] == 1
    model.set_params(n_estimators=1).fit(X, Y)
    assert not hasattr(model, "estimators_")
    assert hasattr(model, "params_")


def test_members_hold_nothing_of_the_call_of_fit():
    assert not [
        name
        for member in classifier(n_estimators=2).fit(X, Y).estimators_
        for name in vars(member)
        if "callback" in name
    ]


def test_the_seed_decides():
    first, second, other = (
        classifier(n_estimators=2, random_state=seed).fit(X, Y).predict_proba(X) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_pickles_clones_and_searches():
    model = classifier(cv=3).fit(X, Y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params()["cv"] == 3
    assert len(cross_val_score(model, X, Y, cv=2)) == 2


def test_tables_of_ensembles():
    frame = pd.DataFrame({"c": ["a", "b", None] * 50, "n": np.arange(150.0)})
    model = TabularClassifier(n_estimators=2, max_epochs=3, random_state=0).fit(frame, Y)
    assert model.get_params()["network"] == "auto"
    assert model.is_categorical_.tolist() == [True, False]
    assert model.predict_proba(frame).shape == (150, 3)
    assert type(model.estimators_[0]).__name__ == "TabularClassifier"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cv": []}, "The 'cv' parameter of DeepClassifier yields no split."),
        ({"cv": [([0, 1], [1, 2])]}, "A split of the 'cv' parameter of DeepClassifier has 1 rows on both sides."),
        ({"cv": [([0, 1], [])]}, "A split of the 'cv' parameter of DeepClassifier has no rows on one side."),
        ({"cv": [([0, 1], [500])]}, "has positions beyond the 150 rows of X"),
        ({"cv": GroupKFold(3)}, "The 'groups' parameter should not be None."),
        (
            {"cv": 3, "early_stopping": True, "validation_fraction": np.arange(9)},
            "validation_fraction of DeepClassifier holds positions in X, but with cv or bootstrap each member gets other rows.",
        ),
        ({"n_estimators": 2, "warm_start": True}, "warm_start=True continues one network"),
        ({"n_estimators": 0}, "The 'n_estimators' parameter of DeepClassifier must be an int in the range"),
    ],
)
def test_invalid_parameters(params, message):
    model = classifier().fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_partial_fit_is_for_one_network():
    with pytest.raises(AttributeError, match="partial_fit of DeepClassifier trains one network, not an ensemble"):
        classifier(n_estimators=2).partial_fit(X, Y)
