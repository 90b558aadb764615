"""DeepAutoencoder: reconstruction, noise, divergence, shapes of all kinds, weights, compile counts."""

from __future__ import annotations

import pickle

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skdeep
from skdeep import DeepAutoencoder, NonFiniteLossError
from skdeep.core import as_traced
from skdeep.core.composed import Autoencoder
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.core.variational import VariationalAutoencoder, VariationalLoss
from skdeep.losses import SquaredError
from skdeep.networks import MLP, ConvDecoder, Linear
from skdeep.records import Task

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = (load_digits().data / 16).astype(np.float32)
X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
SMALL = {"n_components": 2, "encoder": MLP(widths=(8,)), "max_epochs": 3, "tol": None, "random_state": 0}


def mean_squared_error(model, X):
    return float(np.mean((model.inverse_transform(model.transform(X)) - X) ** 2))


def test_reconstructs_digits_better_than_pca():
    train, test = DIGITS[:1400], DIGITS[1400:]
    model = DeepAutoencoder(n_components=8, batch_size=64, max_epochs=30, tol=None, random_state=0).fit(train)
    assert mean_squared_error(model, test) < 0.85 * mean_squared_error(PCA(8).fit(train), test)
    assert model.score(test) == pytest.approx(-mean_squared_error(model, test), rel=1e-5)
    assert model.history_["train_loss"].iloc[-1] < 0.5 * model.history_["train_loss"].iloc[0]


def test_reconstruction_is_that_of_the_network_trained():
    """The trained network and parameters give the same codes and rows as `transform` and `inverse_transform`."""
    model = DeepAutoencoder(**SMALL).fit(X)
    functions = functions_of(model.network_, (6,), 6)
    apply = jax.jit(lambda params, x: functions.apply(params, model.model_state_, x, False, None, jnp.ones(60))[0])
    expected = apply(model.params_, X)
    assert_allclose(model.inverse_transform(model.transform(X)), expected, rtol=1e-4, atol=1e-5)
    assert set(model.params_) == {"encoder", "decoder"}


def test_attributes():
    model = DeepAutoencoder(**SMALL).fit(X)
    assert (model.n_components_, model.n_features_in_, model.n_outputs_, model.n_iter_) == (2, 6, 6, 3)
    assert model.input_shape_ == (6,)
    assert model.n_parameters_ == (6 * 8 + 8) + (8 * 2 + 2) + (2 * 8 + 8) + (8 * 6 + 6)
    assert list(model.get_feature_names_out()) == ["deepautoencoder0", "deepautoencoder1"]
    assert model.resolved_components_ == {
        "encoder": "mlp",
        "decoder": "mlp",
        "loss": "squared_error",
        "optimizer": "adam",
        "schedule": "constant",
    }


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        (MLP(widths=(64, 16), activation="tanh"), MLP(widths=(16, 64), activation="tanh")),
        ("mlp", MLP()),
        ("linear", Linear()),
        ([("dense", {"features": 4}), "relu"], MLP()),
    ],
)
def test_auto_decoder_mirrors(encoder, decoder):
    assert DeepAutoencoder(encoder=encoder)._component_value("decoder") == decoder


def test_nested_parameters():
    model = DeepAutoencoder(encoder=MLP(widths=(64, 16)))
    assert model.get_params()["decoder__widths"] == (16, 64)
    model.set_params(encoder__widths=(8,), decoder__dropout_rate=0.1, optimizer__b1=0.8)
    assert model.encoder == MLP(widths=(8,))
    assert model.decoder == MLP(widths=(8,), dropout_rate=0.1)
    assert "decoder__widths" in DeepAutoencoder(encoder="no such network").get_params()


class Encoder(skdeep.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.n_outputs)(x.reshape(len(x), -1))


class ImageDecoder(skdeep.Module):
    out_shape: tuple | None = None

    @nn.compact
    def __call__(self, x):
        image = nn.Dense(self.out_shape[0])(x)[:, :, None] * nn.Dense(self.out_shape[1])(x)[:, None, :]
        return image.reshape(len(x), -1)


