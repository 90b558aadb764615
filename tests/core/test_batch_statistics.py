"""Batches move running statistics in proportion to their rows, and normalisation is precise for columns with large means."""

import numpy as np
import pytest

from skdeep import DeepRegressor, MLPRegressor
from skdeep.layers import BatchNorm, Dense, GroupNorm, LayerNorm


def running_statistics(X, batch_size, momentum, n_epochs):
    """Return running mean and variance by a NumPy loop: a batch of k rows moves them by k / batch_size of a full batch's step."""
    mean, variance = np.zeros(X.shape[1]), np.ones(X.shape[1])
    for _ in range(n_epochs):
        for start in range(0, len(X), batch_size):
            batch = X[start : start + batch_size]
            step = (1 - momentum) * len(batch) / min(batch_size, len(X))
            mean += step * (batch.mean(axis=0) - mean)
            variance += step * (batch.var(axis=0) - variance)
    return mean, variance


@pytest.mark.parametrize("n", [8, 9, 11, 16], ids="{} rows".format)
def test_a_short_batch_moves_running_statistics_by_its_share_of_rows(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 2)) * [1, 5] + [3, -2]
    model = DeepRegressor(
        network=[BatchNorm(momentum=0.8)], batch_size=8, shuffle=False, max_epochs=3, tol=None, random_state=0
    )
    statistics = model.fit(X, X[:, 0]).model_state_["batch_stats"]
    (found,) = [layer["norm"] for layer in statistics.values()]
    mean, variance = running_statistics(X, 8, 0.8, 3)
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(found["var"], variance, rtol=1e-5)


@pytest.mark.parametrize("make", ["deep", "perceptron"])
def test_a_short_partial_fit_moves_running_statistics_by_its_share(make):
    """The share is relative to the largest part so far; the first part, and any later larger part, count as full."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) * [1, 5] + [3, -2]
    parts = np.split(X, [16, 17, 20, 60])[:4]
    if make == "deep":
        model = DeepRegressor(network=[BatchNorm()], random_state=0)
    else:
        model = MLPRegressor("squared_error", (3,), normalization="batch", learning_rate_init=1e-9, random_state=0)
    model.partial_fit(parts[0], parts[0][:, 0])
    (found,) = [layer["norm"] for layer in model.model_state_["batch_stats"].values()]
    mean, variance = found["mean"], found["var"]
    for largest, part in zip((16, 16, 40), parts[1:], strict=True):
        model.partial_fit(part, part[:, 0])
        rows = part if make == "deep" else part @ model.coefs_[0] + model.intercepts_[0]
        step = (1 - BatchNorm().momentum) * len(part) / largest
        mean, variance = mean + step * (rows.mean(0) - mean), variance + step * (rows.var(0) - variance)
        (found,) = [layer["norm"] for layer in model.model_state_["batch_stats"].values()]
        np.testing.assert_allclose(found["mean"], mean, rtol=1e-5)
        np.testing.assert_allclose(found["var"], variance, rtol=1e-5)


def test_partial_fit_on_single_rows_does_not_harm_the_model():
    """Single rows must move the running statistics only a little: their own variance is 0."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(201, 3))
    model = DeepRegressor(network=[Dense(32), BatchNorm(), "relu"], learning_rate=0.01, random_state=0)
    for _ in range(100):
        for part in (slice(0, 200), slice(200, 201)):
            model.partial_fit(X[part], X[part, 0])
    assert model.score(X, X[:, 0]) > 0.9


def test_a_last_batch_of_one_row_costs_no_accuracy():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(201, 3))
    block = [Dense(32), BatchNorm(), "relu"]
    deep = DeepRegressor(network=[*block, *block], learning_rate=0.01, max_epochs=100, tol=None, random_state=0)
    assert deep.fit(X, X[:, 0]).score(X, X[:, 0]) > 0.99
    perceptron = MLPRegressor(
        "squared_error", 32, normalization="batch", learning_rate_init=0.01, max_iter=100, random_state=0
    )
    perceptron.set_params(n_iter_no_change=np.inf)
    with pytest.warns(match="Maximum iterations"):
        perceptron.fit(X, X[:, 0])
    assert perceptron.score(X, X[:, 0]) > 0.99


@pytest.mark.parametrize(
    "layer", [BatchNorm(), LayerNorm(), GroupNorm(n_groups=2)], ids=lambda layer: type(layer).__name__
)
def test_normalisation_is_precise_if_the_mean_is_large(layer):
    import jax

    x = np.random.default_rng(0).normal(size=(64, 8)) + 3000
    x = x.astype(np.float32)
    groups = {"BatchNorm": (64, 8), "LayerNorm": (64, 1, 8), "GroupNorm": (64, 2, 4)}[type(layer).__name__]
    axis = 0 if isinstance(layer, BatchNorm) else -1
    grouped = x.astype(np.float64).reshape(groups)
    expected = (grouped - grouped.mean(axis, keepdims=True)) / np.sqrt(grouped.var(axis, keepdims=True) + layer.epsilon)
    module, flags = layer.build(), {}
    if isinstance(layer, BatchNorm):
        flags = {"train": True, "row_mask": np.ones(64, np.float32)}
    variables = module.init(jax.random.key(0), x, **flags)
    output, _ = module.apply(variables, x, **flags, mutable=["batch_stats"])
    np.testing.assert_allclose(output, expected.reshape(64, 8), atol=2e-3)
