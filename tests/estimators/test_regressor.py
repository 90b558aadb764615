"""DeepRegressor: shapes, scaling, losses with a standard deviation, quantiles, counts."""

from __future__ import annotations

import flax.linen as nn
import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import LinearRegression, PoissonRegressor
from sklearn.metrics import mean_pinball_loss, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import DeepRegressor
from skdeep.losses import Quantile
from skdeep.networks import MLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = make_regression(n_samples=200, n_features=5, noise=1.0, random_state=0)
Y = np.column_stack([y, 100 - 3 * y, y**2])
QUICK = {"network": MLP(widths=(64,)), "learning_rate": 0.03, "max_epochs": 100, "tol": None, "random_state": 0}


@pytest.mark.parametrize("target", [y, y[:, None], Y], ids=["1-D", "column", "several"])
def test_predictions_have_the_form_of_y(target):
    model = DeepRegressor(**QUICK).fit(X, target)
    assert model.predict(X).shape == target.shape
    assert model.n_outputs_ == (1 if target.ndim == 1 else target.shape[1])
    assert model.score(X, target) > 0.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_dtype_follows_x(dtype):
    model = DeepRegressor(**QUICK | {"max_epochs": 1}).fit(X.astype(dtype), y)
    assert model.predict(X.astype(dtype)).dtype == (np.float32 if dtype == np.float32 else np.float64)


@pytest.mark.parametrize(("shift", "scale"), [(0, 1), (1e6, 1e3), (-5, 1e-6), (0, 1e12)])
def test_predictions_are_equivariant_to_the_scale_of_y(shift, scale):
    reference = DeepRegressor(**QUICK).fit(X, y).predict(X)
    moved = DeepRegressor(**QUICK).fit(X, shift + scale * y).predict(X)
    np.testing.assert_allclose((moved - shift) / scale, reference, rtol=5e-3, atol=5e-2)


def test_constant_y_is_predicted():
    model = DeepRegressor(**QUICK).fit(X, np.full(200, 7.5))
    np.testing.assert_allclose(model.predict(X), 7.5, atol=0.2)


def test_linear_network_agrees_with_least_squares():
    model = DeepRegressor(network="linear", optimizer="lbfgs", max_epochs=100, tol=0.0).fit(X, y)
    reference = LinearRegression().fit(X, y)
    np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=1e-3, atol=0.1)


def test_poisson_agrees_with_a_poisson_regression():
    counts = np.random.default_rng(0).poisson(np.exp(2 + 0.3 * X[:, 0] - 0.2 * X[:, 1]))
    model = DeepRegressor(loss="poisson", network="linear", optimizer="lbfgs", max_epochs=100, tol=0.0).fit(X, counts)
    reference = PoissonRegressor(alpha=0, tol=1e-8, max_iter=1000).fit(X, counts)
    np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=2e-3)


def test_gaussian_nll_finds_mean_and_deviation():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (2000, 1))
    std = 1 + 2 * (X[:, 0] > 0)
    y = 10 + 5 * X[:, 0] + rng.normal(0, std)
    model = DeepRegressor(loss="gaussian_nll", learning_rate=0.01, max_epochs=40, tol=None, random_state=0).fit(X, y)
    mean, predicted = model.predict(X, return_std=True)
    assert mean.shape == predicted.shape == y.shape
    assert 0.7 < predicted[X[:, 0] < -0.2].mean() < 1.4
    assert 2.3 < predicted[X[:, 0] > 0.2].mean() < 3.7
    likelihood = stats.norm.logpdf(y, mean, predicted).mean()
    assert likelihood > stats.norm.logpdf(y, y.mean(), y.std()).mean() + 0.3


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(4), marks=pytest.mark.campaign)])
def test_gaussian_nll_trains_as_well_as_squared_error_at_any_usual_rate(seeds):
    """With small noise, a parametrisation in which the gradient of the mean grows with the precision would diverge."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=300)
    X = np.column_stack([first, 2 * first + rng.normal(scale=0.05, size=300)])
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), -first + rng.normal(scale=0.05, size=300)
    for learning_rate, max_epochs in ((1e-3, 100), (3e-3, 100), (1e-2, 300)):
        for seed in seeds:
            model = DeepRegressor(
                loss="gaussian_nll", learning_rate=learning_rate, max_epochs=max_epochs, tol=None, random_state=seed
            )
            assert model.fit(X, y).score(X, y) > 0.99
    _, std = model.predict(X, return_std=True)
    assert 0.8 < np.median(std) / 0.05 < 1.5


def test_gaussian_nll_trains_an_own_module_whose_initial_outputs_are_large():
    """A user's module may be initialised in any way: its raw outputs are three times as large as usual at first."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = X[:, 0] + rng.normal(scale=0.1, size=400)
    network = nn.Sequential([nn.Dense(64, kernel_init=nn.initializers.normal(2.0)), nn.relu, nn.Dense(2)])
    settings = {"network": network, "learning_rate": 0.01, "max_epochs": 200, "tol": None, "random_state": 0}
    assert DeepRegressor(**settings, loss="gaussian_nll").fit(X, y).score(X, y) > 0.95


def test_std_of_several_outputs_is_in_units_of_each():
    model = DeepRegressor(**QUICK, loss="gaussian_nll").fit(X, np.column_stack([y, 1000 * y]))
    _, std = model.predict(X, return_std=True)
    assert std.shape == (200, 2)
    assert 100 < np.median(std[:, 1] / std[:, 0]) < 10_000