def test_images_in_and_images_out():
    images = DIGITS[:100].reshape(-1, 8, 8)
    model = DeepAutoencoder(**SMALL | {"encoder": Encoder(), "decoder": ImageDecoder()}).fit(images)
    assert model.transform(images).shape == (100, 2)
    assert model.inverse_transform(model.transform(images)).shape == (100, 8, 8)
    flat = clone(model).set_params(input_shape=(8, 8)).fit(DIGITS[:100])
    assert_array_equal(flat.transform(DIGITS), model.transform(DIGITS.reshape(-1, 8, 8)))
    assert flat.inverse_transform(flat.transform(DIGITS)).shape == DIGITS.shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_of_X_is_that_of_the_result(dtype):
    model = DeepAutoencoder(**SMALL).fit(X)
    codes = model.transform(X.astype(dtype))
    assert codes.dtype == dtype
    assert model.inverse_transform(codes).dtype == dtype


def test_frames_in_and_out():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdef"), index=range(100, 160))
    model = DeepAutoencoder(**SMALL).set_output(transform="pandas")
    codes = model.fit_transform(frame)
    assert list(codes.columns) == ["deepautoencoder0", "deepautoencoder1"]
    assert list(codes.index) == list(frame.index)
    plain = DeepAutoencoder(**SMALL).fit(frame)
    assert_array_equal(model.inverse_transform(codes), plain.inverse_transform(plain.transform(frame)))


def apply(network, x, train, words=(1, 2), n_outputs=6, params=None):
    """Return the raw output and the parameters of a network; those from a fixed key, unless given."""

    @jax.jit
    def run(network, x, words, params):
        functions = functions_of(network, x.shape[1:], n_outputs)
        initial, state = functions.init(wrap_key(jnp.array([5, 6], "uint32")), x)
        params = params or initial
        key = wrap_key(words) if train else None
        return functions.apply(params, state, x, train, key, jnp.ones(len(x)))[0], params

    return jax.tree.map(np.asarray, run(as_traced(network), x, np.array(words, "uint32"), params))


IDENTITY = {"encoder": {"output": {"kernel": np.eye(6, dtype="f4"), "bias": np.zeros(6, "f4")}}}
IDENTITY["decoder"] = IDENTITY["encoder"]


def test_noise_is_normal_of_that_deviation_and_only_while_training():
    """Encoder and decoder are identities, so the output minus the input is the noise."""
    network, rows = Autoencoder(Linear(), Linear(), 6, noise=0.3), np.tile(X, (50, 1))
    noise = apply(network, rows, True, params=IDENTITY)[0] - rows
    assert abs(noise.std() - 0.3) < 0.01
    assert abs(noise.mean()) < 0.01
    assert abs(np.mean(noise**4) / np.mean(noise**2) ** 2 - 3) < 0.15  # the kurtosis of a normal distribution
    assert_allclose(apply(network, rows, False, params=IDENTITY)[0], rows, rtol=1e-6)
    other = apply(network, rows, True, words=(3, 4), params=IDENTITY)[0] - rows
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.03


def test_without_noise_nothing_is_added():
    assert_allclose(apply(Autoencoder(Linear(), Linear(), 6), X, True, params=IDENTITY)[0], X, rtol=1e-6)


def test_denoising_restores_noisy_rows_better():
    """From noisy rows, the model that was trained with noise reconstructs the rows without noise better."""
    noisy = DIGITS + np.random.default_rng(0).normal(scale=0.4, size=DIGITS.shape).astype(np.float32)
    params = {"n_components": 16, "batch_size": 64, "max_epochs": 15, "tol": None, "random_state": 0}
    errors = []
    for noise in (0.0, 0.4):
        model = DeepAutoencoder(**params, noise=noise).fit(DIGITS[:1400])
        restored = model.inverse_transform(model.transform(noisy[1400:]))
        errors.append(np.mean((restored - DIGITS[1400:]) ** 2))
    assert errors[1] < 0.8 * errors[0]


def test_divergence_matches_its_formula():
    rng = np.random.default_rng(0)
    reconstruction, mean, log_variance = rng.normal(size=(5, 4)), rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    target = rng.normal(size=(5, 4))
    loss = VariationalLoss(SquaredError(), n_components=2, beta=0.7)
    raw = {"reconstruction": reconstruction, "mean": mean, "log_variance": log_variance}
    std = np.exp(log_variance / 2)
    divergence = (-np.log(std) + (std**2 + mean**2) / 2 - 0.5).sum(axis=1)
    expected = ((reconstruction - target) ** 2).mean(axis=1) + 0.7 * divergence / 4
    found = jax.jit(loss)(jax.tree.map(np.float32, raw), np.float32(target))
    assert_allclose(found, expected, rtol=1e-5)


