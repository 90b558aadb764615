"""Each loss against skdeep's default loss on data where it should be better, over several seeds.

Most of these tests are campaigns; the tests of the tasks check values and gradients in each run.
"""

from __future__ import annotations

import numpy as np
import pytest
from skdeep_robust import Asymmetric, EvidentialRegression, GeneralizedCrossEntropy, SymmetricCrossEntropy, Tweedie
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, mean_tweedie_deviance, recall_score
from sklearn.model_selection import train_test_split

from skdeep import DeepClassifier, DeepRegressor

SEEDS = (0, 1, 2)


def digits_with_flipped_labels(seed, rate=0.4):
    """Return training and test halves of the digits; 40% of the training labels are replaced by another class."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=seed, stratify=y)
    rng = np.random.default_rng(seed)
    is_flipped = rng.random(len(y_train)) < rate
    return X_train, np.where(is_flipped, (y_train + rng.integers(1, 10, len(y_train))) % 10, y_train), X_test, y_test


def accuracies(loss):
    scores = []
    for seed in SEEDS:
        X_train, y_train, X_test, y_test = digits_with_flipped_labels(seed)
        model = DeepClassifier(loss=loss, max_epochs=60, learning_rate=0.01, tol=None, random_state=seed)
        scores.append(model.fit(X_train, y_train).score(X_test, y_test))
    return np.array(scores)


@pytest.fixture(scope="module")
def accuracies_of_cross_entropy():
    return accuracies("cross_entropy")


@pytest.mark.campaign
@pytest.mark.parametrize("loss", [GeneralizedCrossEntropy(), SymmetricCrossEntropy(alpha=0.01)])
def test_wrong_labels_reduce_the_accuracy_less(loss, accuracies_of_cross_entropy):
    gains = accuracies(loss) - accuracies_of_cross_entropy
    assert gains.min() > 0.05
    assert gains.mean() > 0.15  # measured over six seeds: 0.24 for both


@pytest.mark.campaign
def test_rare_labels_are_found_more_often():
    """For five of the ten digits, only 6% of the training rows are kept: each of these labels is present in 1% of rows."""
    X, y = load_digits(return_X_y=True)
    gains = []
    for seed in SEEDS:
        X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=seed)
        is_kept = (y_train < 5) | (np.random.default_rng(seed).random(len(y_train)) < 0.06)
        labels, truth = ((codes[:, None] == np.arange(1, 10)).astype(int) for codes in (y_train[is_kept], y_test))
        found = []
        for loss in ("cross_entropy", Asymmetric()):
            model = DeepClassifier(loss=loss, max_epochs=60, learning_rate=3e-3, tol=None, random_state=seed)
            model.fit(X_train[is_kept], labels)
            precision = average_precision_score(truth[:, 4:], model.predict_proba(X_test)[:, 4:])
            found.append([recall_score(truth[:, 4:], model.predict(X_test)[:, 4:], average="macro"), precision])
        gains.append(np.subtract(found[1], found[0]))
    recall, precision = np.mean(gains, axis=0)
    assert recall > 0.2  # measured over six seeds: 0.33
    assert precision > 0.02  # 0.05


def claims(seed, n=3000):
    """Return features, and sums of gamma amounts with a Poisson number of terms; about 70% of the sums are zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8))
    mean = np.exp(0.8 * np.sin(2 * X[:, 0]) + 0.6 * X[:, 1] * (X[:, 2] > 0) - 0.3 * X[:, 3] ** 2)
    n_claims = rng.poisson(0.4 * mean)
    return X, np.where(n_claims > 0, rng.gamma(2.0 * np.maximum(n_claims, 1), 0.5), 0.0)


@pytest.mark.campaign
def test_tweedie_has_a_lower_deviance_on_amounts_with_many_zeros():
    ratios = []
    for seed in SEEDS[:2]:
        (X_train, y_train), (X_test, y_test) = claims(seed), claims(seed + 100)
        deviances = []
        for loss in ("squared_error", Tweedie()):
            model = DeepRegressor(loss=loss, max_epochs=20, tol=None, random_state=seed).fit(X_train, y_train)
            prediction = np.maximum(
                model.predict(X_test), 0.01 * y_train.mean()
            )  # the deviance needs positive predictions
            deviances.append(mean_tweedie_deviance(y_test, prediction, power=1.5))
        ratios.append(deviances[1] / deviances[0])
    assert max(ratios) < 0.95
    assert np.mean(ratios) < 0.9


def test_predicted_deviations_cover_and_follow_the_noise():
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 3, (4000, 1))
    noise = 50 * (0.1 + 0.3 * np.abs(X[:, 0]))
    y = 1000 + 50 * np.sin(2 * X[:, 0]) + noise * rng.normal(size=4000)
    model = DeepRegressor(loss=EvidentialRegression(), max_epochs=60, learning_rate=0.01, tol=None, random_state=0)
    prediction, std = model.fit(X[:2000], y[:2000]).predict(X[2000:], return_std=True)
    distance = np.abs(y[2000:] - prediction) / std
    assert 0.6 < (distance < 1).mean() < 0.8  # a normal distribution has 0.68
    assert 0.92 < (distance < 1.96).mean() < 0.98  # 0.95
    assert np.corrcoef(np.log(std), np.log(noise[2000:]))[0, 1] > 0.9


@pytest.mark.parametrize(
    ("rates", "seeds"), [((3e-3,), (0,)), pytest.param((1e-3, 3e-3, 1e-2), range(3), marks=pytest.mark.campaign)]
)
def test_evidential_trains_where_the_noise_is_small(rates, seeds):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = X[:, 0] + rng.normal(scale=0.05, size=300)
    for learning_rate in rates:
        for seed in seeds:
            settings = {"learning_rate": learning_rate, "max_epochs": 100, "tol": None, "random_state": seed}
            model = DeepRegressor(loss="evidential", **settings).fit(X, y)
            assert model.score(X, y) > 0.98
