"""`calibration="temperature"`: better probabilities on held-out rows, and the same predictions."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skdeep import DeepClassifier, TabularClassifier
from skdeep.core.calibration import fit_temperature
from skdeep.networks import TabM

X, Y = make_classification(n_samples=600, n_features=12, n_informative=5, n_classes=3, flip_y=0.2, random_state=0)
TRAIN, TEST, Y_TRAIN, Y_TEST = train_test_split(X, Y, random_state=0)
OVERFIT = {"l2": None, "max_epochs": 60, "tol": None, "learning_rate": 0.01, "random_state": 0}
VALIDATION = {"X_val": TEST[:75], "y_val": Y_TEST[:75]}


def pair(y=Y_TRAIN, y_val=Y_TEST[:75], **params):
    """Return the same network without and with calibration."""
    params = {**OVERFIT, **params}
    models = [DeepClassifier(**params), DeepClassifier(**params, calibration="temperature")]
    return [model.fit(TRAIN, y, X_val=TEST[:75], y_val=y_val) for model in models]


def test_probabilities_of_new_rows_are_better():
    plain, calibrated = pair()
    before, after = (log_loss(Y_TEST[75:], model.predict_proba(TEST[75:])) for model in (plain, calibrated))
    assert after < before - 0.3
    assert calibrated.temperature_ > 1.5


def test_predictions_do_not_change():
    plain, calibrated = pair()
    np.testing.assert_array_equal(plain.predict(X), calibrated.predict(X))
    p = calibrated.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(calibrated.predict_log_proba(X), np.log(p), atol=1e-9)
    np.testing.assert_array_equal(calibrated.decision_function(X).argmax(axis=1), calibrated.predict(X))


def test_the_temperature_is_that_of_the_validation_rows():
    plain, calibrated = pair()
    logits = plain.decision_function(TEST[:75])
    expected = fit_temperature(logits, Y_TEST[:75], np.ones(75), is_softmax=True)
    assert calibrated.temperature_ == pytest.approx(1 / expected.inverse, rel=1e-3)
    assert calibrated.predict_proba(X).min() >= 1 / 76 / 3 * 0.999


def test_binary_and_multilabel_targets():
    for y in (Y == 1, np.stack([Y == 1, Y > 0], axis=1).astype(int)):
        y_train, y_test = y[: len(TRAIN)], y[len(TRAIN) : len(TRAIN) + 75]
        plain, calibrated = pair(y_train, y_test, max_epochs=10)
        np.testing.assert_array_equal(plain.predict(X), calibrated.predict(X))
        assert np.abs(plain.predict_proba(X) - calibrated.predict_proba(X)).max() > 1e-3


def test_networks_and_estimators_of_members():
    plain, calibrated = pair(network=TabM(n_members=3, widths=(16,)), max_epochs=10)
    np.testing.assert_array_equal(plain.predict(X), calibrated.predict(X))
    p = calibrated.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    several = TabularClassifier(n_estimators=2, max_epochs=4, calibration="temperature", random_state=0).fit(
        TRAIN, Y_TRAIN
    )
    mean = np.mean([member.predict_proba(X) for member in several.estimators_], axis=0)
    np.testing.assert_allclose(several.predict_proba(X), mean, rtol=1e-6)


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [
        ({}, {}, "calibration='temperature' of DeepClassifier needs validation rows. Set early_stopping=True"),
        (
            {"loss": "hinge"},
            VALIDATION,
            "needs a loss with the built-in link to probabilities, such as 'cross_entropy'. Got Hinge",
        ),
    ],
)
def test_what_cannot_be_calibrated(params, data, message):
    with pytest.raises(ValueError, match=message):
        DeepClassifier(**OVERFIT, **params, calibration="temperature").fit(TRAIN, Y_TRAIN, **data)


def test_auto_calibrates_where_it_can():
    certain, auto = (
        DeepClassifier(**OVERFIT, calibration=how).fit(TRAIN, Y_TRAIN, **VALIDATION) for how in ("temperature", "auto")
    )
    assert auto.temperature_ == certain.temperature_
    np.testing.assert_array_equal(auto.predict_proba(X), certain.predict_proba(X))
    for params, data in (({}, {}), ({"loss": "hinge"}, VALIDATION)):
        model = DeepClassifier(**OVERFIT, **params, calibration="auto").fit(TRAIN, Y_TRAIN, **data)
        assert not hasattr(model, "temperature_")


def test_tabular_classifiers_are_calibrated_by_default():
    model = TabularClassifier(max_epochs=4, random_state=0).fit(TRAIN, Y_TRAIN)
    assert model.temperature_ > 0
    whole = TabularClassifier(max_epochs=4, random_state=0, early_stopping=False).fit(TRAIN, Y_TRAIN)
    assert not hasattr(whole, "temperature_")


def test_rows_keep_their_order_if_all_held_out_rows_are_classified_correctly():
    rows = np.random.default_rng(0).normal(size=(300, 1))
    labels = (rows[:, 0] > 0).astype(int)
    short = DeepClassifier(**OVERFIT | {"max_epochs": 3, "learning_rate": 1e-3}, calibration="temperature")
    model = short.fit(rows, labels, X_val=np.sign(rows[:30]), y_val=labels[:30])
    grid = np.linspace(-2, 2, 101)[:, None]
    assert model.temperature_ < 1
    p = model.predict_proba(grid)[:, 1]
    assert (np.diff(p) >= 0).all()
    assert len(np.unique(p)) > 90


def test_a_fit_without_calibration_forgets_the_temperature():
    _, model = pair(max_epochs=2)
    model.set_params(calibration=None).fit(TRAIN, Y_TRAIN)
    with pytest.raises(AttributeError, match="has no temperature_: fit it with calibration='temperature'"):
        model.temperature_  # noqa: B018