def test_divergence_of_extreme_codes_is_finite_and_its_gradient_reduces_them():
    loss = VariationalLoss(SquaredError(), n_components=1)
    slope = jax.jit(jax.grad(lambda raw: loss(raw, jnp.zeros((1, 1)))[0]))
    one = np.ones((1, 1), np.float32)
    gradient = slope({"reconstruction": 0 * one, "mean": 0 * one, "log_variance": 500 * one})
    assert all(np.isfinite(part).all() for part in gradient.values())
    assert gradient["log_variance"][0, 0] > 0


def test_variational_draws_codes_while_training_and_takes_the_mean_otherwise():
    network, rows = VariationalAutoencoder(Linear(), Linear(), 3), np.tile(X, (100, 1))
    widths = {"reconstruction": 6, "mean": 3, "log_variance": 3}
    raw, params = apply(network, rows, True, n_outputs=widths)
    codes = rows @ np.asarray(params["encoder"]["output"]["kernel"])
    mean, std = codes[:, :3], np.exp(codes[:, 3:] / 2)
    assert_allclose(np.hstack([raw["mean"], raw["log_variance"]]), codes, rtol=1e-4, atol=1e-5)
    decoder = np.asarray(params["decoder"]["output"]["kernel"])
    drawn = np.linalg.lstsq(decoder.T, raw["reconstruction"].T, rcond=None)[0].T
    standardised = (drawn - mean) / std
    assert abs(standardised.mean()) < 0.03
    assert abs(standardised.std() - 1) < 0.03
    predicted = apply(network, rows, False, n_outputs=widths)[0]
    assert_allclose(predicted["reconstruction"], mean @ decoder, rtol=1e-4, atol=1e-5)


def test_variational_fit():
    model = DeepAutoencoder(**SMALL | {"max_epochs": 20, "learning_rate": 0.01}, variational=True, beta=0.1).fit(X)
    assert (model.n_components_, model.n_outputs_) == (2, 6 + 4)
    assert model.transform(X).shape == (60, 2)
    assert_allclose(model.score(X), -mean_squared_error(model, X), rtol=1e-5)
    functions = functions_of(model.network_, (6,), model.loss_.n_raw(Task("regression", 6)))
    apply = jax.jit(lambda params, x: functions.apply(params, model.model_state_, x, False, None, jnp.ones(60))[0])
    raw = apply(model.params_, X)
    assert_allclose(model.transform(X), raw["mean"], rtol=1e-4, atol=1e-5)


def test_a_large_beta_makes_codes_standard_normal():
    light, heavy = (
        DeepAutoencoder(**SMALL | {"max_epochs": 100, "learning_rate": 0.03}, variational=True, beta=beta).fit(X)
        for beta in (1e-3, 100.0)
    )
    assert np.abs(heavy.transform(X)).max() < 0.2 < np.abs(light.transform(X)).max()
    assert light.score(X) > heavy.score(X)


@pytest.mark.parametrize("loss", ["poisson", "gaussian_nll", pytest.param("huber", marks=pytest.mark.campaign)])
def test_other_losses(loss):
    counts = np.random.default_rng(0).poisson(3.0, size=(60, 4))
    model = DeepAutoencoder(**SMALL, loss=loss, variational=True).fit(counts)
    rebuilt = model.inverse_transform(model.transform(counts.astype(float)))
    assert rebuilt.shape == counts.shape
    assert_allclose(model.score(counts), -np.mean((rebuilt - counts) ** 2), rtol=1e-5)
    assert (rebuilt > 0).all() or loss != "poisson"


def test_pixels_as_probabilities():
    pixels = DIGITS[:300]
    model = DeepAutoencoder(**SMALL | {"max_epochs": 40, "learning_rate": 0.01}, loss="bernoulli").fit(pixels)
    rebuilt = model.inverse_transform(model.transform(pixels))
    assert rebuilt.min() >= 0
    assert rebuilt.max() <= 1
    assert model.score(pixels) > -np.var(pixels, axis=0).mean()


