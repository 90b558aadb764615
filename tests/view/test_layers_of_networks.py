"""Layers of networks: parameters against the real ones, FLOPs against closed forms and XLA's own count."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import skdeep
from skdeep.config import Model
from skdeep.core.composed import Autoencoder
from skdeep.core.cpu.rewriting import as_written
from skdeep.core.network import functions_of
from skdeep.core.random import wrap_key
from skdeep.estimators.resolve import resolve, with_components
from skdeep.layers import Dense, Dropout, Embedding
from skdeep.networks import CNN, GRU, LSTM, MLP, TCN, Linear, ResNet, TabM, Transformer
from skdeep.perceptron.network import Perceptron
from skdeep.records import InputSpec
from skdeep.view import layers as module
from skdeep.view.layers import layers_of


def network_of(value):
    return with_components(resolve("network", value)[1])


class Own(nn.Module):
    """Parameters of its own, a recurrent cell that is made outside of its loop, `nn.remat` and `nn.Sequential`."""

    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        x = x @ self.param("w", nn.initializers.normal(), (3, 4))
        x = nn.RNN(nn.LSTMCell(5))(x)
        x = nn.remat(nn.Dense)(6)(x[:, -1])
        return nn.Sequential([nn.Dense(3), nn.relu, nn.Dense(self.n_outputs)])(x)


class Twice(nn.Module):
    """A layer that is called twice, and one with a name of HTML and of paths."""

    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        shared = nn.Dense(x.shape[-1])
        return nn.Dense(self.n_outputs, name="<b>a/b.c</b>")(shared(shared(x)))


class Valid(nn.Module):
    """Convolutions without padding, since XLA does not count products with padding."""

    n_outputs: int | None = None

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(16, (3, 3), padding="VALID")(x))
        x = nn.relu(nn.Conv(8, (3, 3), padding="VALID")(x))
        return nn.Dense(self.n_outputs)(x.reshape(len(x), -1))


class NNX(nnx.Module):
    def __init__(self, in_shape, n_outputs, rngs):
        self.layers = nnx.List([nnx.Linear(in_shape[0], 5, rngs=rngs), nnx.Linear(5, 5, rngs=rngs)])
        self.norm = nnx.BatchNorm(5, rngs=rngs)
        self.out = nnx.Linear(5, n_outputs, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return self.out(self.norm(x))


class BesideALine(skdeep.Network):
    """A network of pure functions with another one inside, and a scope that is named like its parameters."""

    inner: skdeep.Network = MLP(widths=(8,))

    def build(self, in_shape, n_outputs):
        inner = skdeep.network_functions(self.inner, in_shape, n_outputs)

        def init(key, x):
            params, state = inner.init(key, x)
            return {"inner": params, "line": jnp.zeros((in_shape[0], n_outputs), x.dtype)}, state

        def apply(params, state, x, *rest):
            raw, state = inner.apply(params["inner"], state, x, *rest)
            with jax.named_scope("line"):
                return raw + x @ params["line"], state

        return skdeep.NetworkFunctions(init, apply)


class ByName(nn.Module):
    n_outputs: int | None = None

    @nn.compact
    def __call__(self, image, table):
        image = nn.Conv(2, (3, 3))(image).reshape(len(image), -1)
        return nn.Dense(self.n_outputs)(jnp.concatenate([image, table], 1))


IMAGE_AND_TABLE = (("image", InputSpec((6, 6, 1))), ("table", InputSpec((3,))))
NETWORKS = {
    "linear": (Linear(), (4,), 3),
    "mlp": (MLP(widths=(16, 8), dropout_rate=0.1), (4,), 3),
    "perceptron": (Perceptron((7, 6)), (4,), 3),
    "cnn": (CNN(widths=(4, 8)), (8, 8, 1), 3),
    "resnet": (ResNet(width=4), (8, 8, 3), 3),
    "lstm": (LSTM(units=6), (5, 3), 2),
    "gru": (GRU(units=6), (5, 3), 2),
    "tcn": (TCN(widths=(4,)), (5, 3), 2),
    "transformer": (Transformer(n_layers=1, features=8, n_heads=2), (5, 3), 2),
    "tabm": (TabM(widths=(8,), n_members=4, n_bins=4), (6,), 2),
    "layers": (network_of([Embedding(10, 4), Dense(3), Dropout(0.2)]), (7,), 2),
    "module": (network_of(Own()), (9, 3), 2),
    "shared layer": (network_of(Twice()), (4,), 2),
    "nnx": (network_of(lambda in_shape, n_outputs, rngs: NNX(in_shape, n_outputs, rngs)), (4,), 2),
    "functions": (BesideALine(), (4,), 2),
    "autoencoder": (Autoencoder(MLP(widths=(8,)), MLP(widths=(9,)), 3), (6,), 6),
    "several inputs": (network_of(ByName()), IMAGE_AND_TABLE, 2),
}


def model_of(name):
    return Model(*NETWORKS[name])


def by_path(model):
    return {"/".join(layer.path): layer for layer in layers_of(model).layers}


def new_params(model):
    """Return the parameters and model state of a new network, computed and not traced."""

    def init():
        x = module.example_of(model.in_shape, max(1, model.network.init_rows), jnp.float32)
        functions = functions_of(model.network, model.in_shape, model.n_raw)
        return functions.init(wrap_key(jnp.zeros(2, "uint32")), x)

    return jax.jit(init)()


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_state_are_those_of_the_network(name):
    model = model_of(name)
    found = layers_of(model)
    params, state = new_params(model)
    assert found.n_parameters == sum(leaf.size for leaf in jax.tree.leaves(params))
    assert found.n_bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    assert found.n_state == sum(leaf.size for leaf in jax.tree.leaves(state))
    assert layers_of(model, trained=(params, state)) == found
    assert len({layer.path for layer in found.layers}) == len(found.layers)
    assert found.layers[0].path == ()


def dense(n_in, n_out):
    return 2 * n_in * n_out + n_out


def test_dense_layers():
    found = by_path(Model(MLP(widths=(16, 8)), (4,), 3))
    assert {name: layer.flops for name, layer in found.items()} == {
        "": 0,
        "Dense_0": dense(4, 16),
        "Function_0": 16,
        "Dense_1": dense(16, 8),
        "Function_1": 8,
        "output": dense(8, 3),
    }
    assert found["Function_0"].type == "relu"
    assert found["Dense_1"].output_shape == "(n, 8)"


def test_convolution():
    found = by_path(model_of("cnn"))
    assert found["Conv_0"].flops == 8 * 8 * 4 * (2 * 9 * 1 + 1)
    assert found["Conv_1"].flops == 4 * 4 * 8 * (2 * 9 * 4 + 1)
    assert found["MaxPool_0"].output_shape == "(n, 4, 4, 4)"
    assert found["output"].flops == dense(2 * 2 * 8, 3)


def test_lstm():
    """Per step: four products, sums of these and of the bias, four gates, and five operations for the new state."""
    steps, features, units = 5, 3, 6
    found = by_path(model_of("lstm"))
    assert found["LSTM_0"].flops == steps * (8 * units * (features + units) + 8 * units + 4 * units + 5 * units)
    assert found["LSTM_0"].n_parameters == 4 * units * (features + units + 1)
    assert set(found) == {"", "LSTM_0", "output"}


def test_transformer():
    """Attention: four projections, the scores and their weighted sum, in 2 operations per product."""
    steps, features = 5, 8
    block = by_path(model_of("transformer"))["TransformerBlock_0/SelfAttention_0"]
    products = steps * 4 * 2 * features**2 + 2 * 2 * steps**2 * features
    assert products < block.flops < 1.6 * products  # with biases, scaling and softmax
    assert block.n_parameters == 4 * (features**2 + features)


@pytest.mark.parametrize(("network", "in_shape"), [(MLP(widths=(32, 16)), (24,)), (network_of(Valid()), (8, 8, 3))])
def test_xla_counts_the_same(network, in_shape):
    model = Model(network, in_shape, 4)
    params, state = new_params(model)

    def predict(params, state, x):
        return functions_of(network, in_shape, 4).apply(params, state, x, False, None, jnp.ones(len(x)))[0]

    x = jnp.zeros((16, *in_shape))
    with as_written():
        analysis = jax.jit(predict).lower(params, state, x).compile().cost_analysis()
    assert layers_of(model).flops == pytest.approx(analysis["flops"] / 16, rel=0.02)


def test_own_module():
    """The parameters of a cell belong to the layer that runs it; those of the module itself to the first line."""
    found = by_path(model_of("module"))
    assert set(found) == {"", "RNN_0", "CheckpointDense_0", "Sequential_0", "Dense_0", "Dense_1"}
    assert (found[""].type, found[""].n_parameters) == ("Own", 12)
    assert found["RNN_0"].n_parameters == 4 * 5 * (4 + 5 + 1)
    assert (found["CheckpointDense_0"].type, found["CheckpointDense_0"].flops) == ("Dense", dense(5, 6))
    assert found["RNN_0"].output_shape == "(n, 9, 5)"


def test_layer_that_is_called_twice():
    found = by_path(model_of("shared layer"))
    assert found["Dense_0"].flops == 2 * dense(4, 4)
    assert found["<b>a/b.c</b>"].flops == dense(4, 2)


def test_nnx():
    """Layers are groups of parameters; operations are those of the whole network."""
    found = by_path(model_of("nnx"))
    assert {name: layer.n_parameters for name, layer in found.items()} == {
        "": 0,
        "layers/0": 25,
        "layers/1": 30,
        "norm": 10,
        "out": 12,
    }
    assert dense(4, 5) + dense(5, 5) + dense(5, 2) < found[""].flops < dense(4, 5) + dense(5, 5) + dense(5, 2) + 40
    assert not found["out"].output_shape


def test_networks_of_functions():
    found = by_path(model_of("functions"))
    assert set(found) == {"", "line", "inner", "inner/Dense_0", "inner/Function_0", "inner/output"}
    assert (found["line"].n_parameters, found["line"].flops) == (8, 2 * 4 * 2 + 2)
    perceptron = by_path(model_of("perceptron"))
    assert perceptron["Dense_0"].flops == dense(4, 7) + 7  # with ReLU
    assert perceptron["output"].output_shape == "(n, 3)"


def test_equal_names_in_encoder_and_decoder():
    found = by_path(model_of("autoencoder"))
    assert found["encoder/Dense_0"].flops == dense(6, 8)
    assert found["decoder/Dense_0"].flops == dense(3, 9)


def test_several_inputs():
    found = layers_of(model_of("several inputs"))
    assert found.input_shape == "image (n, 6, 6, 1), table (n, 3)"
    assert found.flops == 36 * 2 * (2 * 9 + 1) + dense(2 * 36 + 3, 2)


def test_named_outputs_and_parameters_of_the_loss():
    from skdeep.core.loss_parameters import model_for
    from skdeep.records import Task

    class OneWidth(skdeep.Loss):
        tasks = ("regression",)

        def n_raw(self, task):
            return {"mean": task.n_targets}

        def parameters(self, task):
            return {"log_width": np.zeros(task.n_targets, np.float32)}

        def __call__(self, raw, target):
            return ((raw["mean"] - target) ** 2).sum(1)

    found = layers_of(model_for(MLP(widths=(8,)), (4,), OneWidth(), Task("regression", 2)))
    names = ["/".join(layer.path) for layer in found.layers]
    assert names[0] == ""
    assert len(set(names)) == len(names)
    assert {"Dense_0", "output", "loss"} <= set(names)
    assert found.layers[0].output_shape == "log_width (n, 2), mean (n, 2)"
    assert found.network == "MLP"
    assert found.n_parameters == 40 + 18 + 2


def test_float64():
    found = layers_of(Model(Perceptron((7,)), (4,), 3), "float64")
    assert found.n_bytes == 8 * found.n_parameters


def test_a_second_look_traces_nothing(monkeypatch):
    model = Model(MLP(widths=(11,)), (4,), 3)
    first = layers_of(model)
    monkeypatch.setattr(module, "_layers", None)
    assert layers_of(model) is first


def test_rows_that_are_flattened():
    class Flat(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(x.reshape(-1, 3)).reshape(len(x), -1)[:, :2]

    assert by_path(Model(network_of(Flat()), (5, 3), 2))["Dense_0"].output_shape == "(5n, 2)"
