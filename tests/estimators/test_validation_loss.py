"""`scoring` as a loss: it judges validation rows in the program, and of equally good epochs the latest is kept."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import log_loss, mean_absolute_error, zero_one_loss

import skdeep
from skdeep import DeepClassifier, DeepRegressor
from skdeep.core.members import OfMean
from skdeep.losses import AbsoluteError, CrossEntropy, SquaredError, ZeroOne
from skdeep.networks import MLP, TabM
from skdeep.schedules import Constant, CosLog, Linear

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
X_VAL, Y_VAL = X[::3], Y[::3]
SMALL = {"network": MLP(widths=(8,)), "max_epochs": 12, "tol": None, "random_state": 0, "learning_rate": 0.02}
VALIDATION = {"X_val": X_VAL, "y_val": Y_VAL}


def fitted(**params):
    return DeepClassifier(**{**SMALL, "early_stopping": True, **params}).fit(X, Y, **VALIDATION)


def test_the_history_holds_the_share_of_wrong_classes():
    model = fitted(scoring=ZeroOne())
    expected = zero_one_loss(Y_VAL, model.predict(X_VAL))
    assert model.history_.val_loss[model.best_epoch_ - 1] == pytest.approx(expected, abs=1e-6)
    assert model.history_.val_loss.min() == pytest.approx(expected, abs=1e-6)


def test_weights_of_validation_rows_count():
    weight = np.random.default_rng(0).uniform(0.5, 2, len(Y_VAL))
    model = DeepClassifier(**SMALL, early_stopping=True, scoring=ZeroOne())
    model.fit(X, Y, **VALIDATION, sample_weight_val=weight)
    expected = zero_one_loss(Y_VAL, model.predict(X_VAL), sample_weight=weight)
    assert model.history_.val_loss[model.best_epoch_ - 1] == pytest.approx(expected, abs=1e-6)


def test_the_latest_of_the_best_epochs_is_kept():
    model = fitted(scoring=ZeroOne())
    losses = model.history_.val_loss.to_numpy()
    assert model.best_epoch_ == np.flatnonzero(losses == losses.min())[-1] + 1
    assert (losses == losses.min()).sum() > 1
    of_scorer = fitted(scoring="accuracy")
    scores = of_scorer.history_.val_score.to_numpy()
    assert of_scorer.best_epoch_ == np.argmax(scores) + 1  # a scorer keeps the first


def test_training_is_that_of_any_other_scoring():
    by_loss, by_default = fitted(scoring=ZeroOne(), early_stopping=False), fitted(early_stopping=False)
    np.testing.assert_array_equal(by_loss.predict_proba(X), by_default.predict_proba(X))


def test_losses_of_regression():
    numbers, values = load_diabetes(return_X_y=True)
    model = DeepRegressor(**SMALL, early_stopping=True, scoring=AbsoluteError())
    model.fit(numbers, values, X_val=numbers[:99], y_val=values[:99])
    error = mean_absolute_error(values[:99], model.predict(numbers[:99])) / values.std()
    assert model.history_.val_loss[model.best_epoch_ - 1] == pytest.approx(error, rel=1e-4)


def test_a_network_of_members_is_judged_by_its_mean_prediction():
    network = TabM(n_members=3, widths=(8,))
    model = fitted(network=network, scoring=CrossEntropy(), max_epochs=3)
    assert model.history_.val_loss[model.best_epoch_ - 1] == pytest.approx(
        log_loss(Y_VAL, model.predict_proba(X_VAL)), rel=1e-4
    )
    model = fitted(network=network, scoring=ZeroOne(), max_epochs=3)
    assert model.history_.val_loss[model.best_epoch_ - 1] == pytest.approx(
        zero_one_loss(Y_VAL, model.predict(X_VAL)), abs=1e-6
    )


def test_losses_of_mean_predictions():
    rng = np.random.default_rng(0)
    raw, codes = rng.normal(size=(5, 4, 3)), rng.integers(0, 3, 5)
    softmax = np.exp(raw) / np.exp(raw).sum(axis=2, keepdims=True)
    expected = -np.log(softmax.mean(axis=1)[np.arange(5), codes])
    np.testing.assert_allclose(OfMean(CrossEntropy())(jnp.asarray(raw), jnp.asarray(codes)), expected, rtol=1e-5)
    raw, target = rng.normal(size=(5, 4, 1)), rng.integers(0, 2, 5)
    p = (1 / (1 + np.exp(-raw[:, :, 0]))).mean(axis=1)
    expected = -np.log(np.where(target == 1, p, 1 - p))
    np.testing.assert_allclose(OfMean(CrossEntropy())(jnp.asarray(raw), jnp.asarray(target)), expected, rtol=1e-5)
    expected = (raw.mean(axis=(1, 2)) - 2.0) ** 2
    found = OfMean(SquaredError())(jnp.asarray(raw), jnp.full((5, 1), 2.0))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        ([[0.2], [-0.1], [0.0]], [1, 1, 0]),
        ([[0.2, 0.1], [-0.1, 0.4]], [1, 1]),
        ([[0.2, 0.1, 3.0], [1.0, 0.4, 0.0]], [2, 1]),
    ],
)
def test_zero_one(raw, target):
    raw, target = np.array(raw), np.array(target)
    predicted = (raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)
    found = ZeroOne()(jnp.asarray(raw), jnp.asarray(target))
    assert float(found.mean()) == pytest.approx(zero_one_loss(target, predicted))


def test_zero_one_of_labels_is_the_mean_over_labels():
    found = ZeroOne()(jnp.array([[0.2, -0.1], [0.3, 0.3]]), jnp.array([[1.0, 1.0], [1.0, 1.0]]))
    np.testing.assert_array_equal(found, [0.5, 0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"loss": ZeroOne()},
            "The loss ZeroOne has no gradient, so DeepClassifier cannot train with it. Give it as 'scoring'",
        ),
        (
            {"scoring": SquaredError()},
            "must be a loss of multiclass targets that takes the raw outputs of CrossEntropy",
        ),
    ],
)
def test_losses_that_do_not_fit(params, message):
    with pytest.raises(ValueError, match=message):
        fitted(**params)


def test_a_smoothing_schedule_changes_the_smoothing_over_the_training():
    """With a factor of 0 there is no smoothing, with a factor of 1 the usual one, and between them another result."""
    none, usual = fitted(loss=CrossEntropy()), fitted(loss=CrossEntropy(label_smoothing=0.2))
    p = {
        name: fitted(loss=CrossEntropy(label_smoothing=0.2, smoothing_schedule=schedule)).predict_proba(X)
        for name, schedule in {"flat": Constant(), "off": CosLog(n_cycles=1e-6), "down": Linear()}.items()
    }
    np.testing.assert_allclose(p["flat"], usual.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(p["off"], none.predict_proba(X), atol=1e-4)
    for other in (none, usual):
        assert np.abs(p["down"] - other.predict_proba(X)).max() > 1e-3


def test_the_smoothing_of_a_step_is_that_of_its_progress():
    loss = CrossEntropy(label_smoothing=0.4, smoothing_schedule=Linear())
    raw, target = jnp.array([[1.0, -1.0, 0.5]]), jnp.array([1])
    np.testing.assert_allclose(
        loss.at_progress(jnp.float32(0.25))(raw, target), CrossEntropy(0.3)(raw, target), rtol=1e-6
    )


def test_the_smoothing_needs_no_compile_per_epoch():
    skdeep.clear_cache()
    for smoothing in (0.1, 0.3):
        fitted(loss=CrossEntropy(label_smoothing=smoothing, smoothing_schedule=Linear()), scoring=ZeroOne())
    assert skdeep.compile_counts()["train_block"].traces == 1