@pytest.mark.parametrize(
    ("params", "variational"),
    [
        ({}, False),
        ({"early_stopping": True, "batch_size": 16}, True),
        pytest.param({}, True, marks=pytest.mark.campaign),
        pytest.param({"early_stopping": True, "batch_size": 16}, False, marks=pytest.mark.campaign),
    ],
)
def test_weight_zero_equals_absence_and_weight_two_a_row_given_twice(params, variational):
    counts = np.arange(60) % 3
    model = DeepAutoencoder(**SMALL, noise=0.1, variational=variational, **params)
    weighted = clone(model).fit(X, sample_weight=counts)
    repeated = clone(model).fit(np.repeat(X, counts, axis=0))
    assert_array_equal(weighted.transform(X), repeated.transform(X))
    assert np.abs(weighted.transform(X) - clone(model).fit(X).transform(X)).max() > 1e-4


def test_weight_zero_equals_absence_without_merging():
    model = DeepAutoencoder(**SMALL, coalesce=False)
    kept = np.arange(60) % 3 > 0
    outlier = np.where(kept[:, None], X, 1e4).astype(np.float32)
    left, right = clone(model).fit(outlier, sample_weight=kept.astype(float)), clone(model).fit(X[kept])
    assert_allclose(left.transform(X), right.transform(X), rtol=1e-3, atol=1e-5)


def test_rows_with_large_weights_are_reconstructed_better():
    first = np.arange(60) < 30
    model = DeepAutoencoder(**SMALL | {"max_epochs": 60, "learning_rate": 0.01})
    scores = [clone(model).fit(X, sample_weight=np.where(w, 10.0, 1.0)).score(X[first]) for w in (first, ~first)]
    assert scores[0] > scores[1]


def test_score_uses_weights():
    model = DeepAutoencoder(**SMALL).fit(X)
    errors = np.mean((model.inverse_transform(model.transform(X)) - X) ** 2, axis=1)
    weight = np.arange(60.0)
    assert_allclose(model.score(X, sample_weight=weight), -np.average(errors, weights=weight), rtol=1e-5)


def test_validation_rows_are_reported_with_the_divergence():
    model = DeepAutoencoder(**SMALL, variational=True, beta=0.5).fit(X[:40], X_val=X[40:])
    hidden, output = model.params_["encoder"]["Dense_0"], model.params_["encoder"]["output"]
    codes = np.maximum(X[40:] @ hidden["kernel"] + hidden["bias"], 0) @ output["kernel"] + output["bias"]
    mean, log_variance = codes[:, :2], codes[:, 2:]
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=1).mean() / 6
    expected = mean_squared_error(model, X[40:]) + 0.5 * divergence
    assert_allclose(model.history_["val_loss"].iloc[-1], expected, rtol=1e-4)


def test_scoring_and_early_stopping_keep_the_best_epoch():
    model = DeepAutoencoder(**SMALL | {"max_epochs": 10}, early_stopping=True, scoring=None).fit(X)
    scores = model.history_["val_score"]
    assert model.best_epoch_ == scores.argmax() + 1
    assert scores.max() < 0


def test_partial_fit_and_warm_start_continue():
    model = DeepAutoencoder(**SMALL)
    for _ in range(4):
        model.partial_fit(X)
    losses = model.history_["train_loss"]
    assert len(losses) == model.n_iter_ == 4
    assert losses.is_monotonic_decreasing
    with pytest.raises(ValueError, match="X has 5 features, but DeepAutoencoder is expecting 6 features"):
        model.partial_fit(X[:, :5])
    warm = DeepAutoencoder(**SMALL, warm_start=True).fit(X)
    before = warm.history_["train_loss"].iloc[-1]
    assert warm.fit(X).history_["train_loss"].iloc[0] < before


def test_pickle_pipeline_and_search():
    pipeline = make_pipeline(MinMaxScaler(), DeepAutoencoder(**SMALL))
    grid = {"deepautoencoder__learning_rate": [1e-6, 0.05]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X)
    assert search.best_params_["deepautoencoder__learning_rate"] == 0.05
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_array_equal(again.transform(X), search.transform(X))
    assert_array_equal(again.inverse_transform(again.transform(X)), search.inverse_transform(search.transform(X)))


