"""Every built-in network predicts on JAX's default device what it predicts on the CPU from the same parameters."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from skdeep import DeepAutoencoder, DeepClassifier, Inputs, SequenceGenerator, TabularRegressor
from skdeep.networks import (
    CNN,
    GRU,
    LSTM,
    MLP,
    TCN,
    Branch,
    Branches,
    ConvDecoder,
    Linear,
    RealMLP,
    ResNet,
    TabM,
    Transformer,
)

X, Y = load_digits(return_X_y=True)
X, Y = (X[:200] / 16).astype(np.float32), Y[:200]
SMALL = {"batch_size": 50, "max_epochs": 2, "tol": None, "random_state": 0, "learning_rate": 0.01}
IMAGES, SEQUENCES = {"input_shape": (8, 8, 1)}, {"input_shape": (8, 8)}
NETWORKS = {
    "linear": {"network": Linear()},
    "mlp": {"network": MLP((32, 32), normalization="batch")},
    "realmlp": {"network": RealMLP((16,))},
    "tabm": {"network": TabM(n_members=4, widths=(16,))},
    "cnn": {"network": CNN((4, 8), normalization="batch"), **IMAGES},
    "resnet": {"network": ResNet(width=4), **IMAGES},
    "lstm": {"network": LSTM(16), **SEQUENCES},
    "gru": {"network": GRU(16, bidirectional=True), **SEQUENCES},
    "tcn": {"network": TCN((8, 8)), **SEQUENCES},
    "transformer": {"network": Transformer(1, 16, 2), **SEQUENCES},
}
# Float32: sums in another order differ by about 1e-6. Default precision: on GPUs since Ampere, XLA may round the factors of products to TF32,
# which keeps 10 bits. Parameters and X rounded to 10 bits on the CPU change probabilities by 1e-4 to 8e-4; roundings inside add to that.
EXACT, ROUNDED = 1e-4, 1e-2


def assert_equal_predictions(model, x, method, tolerance):
    """Predict on the default device and on the CPU; the tolerance is relative to the largest number."""
    found = getattr(model, method)(x)
    expected = getattr(model.set_params(device="cpu"), method)(x)
    model.set_params(device="auto")
    assert np.isfinite(expected).all()
    assert_allclose(found, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


@pytest.mark.accelerator
@pytest.mark.parametrize("name", NETWORKS)
def test_classifier(name, exact_products):
    model = DeepClassifier(**SMALL | NETWORKS[name]).fit(X, Y)
    assert_equal_predictions(model, X, "predict_proba", EXACT)


@pytest.mark.accelerator
@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer"])
def test_classifier_in_the_default_precision(name):
    model = DeepClassifier(**SMALL | NETWORKS[name]).fit(X, Y)
    assert_equal_predictions(model, X, "predict_proba", ROUNDED)


@pytest.mark.accelerator
def test_branches(exact_products):
    x = Inputs(image=X.reshape(-1, 8, 8, 1), row=X[:, :5])
    model = DeepClassifier(**SMALL, network=Branches((Branch("image", CNN((4,))), Branch("row", MLP((8,)))))).fit(x, Y)
    assert_equal_predictions(model, x, "predict_proba", EXACT)


@pytest.mark.accelerator
def test_autoencoder_of_images(exact_products):
    params = {"encoder": CNN((4,)), "decoder": ConvDecoder((4,)), "input_shape": (8, 8, 1), "n_components": 3}
    model = DeepAutoencoder(**SMALL | params).fit(X)
    assert_equal_predictions(model, X, "transform", EXACT)


@pytest.mark.accelerator
def test_table_with_categories_and_missing_values(exact_products):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X[:, 2:5], columns=["a", "b", "c"]).assign(label=np.array(["x", "y", "z"])[Y % 3])
    frame.loc[::7, "a"] = np.nan
    params = {"network": RealMLP((16,)), "max_epochs": 4, "random_state": 0}
    assert_equal_predictions(TabularRegressor(**params).fit(frame, Y), frame, "predict", EXACT)


@pytest.mark.accelerator
def test_greedy_text_equals_the_text_of_the_cpu(exact_products):
    """The most probable token is the same if the two best differ by more than the rounding, as after training on a cycle."""
    params = {"context_length": 8, "batch_size": 20, "max_epochs": 60, "tol": None, "learning_rate": 0.02}
    model = SequenceGenerator(network=GRU(16), **params, random_state=0).fit(["abcd" * 100])
    found = model.generate("ab", 20, temperature=0)
    assert found == model.set_params(device="cpu").generate("ab", 20, temperature=0)
