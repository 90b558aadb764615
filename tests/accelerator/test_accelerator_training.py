"""Training on JAX's default device: networks of each kind learn, trainings continue, float64, streamed rows, several devices."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_digits

import skdeep
from skdeep import Checkpoint, DeepClassifier, DeepRegressor
from skdeep.networks import CNN, GRU, LSTM, MLP, TCN, ResNet, Transformer
from skdeep.sources import recognise

X, Y = load_digits(return_X_y=True)
X, Y = (X[:600] / 16).astype(np.float32), Y[:600]
SMALL = {"batch_size": 50, "tol": None, "random_state": 0, "learning_rate": 0.01}
IMAGES, SEQUENCES = {"input_shape": (8, 8, 1)}, {"input_shape": (8, 8)}
NETWORKS = {
    "mlp": {"network": MLP((32,))},
    "cnn": {"network": CNN((8, 16)), **IMAGES},
    "resnet": {"network": ResNet(width=8), **IMAGES},
    "lstm": {"network": LSTM(32), **SEQUENCES},
    "gru": {"network": GRU(32), **SEQUENCES},
    "tcn": {"network": TCN((16, 16)), **SEQUENCES},
    "transformer": {"network": Transformer(1, 32, 4), **SEQUENCES},
}
# Atomic additions and the choice of algorithms may change the last bits of float32 sums on a GPU between two runs.
REPEATED = 1e-3


@pytest.mark.accelerator
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_learn(name):
    """In the default precision. A constant prediction reaches 0.1."""
    model = DeepClassifier(**SMALL | NETWORKS[name], max_epochs=15).fit(X, Y)
    assert np.isfinite(model.history_["train_loss"]).all()
    assert model.score(X, Y) > 0.85


@pytest.mark.accelerator
def test_parameters_are_arrays_of_numpy_after_a_fit():
    """Fitted estimators hold no array of a device, so that they can be pickled and predict elsewhere."""
    model = DeepRegressor(**SMALL, max_epochs=1).fit(X, Y)
    assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(model.params_))


@pytest.mark.accelerator
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_training_continues_from_its_checkpoint(name, tmp_path, exact_products):
    """On the CPU with the same bits; on a GPU within the tolerance of two equal fits, since not all sums repeat to the bit there."""
    model = DeepClassifier(**SMALL | NETWORKS[name], max_epochs=4)
    whole = clone(model).fit(X, Y)
    checkpoint = Checkpoint(tmp_path, every_epochs=1)
    clone(model).set_params(max_epochs=2, checkpoint=checkpoint).fit(X, Y)
    continued = clone(model).set_params(checkpoint=checkpoint).fit(X, Y)
    assert list(continued.history_["epoch"]) == list(whole.history_["epoch"])
    is_cpu = jax.devices()[0].platform == "cpu"
    for found, expected in zip(jax.tree.leaves(continued.params_), jax.tree.leaves(whole.params_), strict=True):
        assert_allclose(found, expected, rtol=0, atol=0 if is_cpu else REPEATED * np.abs(expected).max())


@pytest.mark.accelerator
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_float64_perceptron_agrees_with_scikit_learn(solver):
    """Products of float64 are never rounded to TF32. A wrong type of numbers somewhere would give differences of 1e-7 and more."""
    params = {"hidden_layer_sizes": (7, 4), "solver": solver, "max_iter": 10, "random_state": 3}
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    y = np.digitize(x[:, 0] + x[:, 1], [-0.7, 0.7])
    their = sklearn.neural_network.MLPClassifier(**params).fit(x, y)
    our = skdeep.MLPClassifier(**params).fit(x, y)
    for found, expected in zip(our.coefs_ + our.intercepts_, their.coefs_ + their.intercepts_, strict=True):
        assert found.dtype == np.float64
        assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.accelerator
def test_rows_from_a_memory_map_train_as_rows_in_memory(tmp_path, monkeypatch, exact_products):
    """The order of rows is given, so that both trainings see the same batches."""
    monkeypatch.setattr("skdeep.core.streamed_rows.MOST_BLOCK_ROWS", 80)
    monkeypatch.setattr(recognise, "IN_MEMORY_BYTES", 0)
    mapped = np.memmap(tmp_path / "x.bin", dtype=np.float32, mode="w+", shape=X.shape)
    mapped[:] = X
    mapped.flush()
    model = DeepClassifier(**SMALL, network=MLP((32,)), max_epochs=3, shuffle=False, coalesce=False)
    streamed, in_memory = clone(model).fit(mapped, Y), clone(model).fit(X, Y)
    assert_allclose(streamed.history_["train_loss"], in_memory.history_["train_loss"], rtol=REPEATED)
    assert_allclose(streamed.predict_proba(mapped), in_memory.predict_proba(X), atol=REPEATED)


@pytest.mark.accelerator
def test_all_devices_train_as_one(exact_products):
    if len(jax.devices()) < 2:
        pytest.skip("a training on several devices needs at least 2, and this process has 1")
    model = DeepClassifier(**SMALL, network=MLP((32,)), max_epochs=3)
    one, several = clone(model).fit(X, Y), clone(model).set_params(device="all").fit(X, Y)
    assert_allclose(several.history_["train_loss"], one.history_["train_loss"], rtol=REPEATED)
    assert_allclose(several.predict_proba(X), one.predict_proba(X), atol=REPEATED)