def test_numbers_need_no_new_compile():
    skdeep.clear_cache()
    base = {**SMALL, "variational": True}
    for changes in ({}, {"noise": 0.5}, {"beta": 3}, {"learning_rate": 0.1}, {"noise": 1, "beta": 0.0}):
        model = DeepAutoencoder(**base | changes).fit(X)
        model.inverse_transform(model.transform(X))
    counts = skdeep.compile_counts()
    assert counts["train_block"] == (1, 1)
    assert counts["predict_block"] == (2, 2)  # the encoder and the decoder


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "The 'n_components' parameter of DeepAutoencoder must be an int in the range .* Got 0"),
        ({"noise": -1.0}, "The 'noise' parameter of DeepAutoencoder must be a float in the range .* Got -1.0"),
        ({"beta": "big"}, "The 'beta' parameter of DeepAutoencoder must be a float in the range .* Got 'big'"),
        ({"encoder": "mpl"}, "Unknown network 'mpl'. Did you mean 'mlp'?"),
        ({"decoder": 3}, "The 'decoder' parameter of DeepAutoencoder must be .* Got 3 instead."),
        ({"loss": "cross_entropy"}, "The loss CrossEntropy does not serve regression targets"),
        ({"loss": "cross_entropy", "variational": True}, "The loss CrossEntropy does not serve regression targets"),
        ({"loss": "bernoulli"}, r"The loss Bernoulli needs X in \[0, 1\]. Got .* in row \d+, output"),
        ({"loss": "poisson"}, r"The loss Poisson needs X >= 0. Got -.* in row \d+, output"),
        ({"encoder": nn.Dense(3)}, r"returns an array of shape \(32, 3\) for 32 rows, but the code needs 2 outputs"),
        ({"decoder": nn.Dense(3)}, r"returns an array of shape \(32, 3\) for 32 rows, but the loss needs 6 outputs"),
    ],
)
def test_invalid_parameters_raise(params, message):
    with pytest.raises(ValueError, match=message):
        DeepAutoencoder(**SMALL | {"batch_size": 32} | params).fit(X)


def test_sparse_rows_and_codes_of_another_width_are_refused():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="Sparse data was passed"):
        DeepAutoencoder(**SMALL).fit(csr_array(X))
    model = DeepAutoencoder(**SMALL).fit(X)
    with pytest.raises(ValueError, match="X has 3 columns, but the codes of DeepAutoencoder have 2."):
        model.inverse_transform(X[:, :3])


def test_a_non_finite_loss_raises():
    with pytest.raises(NonFiniteLossError, match="The loss became NaN or infinite in epoch"):
        DeepAutoencoder(**SMALL | {"learning_rate": 1e30, "optimizer": "sgd"}).fit(X)


def test_conv_decoder_gets_the_shape_of_the_image():
    decoder = ConvDecoder(widths=(8, 4))
    model = DeepAutoencoder(
        **SMALL | {"encoder": Encoder(), "max_epochs": 20, "batch_size": 20, "learning_rate": 0.01},
        decoder=decoder,
        input_shape=(8, 8, 1),
    )
    model.fit(DIGITS[:200])
    assert model.params_["decoder"]["output"]["kernel"].shape == (3, 3, 4, 1)
    assert model.inverse_transform(model.transform(DIGITS)).shape == DIGITS.shape
    assert model.score(DIGITS[:200]) > -np.var(DIGITS[:200], axis=0).mean()
    assert model.decoder is decoder


def test_conv_decoder_needs_an_image():
    with pytest.raises(
        ValueError, match=r"but its 'out_shape' is \(6,\) and the loss needs 6 outputs. Give DeepAutoencoder"
    ):
        DeepAutoencoder(**SMALL, decoder="conv_decoder").fit(X)
    with pytest.raises(ValueError, match=r"'out_shape' is \(3, 2\) and the loss needs 12 outputs"):
        DeepAutoencoder(**SMALL, decoder="conv_decoder", loss="gaussian_nll", input_shape=(3, 2)).fit(X)