def test_return_std_needs_a_loss_with_a_standard_deviation():
    with pytest.raises(ValueError, match="SquaredError predicts no standard deviation. Use loss='gaussian_nll'"):
        DeepRegressor(**QUICK | {"max_epochs": 1}).fit(X, y).predict(X, return_std=True)


def test_quantiles_have_their_coverage():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (3000, 1))
    y = X[:, 0] + rng.gumbel(size=3000)
    loss = Quantile(quantile=(0.1, 0.5, 0.9))
    model = DeepRegressor(loss=loss, learning_rate=0.005, max_epochs=30, tol=None, random_state=0).fit(X, y)
    prediction = model.predict(X)
    assert prediction.shape == (3000, 3)
    assert (np.diff(prediction, axis=1) >= 0).all()
    np.testing.assert_allclose((y[:, None] < prediction).mean(axis=0), [0.1, 0.5, 0.9], atol=0.03)
    assert model.score(X, y) == pytest.approx(r2_score(y, prediction[:, 1]))


def test_quantiles_of_several_outputs():
    model = DeepRegressor(**QUICK | {"max_epochs": 2}, loss=Quantile(quantile=(0.25, 0.75))).fit(X, Y)
    assert model.predict(X).shape == (200, 3, 2)
    assert np.isfinite(model.score(X, Y))


def test_one_quantile_by_name():
    model = DeepRegressor(**QUICK, loss="quantile").set_params(loss__quantile=0.9).fit(X, y)
    assert model.predict(X).shape == (200,)
    assert mean_pinball_loss(y, model.predict(X), alpha=0.9) < mean_pinball_loss(
        y, np.full(200, np.quantile(y, 0.9)), alpha=0.9
    )


@pytest.mark.parametrize(
    "loss", ["huber", *(pytest.param(loss, marks=pytest.mark.campaign) for loss in ("squared_error", "absolute_error"))]
)
def test_losses_fit_real_data(loss):
    X, y = load_diabetes(return_X_y=True)
    model = make_pipeline(
        StandardScaler(), DeepRegressor(loss=loss, learning_rate=0.005, max_epochs=40, random_state=0)
    )
    assert model.fit(X, y).score(X, y) > 0.45


def test_partial_fit_fixes_the_scale_with_the_first_call():
    model = DeepRegressor(**QUICK).partial_fit(X, y)
    scale = model._encoding.target.scale
    model.partial_fit(X, 1000 * y)
    assert model._encoding.target.scale is scale
    with pytest.raises(ValueError, match="y has 3 outputs, but DeepRegressor was fitted on 1"):
        model.partial_fit(X, Y)


def test_early_stopping_and_score_in_units_of_y():
    model = DeepRegressor(learning_rate=0.01, early_stopping=True, scoring="r2", max_epochs=30, random_state=0)
    history = model.fit(X, 1000 + y).history_
    assert model.best_epoch_ == history["val_score"].idxmax() + 1


def test_own_loss_function_sees_the_standardised_target():
    seen = []

    def fourth_power(raw, target):
        seen.append((raw.shape, target.shape))
        return ((raw - target) ** 4).mean(axis=1)

    model = DeepRegressor(**QUICK | {"max_epochs": 5}, loss=fourth_power).fit(X, 1000 * y)
    assert seen[0] == ((200, 1), (200, 1))
    assert np.isfinite(model.predict(X)).all()


def test_history_losses_are_in_units_of_the_scaled_target():
    model = DeepRegressor(**QUICK | {"learning_rate": 1e-12, "max_epochs": 1}).fit(X, 1000 * y)
    scaled = (y - y.mean()) / y.std()
    predicted = (model.predict(X) / 1000 - y.mean()) / y.std()
    np.testing.assert_allclose(model.history_["train_loss"][0], np.mean((scaled - predicted) ** 2), rtol=1e-4)


# Predictions within the range of y.

LINEAR = QUICK | {"network": "linear"}


@pytest.mark.parametrize("target", [y, Y[:, :2]], ids=["1-D", "two outputs"])
@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"n_estimators": 2}, {"loss": "gaussian_nll"}])
def test_predictions_are_limited_to_the_range_of_y(target, params):
    far = 10 * X
    free, limited = (
        DeepRegressor(**LINEAR, **params, clip_predictions=clips).fit(X, target) for clips in (False, True)
    )
    low, high = target.min(axis=0), target.max(axis=0)
    assert ((free.predict(far) < low) | (free.predict(far) > high)).any()
    if "n_estimators" not in params:
        np.testing.assert_allclose(limited.predict(far), np.clip(free.predict(far), low, high), rtol=1e-6)
    np.testing.assert_allclose(limited.predict(far), np.clip(limited.predict(far), low, high), rtol=1e-9)
    assert limited.score(far, np.clip(free.predict(far), low, high)) > 0.999


def test_quantiles_are_limited_too_and_rows_of_weight_zero_set_no_limits():
    weight = (y < y.max()).astype(float)
    model = DeepRegressor(**LINEAR, loss=Quantile(quantile=(0.1, 0.9)), clip_predictions=True).fit(X, y, weight)
    assert model.predict(10 * X).shape == (200, 2)
    assert model.predict(10 * X).max() == pytest.approx(np.sort(y)[-2])


def test_partial_fit_sets_no_limits():
    parts = [DeepRegressor(**LINEAR, clip_predictions=clips) for clips in (False, True)]
    for model in parts:
        model.fit(X[:20], y[:20]).partial_fit(X, y)
    np.testing.assert_array_equal(*(model.predict(10 * X) for model in parts))
